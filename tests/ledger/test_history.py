"""A stream's whole history, for investigators: unreadable events are reported."""

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from domain.data_protection import Order
from domain.events import CardReportedLost, PermitIssued
from domain.personal import ERASED
from ledger.crypto import envelope
from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import as_service
from ledger.errors import Unavailable, UnknownPermit, UnreadableEvent
from ledger.eventlog import history as module
from ledger.eventlog.history import StreamHistories
from projections.queries.permits import read_pool
from tests.id_card_counter import Counter, submission_of
from tests.keks import keyring
from tests.two_officers import erase as erase_by_two

LOST_V1 = Path(__file__).parent / "golden" / "permit.card-reported-lost.v1.json"
LATER = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture
def history(database_url, ledger):
    """``history(stream)``: as the service reads it."""

    def history(stream):
        async def read():
            async with read_pool(as_service(database_url), connections_max=1) as pool:
                keys = HolderKeys(keyring())
                return await StreamHistories(pool, ledger.event_mapper, keys).of(stream)

        return asyncio.run(read())

    return history


def test_a_history_has_each_event_with_its_place_and_bytes(ledger, issue, command, history):
    """Decrypted, and as stored: proofs are about the stored bytes."""
    issue()
    number = issue()
    ledger.permits.report_loss(number, command(), date(2026, 11, 20))
    issue()

    found = history(number)

    assert [(2, 1), (3, 2)] == [(one.position, one.version) for one in found.events]
    assert [PermitIssued, CardReportedLost] == [type(one.event) for one in found.events]
    assert [*ledger.log.stored(number)] == [one.stored for one in found.events]
    assert (4, []) == (found.head, found.missing_versions)
    assert "欧阳测试" == found.events[0].event.identity.name


def test_the_history_of_an_unknown_stream_is_empty(history):
    """It has no holder."""
    found = history("nobody")

    assert (0, ()) == (found.head, found.events)
    with pytest.raises(UnknownPermit):
        found.known_by(LATER)


def test_a_loss_of_the_first_version_has_no_day(issue, admin, history):
    """Such events are in logs, and must stay readable."""
    number = issue()
    admin.execute(
        "INSERT INTO ledger.events VALUES (2, %s, 2, 'permit.card-reported-lost.v1', %s)",
        [number, LOST_V1.read_bytes().strip()],
    )

    _, lost = history(number).events

    assert (None, "permit.card-reported-lost.v1") == (lost.event.lost_on, lost.stored.topic)
    assert lost.recorded_at == history(number).sound_history.true_from(2)


def test_after_an_erasure_no_personal_data_is_decrypted(ledger, issue, command, history):
    """Although the key was in memory a moment ago."""
    number = issue()
    assert history(number).events[0].event.identity is not ERASED
    order, until = Order("PIPL 47", "case-1"), date(2026, 12, 28)
    erase_by_two(ledger, ledger.permit(number).holder_id, order, until, command())

    assert history(number).events[0].event.identity is ERASED


@pytest.fixture
def opened(database_url, ledger):
    """``opened(stream)``: the names of the fields that can be proved, of each event."""

    def opened(stream):
        async def read():
            async with read_pool(as_service(database_url), connections_max=1) as pool:
                keys = HolderKeys(keyring())
                histories = StreamHistories(pool, ledger.event_mapper, keys)
                history = await histories.of(stream)
                return await histories.disclosures(history.events)

        return [own if own is None else {one.name for one in own} for own in asyncio.run(read())]

    return opened


def test_fields_can_be_proved_where_they_were_sealed_with_digests(
    monkeypatch, ledger, issue, command, opened
):
    """None of a loss, which has no personal field; of an event from before digests nothing can be
    proved; after an erasure nothing is left to be."""
    number = issue()
    ledger.permits.report_loss(number, command(), date(2026, 11, 20))
    with monkeypatch.context() as before:
        before.setattr(envelope, "seal_disclosable", envelope.seal)
        old = issue()

    of_issue, of_loss = opened(number)
    assert {"identity.name", "residence.address", "guardian", "taken_over_from"} < of_issue
    assert of_loss == set()
    assert opened(old) == [None]
    order, until = Order("PIPL 47", "case-1"), date(2026, 12, 28)
    for one in (number, old):
        erase_by_two(ledger, ledger.permit(one).holder_id, order, until, command())
        assert {frozenset(own) for own in opened(one)} == {frozenset()}


