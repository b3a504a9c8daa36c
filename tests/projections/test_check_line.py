"""The connection on which checks reach the database: shared, ordered, each code used once."""

import asyncio
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from ledger.checks.display_codes import CodeDigests, new_code
from ledger.checks.log import Check, new_check_id
from ledger.database.connections import as_service, connect
from ledger.errors import Unavailable
from projections.queries.check_batcher import CheckBatcher, CheckQuery, CheckWriter, connecting

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
DIGESTS = CodeDigests(bytes(32))
INDEX = bytes(32)
WAIT_S = 30
CHECK_BACKENDS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE application_name = 'permit-ledger check' AND datname = current_database()"""


def a_check(n):
    return Check(
        check_id=new_check_id(),
        checked_at=NOW,
        verifier=f"verifier-{n}",
        scenario="entry_exit",
        track="electronic",
        permit_number="7Q2M9K4T8XW5",
        card_serial=None,
        code=None,
        device=None,
        outcome="not_effective",
        reason="not_live",
        fields=[],
        as_of_position=0,
    ).record(INDEX, None)


@pytest.fixture
def code(admin):
    """``code()``: a new live code."""

    def mint(issued_at=NOW, life=timedelta(seconds=30)):
        made = new_code()
        admin.execute(
            "INSERT INTO ledger.display_codes VALUES (%s, '7Q2M9K4T8XW5', 'h', 'd', NULL, %s, %s)",
            [DIGESTS.of_code(made), issued_at, issued_at + life],
        )
        return made

    return mint


def asked(code, at=NOW):
    return CheckQuery(at, code_digest=DIGESTS.of_code(code), verifier_index=INDEX, scenario="x")


@pytest.fixture
def on_lines(database_url):
    """``on_lines(act, lines=2)``: the results of ``act(line, …)``, with one connection for each
    line."""

    def run(act, lines=1):
        async def within():
            made = [CheckBatcher(as_service(database_url)) for _ in range(lines)]
            try:
                return await asyncio.wait_for(act(*made), WAIT_S)
            finally:
                for line in made:
                    await asyncio.to_thread(line.close)

        return asyncio.run(within())

    return run


@pytest.fixture
def positions(admin):
    """All recorded positions, with the head."""

    def read():
        rows = admin.execute("SELECT position FROM ledger.checks ORDER BY 1").fetchall()
        head = admin.execute("SELECT position FROM ledger.checks_head").fetchone()
        return [position for (position,) in rows], head

    return read


def test_positions_are_gapless_with_several_writers(on_lines, positions):
    """Three batchers, as of three processes, record 300 checks: 1, 2, 3 … each returns its own
    positions."""

    async def act(*lines):
        records = [lines[n % 3].record(a_check(n)) for n in range(300)]
        return await asyncio.gather(*records)

    returned = on_lines(act, lines=3)

    assert list(range(1, 301)) == sorted(returned)
    assert (list(range(1, 301)), (300,)) == positions()


def test_concurrent_checks_share_a_statement(on_lines, admin):
    """A hundred at once take a few transactions; one alone takes its own."""

    async def act(line):
        await asyncio.gather(*(line.record(a_check(n)) for n in range(100)))

    on_lines(act)

    [(transactions,)] = admin.execute(
        "SELECT count(DISTINCT xmin::text) FROM ledger.checks"
    ).fetchall()
    assert transactions < 10


def test_look_ups_and_records_share_a_batch(on_lines, code):
    """Each gets its own answer, whatever else the batch holds."""
    codes = [code() for _ in range(20)]

    async def act(line):
        mixed = [
            work
            for n, c in enumerate(codes)
            for work in (line.look_up(asked(c)), line.record(a_check(n)))
        ]
        return await asyncio.gather(*mixed)

    found = on_lines(act)

    assert [True] * 20 == [one.is_live for one in found[::2]]
    assert list(range(1, 21)) == sorted(found[1::2])


def test_a_code_is_used_once_across_processes(on_lines, code):
    """Of 64 look-ups on four lines, one finds the code live, and all find its permit."""
    shown = code()

    async def act(*lines):
        return await asyncio.gather(*(lines[n % 4].look_up(asked(shown)) for n in range(64)))

    found = on_lines(act, lines=4)

    assert 1 == sum(one.is_live for one in found)
    assert {"7Q2M9K4T8XW5"} == {one.permit_number for one in found}


def test_many_codes_in_any_order_cause_no_deadlock(on_lines, code):
    """Each is used once, and none is lost."""
    codes = [code() for _ in range(60)]

    async def act(*lines):
        async def one(line, order):
            return await asyncio.gather(*(line.look_up(asked(c)) for c in order))

        turns = [codes, codes[::-1], codes[30:] + codes[:30]]
        return await asyncio.gather(
            *(one(line, turn) for line, turn in zip(lines, turns, strict=True))
        )

    found = on_lines(act, lines=3)

    assert len(codes) == sum(one.is_live for turn in found for one in turn)


@pytest.mark.parametrize(
    ("later", "is_live"), [(-6, False), (-4, True), (0, True), (29, True), (30, False), (99, False)]
)
def test_a_code_is_valid_by_the_given_clock(on_lines, code, later, is_live):
    """From some seconds early, for a process whose clock is behind; never later than its end."""
    shown = code()
    found = on_lines(lambda line: line.look_up(asked(shown, NOW + timedelta(seconds=later))))
    assert is_live is found.is_live


def test_an_unknown_code_is_not_live(on_lines):
    """It has no permit and no device."""
    found = on_lines(lambda line: line.look_up(asked(new_code())))
    assert (False, None, None) == (found.is_live, found.permit_number, found.device)


def test_a_lost_connection_records_no_check_twice(on_lines, positions, database_url):
    """Connections are killed repeatedly during checks: each answered check is recorded once."""

    async def act(line):
        async def killing():
            for _ in range(5):
                await asyncio.sleep(0.05)  # between two kills

                def kill():
                    with connect(database_url) as owner:
                        owner.execute(CHECK_BACKENDS)

                await asyncio.to_thread(kill)

        async def checking(n):
            return [await line.record(a_check(n)) for _ in range(40)]

        *recorded, _ = await asyncio.gather(*(checking(n) for n in range(8)), killing())
        return [position for of_one in recorded for position in of_one]

    returned = on_lines(act)

    assert list(range(1, 321)) == sorted(returned)
    assert (list(range(1, 321)), (320,)) == positions()


def test_an_unreachable_database_is_reported(empty_database):
    """As an error of the ledger; no check is answered."""

    async def act():
        nowhere = as_service(empty_database) + " host=/nowhere"
        with closing(CheckBatcher(nowhere, wait_s=1.5)) as line, pytest.raises(Unavailable):
            await line.record(a_check(0))

    asyncio.run(act())


def test_only_records_wait_for_the_disk(database_url, code):
    """What used a code is on the disk before the record of its check."""
    lookup, record = asked(code()), a_check(1)
    found = []
    with closing(connecting(as_service(database_url))()) as connection:
        for batch in ([lookup], [record], [lookup, a_check(2)]):
            with connection.transaction():
                CheckWriter().write(connection, batch)
                found += connection.execute("SHOW synchronous_commit").fetchone()

    assert ["off", "on", "on"] == found
