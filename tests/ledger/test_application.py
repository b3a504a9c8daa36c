"""Every command from its facts to the log, and what the log itself refuses."""

import itertools
from contextlib import closing
from datetime import date

import pytest

from domain.events import EVENTS, CancellationReason, CardPresented, ReplacementReason
from domain.person import Residence
from domain.standing import Facts
from ledger.commands.blocking import BlockingLedger
from ledger.commands.runner import ATTEMPTS_MAX
from ledger.crypto.portraits import Portrait, SealedPortrait
from ledger.errors import Contended, StaleVersion, UnknownPermit, VersionTaken
from tests.keks import keyring

IN_WINDOW = date(2026, 12, 20)
NEW_HOME = Residence("320281", "澄江中路2号")
NOBODYS = "7Q2M9K4T8XW5"


@pytest.fixture
def commands(ledger, phone, face_match, command):
    """``commands(number, holder_id)``: every command a permit may get, each with its event's
    topic, in an order in which all of them are granted."""

    def commands(number, holder_id):
        by = command(on=IN_WINDOW)

        def claim(device):
            return ledger.permits.claim(
                number, holder_id, phone(device), face_match, by, confirmed=True
            )

        def replace():
            return ledger.permits.replace(
                number, ReplacementReason.DAMAGED, by, old_card_returned=True
            )

        return [
            ("electronic-claimed", lambda: claim(1)),
            ("device-bound", lambda: claim(2)),
            (
                "device-revoked",
                lambda: ledger.permits.revoke_device(number, holder_id, "thumbprint-1", by),
            ),
            ("endorsed", lambda: ledger.permits.endorse(number, CardPresented.CARD, by)),
            ("card-delivered", lambda: ledger.permits.deliver_card(number, by)),
            ("card-reported-lost", lambda: ledger.permits.report_loss(number, by)),
            ("loss-lifted", lambda: ledger.permits.lift_loss(number, by)),
            ("card-reported-lost", lambda: ledger.permits.report_loss(number, by)),
            ("card-reissued", lambda: ledger.permits.reissue(number, by)),
            ("card-replaced", replace),
            (
                "address-changed",
                lambda: ledger.permits.change_address(number, NEW_HOME, IN_WINDOW, by),
            ),
            (
                "identity-corrected",
                lambda: ledger.permits.correct_identity(number, by, name="欧阳改名"),
            ),
            ("cancelled", lambda: ledger.permits.cancel(number, CancellationReason.MOVED_AWAY, by)),
        ]

    return commands


def test_every_command_appends_one_event(ledger, issue, commands):
    """In one life; each outcome has the event's position in the log."""
    number = issue()
    newest = {event.TOPIC.rpartition(".v")[0]: event.TOPIC for event in EVENTS}
    topics = ["permit.issued.v1"]

    for topic, act in commands(number, ledger.permit(number).holder_id):
        answer = act()
        topics.append(newest[f"permit.{topic}"])
        assert (True, False) == (answer.accepted, answer.replayed)
        assert (len(topics), len(topics)) == (answer.version, answer.position)

    assert topics == [event.topic for event in ledger.events(1, 100)]


def test_voiding_appends_its_event(ledger, issue, command):
    """The other way in which a permit can end."""
    number = issue()

    assert ledger.permits.void(number, "就业证明系伪造", command()).version == 2

    [event] = ledger.events(2, 1)
    assert event.topic == "permit.voided.v1"


def test_every_event_has_the_stamp_of_its_command(ledger, issue, commands, context):
    """Officer, station, reason and policy, read back from the log."""
    number = issue()
    for _, act in commands(number, ledger.permit(number).holder_id):
        act()

    for notification in ledger.events(1, 100):
        event = ledger.log.opened([notification])[0]
        assert ("officer-1", "320211-01") == (event.actor, event.station)
        assert ("a-request", context.policy.version) == (event.correlation_id, event.policy_version)
        assert number == event.originator_id


def test_an_unknown_permit_is_refused_by_every_command(ledger, commands):
    """And by every read; nothing is appended."""
    with pytest.raises(UnknownPermit):
        ledger.permit(NOBODYS)
    for topic, act in commands(NOBODYS, "holder-1"):
        if topic not in {"electronic-claimed", "device-bound"}:  # P18, in test_claim
            with pytest.raises(UnknownPermit):
                act()
    assert ledger.head() == 0


def test_a_command_without_an_effect_appends_nothing(ledger, issue, command):
    """The response names the event that has had the effect."""
    number, _ = issue(), issue()
    lost = ledger.permits.report_loss(number, command())

    again = ledger.permits.report_loss(number, command())

    assert (True, 2, lost.position) == (again.accepted, again.version, again.position)
    assert ledger.head() == lost.position == 3


