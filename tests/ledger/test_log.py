"""Commands and reads on the event log, with their complete responses."""

import asyncio
from contextlib import closing
from datetime import date

import pytest

from domain.errors import (
    AlreadyHoldsPermit,
    NoPhysicalPermit,
    NotReportedLost,
    PermitEnded,
    TooEarlyToEndorse,
)
from domain.events import CancellationReason, CardPresented
from ledger.commands.blocking import BlockingLedger
from ledger.commands.permits import PermitCommands
from ledger.database.connections import as_service
from ledger.errors import KeyReused, StaleVersion, Unavailable, UnknownPermit
from ledger.eventlog.append import Append
from ledger.eventlog.idempotency import Answer
from ledger.eventlog.reads import GROUP_KEYS_MAX
from ledger.eventlog.registry import ClaimHolder, Holder
from tests.keks import keyring
from tests.ledger.appends import on, streams

NOBODYS = "7Q2M9K4T8XW5"
IN_WINDOW = date(2026, 12, 20)


class Words:
    """A renderer with distinguishable outcomes."""

    def aggregate(self, permit, _context):
        return f"version {permit.version} lost {permit.card.is_lost}".encode()

    def refusal(self, refusal):
        return refusal.code.encode()


@pytest.fixture
def ledger(database_url, blind_index):
    """With distinguishable responses."""
    with closing(
        BlockingLedger(
            as_service(database_url), blind_index=blind_index, keyring=keyring(), renderer=Words()
        )
    ) as ledger:
        yield ledger


@pytest.fixture
def comes_to(ledger):
    """``comes_to(name, …)``: the command's response as a tuple, or the class of its refusal."""

    def comes_to(name, /, *facts, **further):
        try:
            answer = getattr(ledger.permits, name)(*facts, **further)
        except Exception as error:  # noqa: BLE001  an outcome like any other
            return type(error)
        assert answer.accepted or answer.replayed
        return (answer.body, answer.version, answer.position, answer.replayed)

    return comes_to


@pytest.fixture
def issued(comes_to, application, command, ledger):
    """``issued()``: the number of a new permit."""

    def issued(person=None, **by):
        head = ledger.head()
        answer = comes_to("issue", application(person), command(**by))
        assert (b"version 1 lost False", 1, head + 1, False) == answer
        [event] = ledger.events(head + 1, 1)
        return str(event.originator_id)

    return issued


def first(version, lost, position):
    return (f"version {version} lost {lost}".encode(), version, position, False)


def again(version, lost, position):
    return (f"version {version} lost {lost}".encode(), version, position, True)


def test_changes_and_commands_without_an_effect(comes_to, issued, command):
    """Each response has its version and its position."""
    number = issued()

    assert first(2, True, 2) == comes_to("report_loss", number, command())
    assert first(2, True, 2) == comes_to("report_loss", number, command())
    assert first(3, False, 3) == comes_to("lift_loss", number, command())
    assert first(4, False, 4) == comes_to("correct_identity", number, command(), name="欧阳改名")
    presented = CardPresented.CARD
    assert first(5, False, 5) == comes_to("endorse", number, presented, command(on=IN_WINDOW))


def test_retries_get_the_first_response(comes_to, issued, application, command):
    """Of a change, of a command without an effect, of an issue, of a refusal."""
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
    assert 2 == ledger.head()


def test_refusals(comes_to, issued, command, citizen_number, application, ledger):
    """By the domain and by the ledger: all of them alike, and nothing is appended."""
    person, other = citizen_number(), citizen_number()
    number, ended = issued(person), issued(other)
    by = command(on=date(2026, 1, 6))
    assert first(2, False, 3) == comes_to("cancel", ended, CancellationReason.MOVED_AWAY, command())

    assert AlreadyHoldsPermit is comes_to("issue", application(person), command())
    assert TooEarlyToEndorse is comes_to("endorse", number, CardPresented.CARD, by)
    assert PermitEnded is comes_to("report_loss", ended, command())
    assert 3 == ledger.head()
    assert issued(other) != ended
    assert AlreadyHoldsPermit is comes_to(
        "correct_identity", number, command(), citizen_id_number=other
    )


