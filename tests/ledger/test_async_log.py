"""The same commands for threads and for coroutines, and their answers alike to the last byte."""

import asyncio
from datetime import date

import pytest
from psycopg_pool import AsyncConnectionPool

from domain.errors import (
    AlreadyHoldsPermit,
    NoPhysicalPermit,
    NotReportedLost,
    PermitEnded,
    TooEarlyToEndorse,
)
from domain.events import CancellationReason, CardPresented
from ledger.commands.permits import PermitCommands
from ledger.database.connections import as_service
from ledger.errors import KeyReused, StaleVersion, Unavailable, UnknownPermit
from ledger.eventlog.async_log import AsyncLog
from ledger.eventlog.group_read import KEYS_MAX
from ledger.eventlog.registry import ClaimHolder, Holder
from tests.ledger.appends import on, streams

WAIT_S = 30
CONNECTIONS = 3
POOL = "test pool"
NOBODYS = "7Q2M9K4T8XW5"
IN_WINDOW = date(2026, 12, 20)


class Words:
    """Renders an outcome so that a test can tell one from another."""

    def aggregate(self, permit, _context):
        return f"version {permit.version} lost {permit.card.is_lost}".encode()

    def refusal(self, refusal):
        return refusal.code.encode()


@pytest.fixture
def runner():
    """A loop that stands still between its runs."""
    with asyncio.Runner() as runner:
        yield lambda coroutine: runner.run(asyncio.wait_for(coroutine, WAIT_S))


@pytest.fixture
def pool(database_url, runner):
    pool = AsyncConnectionPool(
        as_service(database_url),
        kwargs={"autocommit": True, "application_name": POOL},
        min_size=CONNECTIONS,
        max_size=CONNECTIONS,
        timeout=WAIT_S,
        open=False,
    )
    runner(pool.open(wait=True))
    yield pool
    runner(pool.close())


@pytest.fixture
def log(ledger, pool, runner):
    async def make():
        return AsyncLog(ledger.log.commits, pool, ledger.event_mapper, ledger.holder_keys)

    return runner(make())


@pytest.fixture(params=["thread", "task"])
def run(request, ledger, blind_index):
    """``run(act)``: what ``act(commands)``, a coroutine, comes to in each of the two forms."""
    if request.param == "thread":
        ledger.commands._renderer = Words()

        def run(name, /, *facts, **further):
            return getattr(ledger, name)(*facts, **further)

        return run

    runner, log = request.getfixturevalue("runner"), request.getfixturevalue("log")
    commands = PermitCommands(log, ledger.event_mapper, blind_index=blind_index, renderer=Words())
    return lambda name, /, *facts, **further: runner(getattr(commands, name)(*facts, **further))


@pytest.fixture
def comes_to(run, ledger):
    """``comes_to(name, …)``: the command's answer as a tuple, or the kind of its refusal."""

    def comes_to(name, /, *facts, **further):
        try:
            answer = run(name, *facts, **further)
        except Exception as error:  # noqa: BLE001  an outcome like any other
            return type(error)
        assert answer.accepted or answer.replayed
        return (answer.body, answer.version, answer.position, answer.replayed)

    return comes_to


@pytest.fixture
def issued(comes_to, application, command, ledger):
    """``issued()``: the number of a permit, issued in this form."""

    def issued(person=None, **by):
        head = ledger.log.head()
        answer = comes_to("issue", application(person), command(**by))
        assert (b"version 1 lost False", 1, head + 1, False) == answer
        [event] = ledger.log.select_notifications(head + 1, 1)
        return str(event.originator_id)

    return issued


def first(version, lost, position):
    return (f"version {version} lost {lost}".encode(), version, position, False)


def again(version, lost, position):
    return (f"version {version} lost {lost}".encode(), version, position, True)


def test_changes_and_wishes_already_true(comes_to, issued, command):
    """Each answer names its version and its position."""
    number = issued()

    assert first(2, True, 2) == comes_to("report_loss", number, command())
    assert first(2, True, 2) == comes_to("report_loss", number, command())
    assert first(3, False, 3) == comes_to("lift_loss", number, command())
    assert first(4, False, 4) == comes_to("correct_identity", number, command(), name="欧阳改名")
    presented = CardPresented.CARD
    assert first(5, False, 5) == comes_to("endorse", number, presented, command(on=IN_WINDOW))