def test_a_stale_version_is_refused(ledger, issue, command):
    """Another command has changed the permit since the caller read it."""
    number = issue()
    ledger.permits.report_loss(number, command(expected_version=1))

    with pytest.raises(StaleVersion):
        ledger.permits.lift_loss(number, command(expected_version=1))

    assert ledger.permit(number).card.is_lost
    assert ledger.permits.lift_loss(number, command(expected_version=2)).version == 3


def test_two_concurrent_commands_both_succeed(ledger, issue, command, at_once):
    """After a version conflict, a command decides again on the new state."""
    number = issue()

    outcomes = at_once(
        [
            lambda: ledger.permits.report_loss(number, command()),
            lambda: ledger.permits.correct_identity(number, command(), name="欧阳改名"),
            lambda: ledger.permits.deliver_card(number, command()),
            lambda: ledger.permits.change_address(number, NEW_HOME, date(2026, 11, 1), command()),
        ]
    )

    assert [2, 3, 4, 5] == sorted(answer.version for answer in outcomes)
    permit = ledger.permit(number)
    assert (True, "欧阳改名", NEW_HOME) == (
        permit.card.is_lost,
        permit.identity.name,
        permit.residence,
    )


def test_a_command_with_repeated_conflicts_fails(ledger, issue, command, monkeypatch):
    """After a bounded number of attempts, with nothing appended."""
    number = issue()
    attempts = []

    async def lose(appends):
        attempts.append(appends)
        raise VersionTaken

    monkeypatch.setattr(ledger.event_log, "append", lose)
    with pytest.raises(Contended):
        ledger.permits.report_loss(number, command())

    assert len(attempts) == ATTEMPTS_MAX
    assert ledger.head() == 1


def test_a_permit_number_that_is_taken_is_drawn_again(
    database_url, blind_index, application, command
):
    """Two draws may be equal, very rarely; the second person gets another number."""
    numbers = itertools.chain(["000000000000"] * 3, [NOBODYS])
    with closing(
        BlockingLedger(
            database_url,
            blind_index=blind_index,
            keyring=keyring(),
            new_permit_number=lambda: next(numbers),
        )
    ) as ledger:
        ledger.permits.issue(application(), command())
        assert ledger.permits.issue(application(), command()).position == 2

        assert (1, 1) == (ledger.permit("000000000000").version, ledger.permit(NOBODYS).version)


def test_a_person_who_returns_keeps_the_holder_id(ledger, issue, citizen_number, command):
    """A new permit of the same person, found in the same account."""
    person = citizen_number()
    first = issue(person)
    ledger.permits.cancel(first, CancellationReason.MOVED_AWAY, command())

    second = issue(person)

    assert first != second
    assert ledger.permit(first).holder_id == ledger.permit(second).holder_id
    assert ledger.permit(issue()).holder_id != ledger.permit(second).holder_id


def test_a_portrait_is_stored_beside_the_log_encrypted_for_its_event(
    ledger, application, command, admin
):
    """In the transaction of the issue, with its holder's key; the event has its digest. The same
    picture twice is stored as two unrelated ciphertexts."""
    portrait = Portrait.of(b"\xff\xd8\xff a face \xff\xd9")

    answers = [ledger.permits.issue(application(), command(), portrait) for _ in range(2)]

    assert [1, 2] == [answer.position for answer in answers]
    rows = admin.execute("SELECT stream, version, image FROM ledger.portraits").fetchall()
    sealed = {row[0]: SealedPortrait(*row) for row in rows}
    assert 2 == len({each.image for each in sealed.values()})
    for stored in ledger.events(1, 2):
        permit = ledger.permit(stored.originator_id)
        key = ledger.log.holder_keys([permit.holder_id])[permit.holder_id]
        assert portrait.digest == permit.identity.portrait
        assert portrait.image == sealed[permit.id].open(key, portrait.digest)


def test_another_process_reads_the_same_permit(database_url, blind_index, ledger, issue, commands):
    """All that is known of it is in the log."""
    number = issue()
    for _, act in commands(number, ledger.permit(number).holder_id):
        act()

    with closing(
        BlockingLedger(database_url, blind_index=blind_index, keyring=keyring())
    ) as elsewhere:
        assert Facts.of(ledger.permit(number)) == Facts.of(elsewhere.permit(number))
        assert ledger.permit(number).identity == elsewhere.permit(number).identity
