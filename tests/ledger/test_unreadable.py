"""An event that cannot be trusted is not read, and its values are not in the error."""

import traceback
from dataclasses import replace
from datetime import UTC, date, datetime

import orjson
import pytest
from eventsourcing.persistence import StoredEvent

from domain.events import AddressChanged, PermitCancelled
from domain.person import Residence
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.errors import Corrupt, UnreadableEvent
from tests.ledger.sealing import KEY, read

SECRET = "蠡湖大道1号"


@pytest.fixture
def mapper():
    return EventMapper(OrjsonTranscoder())


@pytest.fixture
def good(mapper):
    """A move, as it is stored."""
    return mapper.to_stored_event(
        AddressChanged(
            originator_id="7Q2M9K4T8XW5",
            originator_version=2,
            timestamp=datetime(2026, 11, 23, 2, tzinfo=UTC),
            actor="officer-1",
            station=None,
            policy_version="wuxi-2026.1",
            correlation_id="request-1",
            residence=Residence("320211", SECRET),
            moved_on=date(2026, 11, 1),
            reported_late=False,
        ),
        KEY,
    )


@pytest.fixture
def changed(good):
    """``changed(field=value)``: the move with other contents; ``...`` leaves a field out."""

    def changed(**fields):
        state = {**orjson.loads(good.state), **fields}
        kept = {name: value for name, value in state.items() if value is not ...}
        return replace(good, state=orjson.dumps(kept))

    return changed


@pytest.fixture
def reason(mapper):
    """``reason(stored)``: the reason of the refusal; no line of the traceback contains the
    secret."""

    def reason(stored):
        with pytest.raises(UnreadableEvent) as refused:
            read(mapper, stored)
        assert isinstance(refused.value, Corrupt)
        assert SECRET not in "".join(traceback.format_exception(refused.value))
        return str(refused.value)

    return reason


def test_the_unchanged_event_is_readable(mapper, good, changed):
    """The other tests change one property of it each."""
    assert read(mapper, good) == read(mapper, changed())


@pytest.mark.parametrize(
    "topic", ["permit.address-changed.v2", "domain.events:AddressChanged", "permit", ""]
)
def test_an_unknown_topic_is_named(good, reason, topic):
    """Also one that a Python path or the aggregate would resolve."""
    assert f"version 2 of 7Q2M9K4T8XW5 has the unknown topic {topic}" == reason(
        replace(good, topic=topic)
    )


def test_another_events_state_is_refused(good, reason):
    """The topic determines the fields."""
    expected = "version 2 of 7Q2M9K4T8XW5 has unknown fields: moved_on, reported_late"
    expected += ", residence, sealed"
    assert expected == reason(replace(good, topic=PermitCancelled.TOPIC))


def test_unknown_fields_are_named(changed, reason):
    """A field of a later version is not dropped silently."""
    expected = "version 2 of 7Q2M9K4T8XW5 has unknown fields: floor, hint"
    assert expected == reason(changed(hint=SECRET, floor=SECRET))


@pytest.mark.parametrize("field", ["originator_id", "originator_version"])
def test_a_state_does_not_name_its_stream(changed, reason, field):
    """The log's columns do; a state cannot move an event to another permit."""
    expected = f"version 2 of 7Q2M9K4T8XW5 has unknown fields: {field}"
    assert expected == reason(changed(**{field: 1}))


def test_an_unknown_field_of_a_value_is_refused_as_well(changed, reason):
    """It is not dropped silently either."""
    residence = {"division": "320211", "floor": SECRET}
    expected = "version 2 of 7Q2M9K4T8XW5 can't be read: residence.floor"
    assert expected == reason(changed(residence=residence))


def test_missing_fields_are_named(changed, reason):
    """All of them, also inside a value."""
    expected = "version 2 of 7Q2M9K4T8XW5 can't be read: actor, moved_on, residence.division"
    assert expected == reason(changed(actor=..., moved_on=..., residence={}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("moved_on", SECRET),
        ("moved_on", "2026-02-29"),
        ("timestamp", SECRET),
        ("reported_late", SECRET),
        ("reported_late", None),
        ("residence.division", None),
        ("residence.division", [SECRET]),
        ("actor", 1),
        ("correlation_id", None),
        ("station", [SECRET]),
    ],
)
def test_a_wrong_type_is_named_by_its_field(changed, reason, field, value):
    """The field, never the value."""
    name, _, inner = field.partition(".")
    wrong = changed(**{name: {inner: value} if inner else value})
    assert f"version 2 of 7Q2M9K4T8XW5 can't be read: {field}" == reason(wrong)


def test_an_unknown_member_of_an_enumeration_is_refused(reason, good):
    """An unknown reason."""
    own = {"residence", "moved_on", "reported_late", "sealed"}
    stamp = {k: v for k, v in orjson.loads(good.state).items() if k not in own}
    state = orjson.dumps({**stamp, "reason": SECRET})

    expected = "version 2 of 7Q2M9K4T8XW5 can't be read: reason"
    assert expected == reason(replace(good, topic=PermitCancelled.TOPIC, state=state))


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"\xff\xfe",
        SECRET.encode(),
        b'{"residence": "' + SECRET.encode(),
        b'{"years": NaN}',
        b"[]",
        b"null",
        b"1",
        b'"' + SECRET.encode() + b'"',
    ],
)
def test_a_state_that_is_no_json_object_is_refused(reason, good, state):
    """Truncated, foreign or of another type."""
    expected = "version 2 of 7Q2M9K4T8XW5 does not hold a JSON object"
    assert expected == reason(replace(good, state=state))


def test_reading_a_permit_stops_at_an_unreadable_event(issue, ledger, raw_log):
    """A permit is folded from all of its events or not at all."""
    number = issue()
    raw_log.append_events([StoredEvent(number, 2, "permit.renamed.v1", b"{}")])

    with pytest.raises(UnreadableEvent, match="unknown topic"):
        ledger.permit(number)