def test_unknown_permits(comes_to, issued, command, phone, face_match, ledger):
    """Of no holder and of another holder: a claim gets the same answer for both."""
    number = issued()
    holder_id = ledger.permit(number).holder_id

    def claim(number, holder_id):
        by = command(actor=holder_id, station=None)
        return comes_to("claim", number, holder_id, phone(1), face_match, by, confirmed=True)

    assert UnknownPermit is comes_to("report_loss", NOBODYS, command())
    assert NoPhysicalPermit is claim(NOBODYS, "nobody")
    assert UnknownPermit is claim(NOBODYS, holder_id)
    assert NoPhysicalPermit is claim(number, "nobody")
    assert first(2, False, 2) == claim(number, holder_id)
    revoked = comes_to("revoke_device", number, holder_id, "thumbprint-1", command())
    assert first(3, False, 3) == revoked


def test_concurrent_commands_on_one_permit(ledger, issue, command):
    """They conflict with each other, decide again, and all succeed."""
    number = issue()
    permits = PermitCommands(ledger.event_log, ledger.event_mapper, blind_index=ledger.blind_index)

    async def act():
        return await asyncio.gather(
            permits.report_loss(number, command()),
            permits.correct_identity(number, command(), name="欧阳改名"),
            permits.deliver_card(number, command()),
            permits.correct_identity(number, command(), hukou_address="改址"),
        )

    assert [2, 3, 4, 5] == sorted(answer.version for answer in ledger.run(act()))
    assert ledger.permit(number).version == 5


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
@pytest.mark.usefixtures("readable")
def test_reads(ledger, read, asked, found):
    """What is on record, and what is not."""
    assert found == getattr(ledger.log, read)(*asked)


@pytest.mark.usefixtures("readable")
def test_only_stored_responses_are_returned(ledger):
    """Complete."""
    [(key, (fingerprint, kept))] = ledger.log.answers("officer-1", ["1", "2"]).items()

    assert ("1", b"") == (key, fingerprint)
    assert Answer(accepted=True, body=b"", version=1, position=1, replayed=True) == kept


def test_permits_loaded_together_are_not_confused(ledger, issue, command):
    """Each is folded from its own events, also duplicates and unknown ones."""
    numbers = [issue() for _ in range(3)]
    ledger.permits.report_loss(numbers[1], command())
    wanted = [numbers[2], numbers[0], NOBODYS, numbers[1], numbers[0]]

    async def act():
        return await asyncio.gather(*map(ledger.event_log.load, wanted))

    found = ledger.run(act())

    assert None is found.pop(2)
    assert [ledger.permit(n).identity for n in [*wanted[:2], *wanted[3:]]] == [
        permit.identity for permit in found
    ]
    assert [1, 1, 2, 1] == [permit.version for permit in found]
    assert found[1] is not found[3]


def test_more_permits_than_one_read_takes(ledger, issue):
    """Several reads are made, and none is left out."""
    number = issue()
    wanted = [f"nobody's {n}" for n in range(GROUP_KEYS_MAX)] + [number]

    async def act():
        return await asyncio.gather(*map(ledger.event_log.load, wanted))

    *nobodys, found = ledger.run(act())

    assert {None} == set(nobodys)
    assert number == found.id


def test_an_empty_append_is_no_round_trip(ledger):
    """Nor does it start a writer."""
    assert [] == ledger.log.append(Append([]))

    assert [] == streams(ledger.log)
    assert not ledger.commits.is_running


# -- lost connections --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("read", "asked"),
    [
        ("load", ["number"]),
        ("answers", ["officer-1", ["1"]]),
        ("holders", [[b"person"]]),
        ("knows_holder", ["holder-a"]),
        ("last_position", ["a"]),
    ],
)
@pytest.mark.usefixtures("readable")
def test_connections_that_died_in_the_pool_are_no_error(ledger, issue, admin, read, asked):
    """The read is repeated on another."""
    asked = [issue()] if read == "load" else asked
    assert getattr(ledger.log, read)(*asked)
    assert admin.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name = '' AND datname = current_database() AND pid <> pg_backend_pid()"
    ).rowcount

    for _ in range(3):
        assert getattr(ledger.log, read)(*asked)


def test_an_unreachable_database_is_unavailable(ledger):
    """For every caller of that read."""

    async def act():
        await ledger.pool.close()
        log = ledger.event_log
        wanted = [log.load("a"), log.load("b"), log.last_position("a")]
        return await asyncio.gather(*wanted, return_exceptions=True)

    assert [True] * 3 == [isinstance(error, Unavailable) for error in ledger.run(act())]