def test_retries_get_the_first_answer(comes_to, issued, application, command):
    """Of a change, of a wish already true, of an issue, of a refusal."""
    number, wanted = issued(), application()

    assert first(2, True, 2) == comes_to("report_loss", number, command(key="1"))
    assert first(2, True, 2) == comes_to("report_loss", number, command(key="2"))
    assert NotReportedLost is comes_to("lift_loss", issued(), command(key="3"))
    assert first(1, False, 4) == comes_to("issue", wanted, command(key="4"))
    assert first(3, False, 5) == comes_to("lift_loss", number, command())

    for _ in range(2):
        assert again(2, True, 2) == comes_to("report_loss", number, command(key="1"))
        assert again(2, True, 2) == comes_to("report_loss", number, command(key="2"))
        refused = comes_to("report_loss", number, command(key="3"))
        assert (NotReportedLost.code.encode(), None, None, True) == refused
        assert again(1, False, 4) == comes_to("issue", wanted, command(key="4"))


def test_keys_and_versions_that_do_not_fit(comes_to, issued, command, ledger):
    """Another request under the key, a version that is not the last: nothing is appended."""
    number = issued()
    by = command(key="1", expected_version=1)
    assert first(2, True, 2) == comes_to("report_loss", number, by)

    assert KeyReused is comes_to("lift_loss", number, command(key="1", request=b"another"))
    assert StaleVersion is comes_to("lift_loss", number, command(expected_version=1))
    assert again(2, True, 2) == comes_to("report_loss", number, by)
    assert 2 == ledger.log.head()


def test_refusals(comes_to, issued, command, citizen_number, application, ledger):
    """By the domain and by the ledger: all of them alike, and nothing is appended."""
    person, other = citizen_number(), citizen_number()
    number, ended = issued(person), issued(other)
    by = command(on=date(2026, 1, 6))
    assert first(2, False, 3) == comes_to("cancel", ended, CancellationReason.MOVED_AWAY, command())

    assert AlreadyHoldsPermit is comes_to("issue", application(person), command())
    assert TooEarlyToEndorse is comes_to("endorse", number, CardPresented.CARD, by)
    assert PermitEnded is comes_to("report_loss", ended, command())
    assert 3 == ledger.log.head()
    assert issued(other) != ended
    assert AlreadyHoldsPermit is comes_to(
        "correct_identity", number, command(), citizen_id_number=other
    )


def test_unknown_permits(comes_to, issued, command, phone, face_match, ledger):
    """Of nobody, of somebody else, and of who never had one."""
    number = issued()
    holder_id = ledger.permit(number).holder_id

    def claim(number, holder_id):
        by = command(actor=holder_id, station=None)
        return comes_to("claim", number, holder_id, phone(1), face_match, by, confirmed=True)

    assert UnknownPermit is comes_to("report_loss", NOBODYS, command())
    assert NoPhysicalPermit is claim(NOBODYS, "nobody")
    assert UnknownPermit is claim(NOBODYS, holder_id)
    assert UnknownPermit is claim(number, "somebody else")
    assert first(2, False, 2) == claim(number, holder_id)
    revoked = comes_to("revoke_device", number, holder_id, "thumbprint-1", command())
    assert first(3, False, 3) == revoked


def test_both_forms_at_once_on_one_permit(ledger, log, runner, blind_index, issue, command):
    """Coroutines among themselves lose races to each other, decide anew, and all come true."""
    number = issue()
    commands = PermitCommands(log, ledger.event_mapper, blind_index=blind_index)

    async def act():
        return await asyncio.gather(
            commands.report_loss(number, command()),
            commands.correct_identity(number, command(), name="欧阳改名"),
            commands.deliver_card(number, command()),
            asyncio.to_thread(ledger.correct_identity, number, command(), hukou_address="改址"),
        )

    assert [2, 3, 4, 5] == sorted(answer.version for answer in runner(act()))
    assert runner(log.load(number)).version == ledger.permit(number).version == 5


