"""Invariant 2: a retry with the same key never appends twice and gets the first response."""

import asyncio
from contextlib import closing
from datetime import date

import pytest

from domain.errors import NoPhysicalPermit, NotReportedLost, TooEarlyToEndorse
from domain.events import CancellationReason, CardPresented
from domain.person import Residence
from ledger.commands.blocking import BlockingLedger
from ledger.errors import KeyReused
from tests.keks import keyring

ROUNDS = 5
NUMBER = "7Q2M9K4T8XW5"


class Words:
    """Renders an outcome so that a test can tell one from another."""

    def aggregate(self, permit, _context):
        return f"{permit.id} version {permit.version} lost {permit.card.is_lost}".encode()

    def refusal(self, refusal):
        return refusal.code.encode()


@pytest.fixture
def ledger(database_url, blind_index):
    """With a renderer, as the API has one."""
    with closing(
        BlockingLedger(database_url, blind_index=blind_index, keyring=keyring(), renderer=Words())
    ) as with_renderer:
        yield with_renderer


def test_a_retry_gets_the_first_response(ledger, issue, command):
    """Also when the permit has changed since."""
    number = issue()
    first = ledger.permits.report_loss(number, command(key="key-1"))
    ledger.permits.lift_loss(number, command())

    again = ledger.permits.report_loss(number, command(key="key-1"))

    assert (False, True) == (first.replayed, again.replayed)
    assert (True, f"{number} version 2 lost True".encode(), 2, 2) == (
        again.accepted,
        again.body,
        again.version,
        again.position,
    )
    assert (first.body, first.version, first.position) == (
        again.body,
        again.version,
        again.position,
    )
    assert ledger.head() == 3


def test_a_retried_issue_is_one_permit(ledger, application, command):
    """Without the key, the second would be refused."""
    wanted = application()
    first = ledger.permits.issue(wanted, command(key="key-1"))

    again = ledger.permits.issue(wanted, command(key="key-1"))

    assert (True, True, first.body) == (again.accepted, again.replayed, again.body)
    assert ledger.head() == 1


def test_a_retry_of_a_command_without_an_effect_gets_its_response(ledger, issue, command):
    """Nothing was appended the first time; the position is the permit's last at that time."""
    number = issue()
    ledger.permits.report_loss(number, command())
    first = ledger.permits.report_loss(number, command(key="key-1"))
    ledger.permits.lift_loss(number, command())

    again = ledger.permits.report_loss(number, command(key="key-1"))

    assert (True, 2, 2) == (again.replayed, again.version, again.position)
    assert (first.body, first.position) == (again.body, again.position)


def test_a_refusal_is_stored_too(ledger, issue, command):
    """The same key gets the same response, even if the rule would allow it by now."""
    number = issue()
    with pytest.raises(TooEarlyToEndorse):
        ledger.permits.endorse(
            number, CardPresented.CARD, command(on=date(2026, 1, 6), key="key-1")
        )

    in_window = command(on=date(2026, 12, 20), key="key-1")
    again = ledger.permits.endorse(number, CardPresented.CARD, in_window)

    assert (False, b"TOO_EARLY", None, None, True) == (
        again.accepted,
        again.body,
        again.version,
        again.position,
        again.replayed,
    )
    assert ledger.head() == 1


def test_p18_a_refused_claim_is_stored_too(
    database_url, blind_index, application, phone, face_match, command
):
    """There was no permit to claim; the key gets this response again once there is one."""
    with closing(
        BlockingLedger(
            database_url,
            blind_index=blind_index,
            keyring=keyring(),
            new_permit_number=lambda: NUMBER,
            new_holder_id=lambda: "holder-1",
        )
    ) as ledger:

        def claim():
            by = command(key="key-1")
            return ledger.permits.claim(
                NUMBER, "holder-1", phone(1), face_match, by, confirmed=True
            )

        with pytest.raises(NoPhysicalPermit):
            claim()
        ledger.permits.issue(application(), command())

        assert not claim().accepted


def test_a_key_belongs_to_one_request(ledger, issue, command):
    """Another request under it is refused, whatever the first response was."""
    number = issue()
    ledger.permits.report_loss(number, command(key="accepted"))
    with pytest.raises(NotReportedLost):
        ledger.permits.lift_loss(issue(), command(key="refused"))

    for key in ("accepted", "refused"):
        with pytest.raises(KeyReused):
            ledger.permits.lift_loss(number, command(key=key, request=b"another request"))
    assert ledger.permit(number).card.is_lost


def test_a_key_belongs_to_one_caller(ledger, issue, command):
    """Two offices may number their requests alike."""
    number = issue()
    ledger.permits.report_loss(number, command(key="1"))

    answer = ledger.permits.lift_loss(
        number, command(key="1", caller="officer-2", request=b"another")
    )

    assert (3, False) == (answer.version, answer.replayed)


def test_two_concurrent_sendings_of_a_request_are_executed_once(ledger, issue, command, at_once):
    """Both get the same response."""
    home = Residence("320281", "澄江中路2号")
    for _ in range(ROUNDS):
        number = issue()
        head = ledger.head()
        by = command(key=f"move of {number}")

        def move(number=number, by=by):
            return ledger.permits.change_address(number, home, date(2026, 11, 1), by)

        answers = at_once([move] * 4)

        assert {(True, f"{number} version 2 lost False".encode(), 2, head + 1)} == {
            (answer.accepted, answer.body, answer.version, answer.position) for answer in answers
        }
        assert ledger.head() == head + 1


@pytest.mark.parametrize("act", ["issue", "reissue", "cancel", "expect a version", "refused"])
def test_a_retry_overtaken_by_the_first_request_gets_its_response(
    ledger, issue, application, command, monkeypatch, act
):
    """The retry was on its way to the log; neither the first request's effect nor the retry's own
    refusal replaces that response."""
    number, wanted = issue(), application()
    if act != "refused":
        ledger.permits.report_loss(number, command())
    by = command(key="key-1", expected_version=2 if act == "expect a version" else None)

    def request():
        match act:
            case "issue":
                return ledger.permits.issue(wanted, by)
            case "reissue" | "refused":
                return ledger.permits.reissue(number, by)
            case "cancel":
                return ledger.permits.cancel(number, CancellationReason.MOVED_AWAY, by)
            case _:
                return ledger.permits.lift_loss(number, by)

    append = ledger.event_log.append
    firsts = []

    def overtake():
        if act == "refused":
            ledger.permits.report_loss(number, command())
        firsts.append(request())

    async def append_late(late):
        monkeypatch.setattr(ledger.event_log, "append", append)
        await asyncio.to_thread(overtake)
        return await append(late)

    monkeypatch.setattr(ledger.event_log, "append", append_late)
    answer = request()

    [first] = firsts
    assert (True, first.body, first.position) == (answer.accepted, answer.body, answer.position)
    assert ledger.head() == 3
