"""Events on the wire: what a record says, what it never says, and which records are refused."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from eventsourcing.persistence import StoredEvent

from consumers.contract.cloudevents import (
    HEADERS_MAX,
    UNREADABLE_TYPE,
    VALUE_BYTES_MAX,
    BadRecord,
    EventRecord,
    decode,
    encode,
    headers,
    position_in,
    same_event,
)
from consumers.contract.kinds import KINDS, PERMITS, kind_of
from consumers.errors import NoTopic
from domain.personal import parts
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from tests.ledger.golden_files import golden_bytes, topic_of, version_of

GOLDEN = Path(__file__).parents[1] / "ledger" / "golden"
FILES = sorted(GOLDEN.glob("*.json"))
SOURCE = "https://localhost/permit-ledger"
PERMIT_NUMBER = "7Q2M9K4T8XW5"


@dataclass
class FakeRecord:
    key: bytes | None = PERMIT_NUMBER.encode()
    value: bytes | None = b"{}"
    headers: list = field(
        default_factory=lambda: headers(
            position=7,
            event_type="permit.endorsed.v1",
            source=SOURCE,
            subject=PERMIT_NUMBER,
            version=2,
            time="2026-11-23T02:00:00+00:00",
        )
    )


@pytest.fixture(scope="module")
def mapper():
    return EventMapper(OrjsonTranscoder())


def stored_in(file):
    topic = topic_of(file)
    return StoredEvent(PERMIT_NUMBER, version_of(topic), topic, golden_bytes(file))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_event_reads_the_same_from_its_record_as_from_the_log_without_its_key(file, mapper):
    stored = stored_in(file)
    value, told = encode(7, mapper.parse(stored), SOURCE)

    types = kind_of(topic_of(file)).types
    decoded = decode(FakeRecord(value=value, headers=told), types=types)

    assert isinstance(decoded, EventRecord)
    from_log = StoredEvent(decoded.subject, decoded.version, decoded.type, b"")
    expected = mapper.plain(mapper.parse(stored))
    for name in parts(type(expected)).internal:
        object.__setattr__(expected, name, type(getattr(expected, name))())
    assert expected == mapper.from_plain(from_log, decoded.fields)
    assert (7, stored.topic, SOURCE) == (decoded.position, decoded.type, decoded.source)
    assert expected.timestamp == decoded.time


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_neither_what_is_personal_nor_its_seal_is_in_a_record(file, mapper):
    stored = stored_in(file)
    box = orjson.loads(stored.state).get("sealed", {}).get("box", "no such text")

    value, told = encode(7, mapper.parse(stored), SOURCE)

    whole = value + b"".join(content for _, content in told)
    assert b"sealed" not in value
    assert box.encode() not in whole


@pytest.mark.parametrize(
    "file", [file for file in FILES if "holder-" in file.stem], ids=lambda file: file.stem
)
def test_the_case_and_the_approvals_of_a_measure_are_not_published(file, mapper):
    """They name officers and proceedings; the fields stay, empty, as their schemas require."""
    stored = stored_in(file)
    state = orjson.loads(stored.state)
    assert state["case"]

    value = orjson.loads(encode(7, mapper.parse(stored), SOURCE)[0])

    assert "" == value["case"]
    assert not value.get("approvals")
    assert {*state} - {"sealed"} <= {*value}


def test_every_type_of_the_log_has_a_topic(mapper):
    assert mapper.topics == frozenset().union(*(kind.types for kind in KINDS))
    assert {kind_of(topic) for topic in mapper.topics} == set(KINDS)
    with pytest.raises(NoTopic):
        kind_of("fishing-licence.issued.v1")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"value": b"{not json"}, "no JSON object"),
        ({"value": b"[]"}, "no JSON object"),
        ({"value": None}, "no value"),
        ({"value": b" " * (VALUE_BYTES_MAX + 1)}, "too long"),
        ({"key": b"SOMEBODYELSE"}, "key is not the subject"),
        ({"key": None}, "key is not the subject"),
        ({"headers": []}, "no CloudEvent"),
        ({"headers": [("ce_x", b"1")] * (HEADERS_MAX + 1)}, "too many headers"),
        ({"headers": [("ce_id", b"1"), ("ce_id", b"2")]}, "twice"),
        ({"headers": [("ce_id", b"\xff")]}, "not UTF-8"),
        ({"headers": [("ce_id", None)]}, "empty or too long"),
        ({"headers": [("ce_id", b"1" * 1025)]}, "empty or too long"),
        ({"ce_specversion": b"0.3"}, "no CloudEvent"),
        ({"ce_id": b"0"}, "ce_id"),
        ({"ce_id": b"-1"}, "ce_id"),
        ({"ce_id": "٧".encode()}, "ce_id"),
        ({"ce_id": b"9999999999999999999"}, "ce_id"),
        ({"ce_streamversion": b"2147483648"}, "ce_streamversion"),
        ({"ce_type": b"permit.sold.v1"}, "type is unknown"),
        ({"ce_type": UNREADABLE_TYPE.encode()}, "ledger itself"),
        ({"ce_source": b""}, "ce_source"),
        ({"ce_subject": b"a b"}, "ce_subject"),
        ({"ce_time": b"yesterday"}, "ce_time"),
        ({"ce_time": b"2026-11-23T02:00:00"}, "ce_time"),
        ({"ce_time": b"0001-01-01T00:00:00+10:00"}, "ce_time"),
    ],
)
def test_a_strangers_record_is_told_and_not_raised(changes, reason):
    record = FakeRecord()
    for name, value in changes.items():
        if name.startswith("ce_"):
            record.headers = [*((n, v) for n, v in record.headers if n != name), (name, value)]
        else:
            setattr(record, name, value)

    bad = decode(record, types=PERMITS.types)

    assert isinstance(bad, BadRecord)
    assert reason in bad.reason


def test_other_headers_do_not_matter():
    record = FakeRecord()
    record.headers.append(("traceparent", b"\xff\x00"))

    decoded = decode(record, types=PERMITS.types)

    assert isinstance(decoded, EventRecord)
    assert datetime(2026, 11, 23, 2, tzinfo=UTC) == decoded.time


def altered(**attributes):
    """The record with these attributes, ``None`` for one that is left out."""
    record = FakeRecord()
    kept = [(n, v) for n, v in record.headers if n not in attributes]
    record.headers = [*kept, *((n, v) for n, v in attributes.items() if v is not None)]
    return record


@pytest.mark.parametrize(
    "other",
    [
        FakeRecord(),
        FakeRecord(value=b"other words"),
        altered(ce_added=b"later"),
        altered(ce_type=UNREADABLE_TYPE.encode(), ce_time=None),
    ],
    ids=["the same", "its value", "a header of a newer version", "unreadable at the time"],
)
def test_records_of_the_same_event(other):
    assert same_event(FakeRecord(), other)
    assert same_event(other, FakeRecord())


@pytest.mark.parametrize(
    "other",
    [
        FakeRecord(key=b"SOMEBODYELSE"),
        FakeRecord(headers=[]),
        FakeRecord(headers=[("ce_id", b"\xff")]),
        altered(ce_id=b"8"),
        altered(ce_source=b"https://elsewhere/ledger"),
        altered(ce_subject=b"SOMEBODYELSE"),
        altered(ce_streamversion=b"3"),
        altered(ce_type=b"permit.voided.v1"),
        altered(ce_time=b"2026-11-23T02:00:01+00:00"),
        altered(ce_type=UNREADABLE_TYPE.encode(), ce_streamversion=b"3"),
    ],
)
def test_records_of_another_event(other):
    """A log that was restored and went on has another event at the same position."""
    assert not same_event(FakeRecord(), other)
    assert not same_event(other, FakeRecord())


def test_a_position_counts_only_where_it_comes_from_this_ledger():
    assert 7 == position_in(FakeRecord(), SOURCE)
    assert position_in(FakeRecord(), "https://elsewhere/ledger") is None
    assert position_in(FakeRecord(headers=[]), SOURCE) is None