# -- reads -------------------------------------------------------------------------------------


@pytest.fixture
def readable(ledger):
    """Something to find for every read: permit "a" of a person, with an answer under a key."""
    take = ClaimHolder(b"person", "holder-a", "a")
    ledger.log.append(on("a", take, key="1"))


READS = [
    ("holders", [[b"person", b"nobody"]], {b"person": Holder("holder-a", "a")}),
    ("knows_holder", ["holder-a"], True),
    ("knows_holder", ["nobody"], False),
    ("last_position", ["a"], 1),
    ("last_position", ["nobody"], None),
]


@pytest.mark.parametrize(("read", "asked", "found"), READS)
def test_reads_are_the_recorders(ledger, log, runner, readable, read, asked, found):
    """What a thread finds, a coroutine finds."""
    assert found == getattr(ledger.log, read)(*asked)
    assert found == runner(getattr(log, read)(*asked))


def test_answers_are_the_recorders(ledger, log, runner, readable):
    """To the last field."""
    kept = ledger.log.answers("officer-1", ["1", "2"])

    assert {"1"} == set(kept)
    assert kept == runner(log.answers("officer-1", ["1", "2"]))


def test_permits_asked_for_together_are_told_apart(ledger, log, runner, issue, command):
    """Each is folded from its own events, those asked for twice and those there are none of too."""
    numbers = [issue() for _ in range(3)]
    ledger.report_loss(numbers[1], command())
    wanted = [numbers[2], numbers[0], NOBODYS, numbers[1], numbers[0]]

    async def act():
        return await asyncio.gather(*map(log.life, wanted))

    found = runner(act())

    assert None is found.pop(2)
    assert [ledger.permit(n).identity for n in [*wanted[:2], *wanted[3:]]] == [
        permit.identity for permit in found
    ]
    assert [1, 1, 2, 1] == [permit.version for permit in found]
    assert found[1] is not found[3]


def test_more_permits_than_a_read_takes(log, runner, issue):
    """In several reads, nobody forgotten."""
    number = issue()
    wanted = [f"nobody's {n}" for n in range(KEYS_MAX)] + [number]

    async def act():
        return await asyncio.gather(*map(log.life, wanted))

    *nobodys, found = runner(act())

    assert {None} == set(nobodys)
    assert number == found.id


def test_an_empty_append_is_no_round_trip(ledger, log, runner):
    """Nor does it start a writer."""
    assert [] == runner(log.append(type(on("a"))([])))

    assert [] == streams(ledger.log)
    assert ledger.log.commits._thread is None


# -- lost connections --------------------------------------------------------------------------


@pytest.mark.parametrize("connections", [1, CONNECTIONS])
@pytest.mark.parametrize(
    ("read", "asked"),
    [
        ("life", ["number"]),
        ("answers", ["officer-1", ["1"]]),
        ("holders", [[b"person"]]),
        ("knows_holder", ["holder-a"]),
        ("last_position", ["a"]),
    ],
)
def test_connections_that_died_in_the_pool_are_nobodys_error(
    log, runner, issue, readable, admin, read, asked, connections
):
    """One of them or all: the read is made on another."""
    asked = [issue()] if read == "life" else asked
    killed = admin.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM (SELECT pid FROM pg_stat_activity"
        " WHERE application_name = %s AND datname = current_database() LIMIT %s) AS victims",
        [POOL, connections],
    ).rowcount
    assert connections == killed

    for _ in range(CONNECTIONS):
        assert runner(getattr(log, read)(*asked))


def test_a_database_that_is_away_is_unavailable(log, runner, pool):
    """For everybody who asked in that read."""

    async def act():
        await pool.close()
        wanted = [log.load("a"), log.load("b"), log.last_position("a")]
        return await asyncio.gather(*wanted, return_exceptions=True)

    assert [True] * 3 == [isinstance(error, Unavailable) for error in runner(act())]