def test_events_with_an_unusable_key_are_reported(admin, issue, history):
    """Each of them; their plain fields are still shown."""
    number = issue()
    admin.execute("UPDATE ledger.holders SET wrapped = 'no key'")

    [issued] = history(number).events

    assert (None, "officer-1") == (issued.event, issued.plain["actor"])
    assert "can't be opened" in issued.reason
    with pytest.raises(UnreadableEvent):
        history(number).known_by(LATER)


@pytest.mark.parametrize("state", [b"", b"[]", b'{"timestamp": "never"}', b'{"timestamp": 1}'])
def test_after_an_event_without_an_instant_what_was_known_is_unknown(
    issue, rewrite_log, ledger, command, history, state
):
    """From the event before it on."""
    number = issue()
    ledger.permits.report_loss(number, command(on=date(2026, 12, 1)))
    rewrite_log("UPDATE ledger.events SET state = %s WHERE position = 2", [state])

    found = history(number)

    assert found.events[1].recorded_at is None
    with pytest.raises(UnreadableEvent, match="ends before position 2"):
        found.known_by(found.events[0].recorded_at)


@pytest.fixture
def pages(database_url, ledger):
    """``pages(stream)``: the heads, and the versions and events of each page."""

    def pages(stream):
        async def read():
            async with read_pool(as_service(database_url), connections_max=1) as pool:
                keys = HolderKeys(keyring())
                histories = StreamHistories(pool, ledger.event_mapper, keys)
                return [page async for page in histories.pages(stream)]

        return asyncio.run(read())

    return pages


@pytest.mark.parametrize("page_events", [1, 2, 3, 4, 5])
def test_a_history_is_read_in_pages(
    monkeypatch, ledger, issue, command, history, pages, page_events
):
    """Each event once and in order, whatever fits into a page; the whole is made of the same."""
    number = issue()
    for _ in "12":
        ledger.permits.report_loss(number, command())
        ledger.permits.lift_loss(number, command())
    monkeypatch.setattr(module, "PAGE_EVENTS", page_events)

    found = pages(number)

    assert all(len(page.events) <= page_events for page in found)
    assert [1, 2, 3, 4, 5] == [one.version for page in found for one in page.events]
    assert {5} == {page.head for page in found}
    assert history(number).events == tuple(one for page in found for one in page.events)


def test_an_unknown_stream_has_one_page_without_events(pages):
    assert [()] == [page.events for page in pages("nobody")]


def test_the_number_of_events_that_are_held_is_bounded(
    monkeypatch, ledger, issue, command, history, pages
):
    """A longer history is readable in pages."""
    monkeypatch.setattr(module, "EVENTS_MAX", 2)
    number = issue()
    ledger.permits.report_loss(number, command())
    assert 2 == len(history(number).events)
    ledger.permits.lift_loss(number, command())

    with pytest.raises(Unavailable, match="more than 2 events"):
        history(number)
    assert 3 == sum(len(page.events) for page in pages(number))


def test_an_application_has_its_history_too(ledger, command, history):
    """Decoded as a permit's is; it is no permit's history."""
    counter = Counter(ledger)
    number = counter.accept(submission_of(), command())
    counter.go(number, "dispatch", command())
    counter.go(number, "send_back", command(), "照片不符")

    found = history(number)

    assert ["id-card.accepted.v1", "id-card.sent-to-hukou-police.v1", "id-card.returned.v1"] == [
        event.TOPIC for event in found.sound_events
    ]
    assert ("欧阳测试", "照片不符") == (
        found.sound_events[0].identity.name,
        found.sound_events[-1].reason,
    )
    assert [] == found.sound
    with pytest.raises(UnreadableEvent):
        assert found.holder_id


def test_a_history_is_sound_as_far_as_it_is_of_one_stream_type(
    ledger, issue, command, history, admin
):
    """An event of another stream type among a permit's ends its history."""
    number, counter = issue(), Counter(ledger)
    receipt = counter.accept(submission_of(), command())
    counter.go(receipt, "dispatch", command())
    admin.execute("ALTER TABLE ledger.events DISABLE TRIGGER USER")
    admin.execute(
        "UPDATE ledger.events SET stream = %s WHERE stream = %s AND version = 2", [number, receipt]
    )

    found = history(number)

    assert [1, 2] == [one.version for one in found.events]
    assert [PermitIssued] == [type(event) for event in found.sound_events]
