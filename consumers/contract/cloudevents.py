"""Encodes events as Kafka records and decodes them: CloudEvents 1.0 in binary mode.

The headers identify the event, the key is its stream, and the value has the event's plain facts as
JSON, as stored in the log. Personal facts are in no record, not even sealed; internal ones are
empty.
(CloudEvents 1.0.2 §2, Kafka Protocol Binding 1.0.2 §3.2)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import orjson
from kafka.record.default_records import DefaultRecordBatchBuilder

from domain.instants import NotAnInstant, instant_of
from domain.personal import parts
from domain.stream_types import EVENTS
from ledger.codec.mapper import SealedEvent
from ledger.eventlog.follow import POSITION_MAX
from ledger.eventlog.log import VERSION_MAX

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"
VALUE_BYTES_MAX = 256 * 1024
HEADER_BYTES_MAX = 1024
HEADERS_MAX = 32

UNREADABLE_TYPE = "permit-ledger.unreadable.v1"
"""The type of a placeholder for an unreadable event; its value is ``{}``. A reader has to
quarantine the subject, since its state is unknown."""

Header = tuple[str, bytes]

_INTERNAL = {event.TOPIC: internal for event in EVENTS if (internal := parts(event).internal)}
"""The internal fields of each type of event that has some."""

_SPECIFICATION: Header = ("ce_specversion", SPEC_VERSION.encode())
_JSON: Header = ("content-type", CONTENT_TYPE.encode())

_NUMBER = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class Outgoing(NamedTuple):
    """A record to be sent. ``value`` is ``None`` for a tombstone."""

    topic: str
    partition: int
    key: bytes
    value: bytes | None
    headers: list[Header]

    @property
    def size_bytes(self) -> int:
        """Upper bound of the record's size by itself, before compression."""
        size: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(
            self.key, self.value, self.headers
        )
        return size


class Record(Protocol):
    """The attributes of ``kafka.consumer.fetcher.ConsumerRecord`` that are used here."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event as it is published.

    ``position`` is its position in the log, 1, 2, 3 …: each occurs once over all partitions, and in
    order within one ``subject`` (a permit number). ``version`` is the event's number within its
    subject. ``time`` is when it was recorded (UTC, by the ledger's clock). ``fields`` are the plain
    facts as JSON values: dates and instants are ISO 8601 texts.
    """

    position: int
    type: str
    time: datetime
    subject: str
    version: int
    source: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A foreign or damaged record; ``reason`` is a sentence that does not quote it."""

    reason: str


class _Bad(Exception):
    def __init__(self, reason: str) -> None:
        self.reason = reason


def encode(position: int, event: SealedEvent, source: str) -> tuple[bytes, list[Header]]:
    """Return value and headers of a parsed, still sealed event; the record's key is its stream.

    Raises:
        KeyError: the event has no ``timestamp``.
    """
    stored = event.stored
    state = event.state
    if internal := _INTERNAL.get(stored.topic):
        state = {**state, **{name: type(state[name])() for name in internal if name in state}}
    return orjson.dumps(state), headers(
        position=position,
        event_type=stored.topic,
        source=source,
        subject=str(stored.originator_id),
        version=stored.originator_version,
        time=event.state["timestamp"],
    )


def headers(
    *, position: int, event_type: str, source: str, subject: str, version: int, time: str | None
) -> list[Header]:
    """Return the attributes; ``streamversion`` is an extension: :attr:`EventRecord.version`."""
    attributes = [
        _SPECIFICATION,
        ("ce_id", b"%d" % position),
        _header("ce_type", event_type),
        _header("ce_source", source),
        ("ce_subject", subject.encode()),
        ("ce_streamversion", b"%d" % version),
        _JSON,
    ]
    if time is not None:
        attributes.append(("ce_time", time.encode()))
    return attributes


@lru_cache(maxsize=256)
def _header(name: str, value: str) -> Header:
    """Cache equal headers."""
    return name, value.encode()


def decode(record: Record, *, types: Collection[str]) -> EventRecord | BadRecord:
    """Decode a record of an events topic; ``types`` are the types that the reader knows.

    Never raises for a record's content.
    """
    try:
        return _decoded(record, types)
    except _Bad as bad:
        return BadRecord(bad.reason)


def position_in(record: Record, source: str) -> int | None:
    """Return the position in a record's headers, if they name ``source`` as their source."""
    try:
        attributes = _attributes(record)
        if attributes.get("ce_source") != source:
            return None
        return _number(attributes, "ce_id", POSITION_MAX)
    except _Bad:
        return None


def same_event(one: Record, other: Record) -> bool:
    """Return whether both are records of the same event, even if written by different versions of
    this program: a later one may add headers, and may read events that an earlier one could not."""
    try:
        first, second = _attributes(one), _attributes(other)
    except _Bad:
        return False
    compared = ["ce_id", "ce_source", "ce_subject", "ce_streamversion"]
    if UNREADABLE_TYPE not in {first.get("ce_type"), second.get("ce_type")}:
        compared += ["ce_type", "ce_time"]
    return one.key == other.key and all(first.get(name) == second.get(name) for name in compared)


class Claimed(NamedTuple):
    """The event that a record claims to be, even if the record is damaged otherwise."""

    position: int
    version: int
    subject: str
    type: str


def claim_in(record: Record, source: str) -> Claimed | None:
    """Return what the headers claim, if they name ``source`` and the key is the subject."""
    try:
        attributes = _attributes(record)
        subject = attributes.get("ce_subject", "")
        if attributes.get("ce_source") != source or record.key != subject.encode():
            return None
        return Claimed(
            _number(attributes, "ce_id", POSITION_MAX),
            _number(attributes, "ce_streamversion", VERSION_MAX),
            subject,
            attributes.get("ce_type", ""),
        )
    except _Bad:
        return None


def _decoded(record: Record, types: Collection[str]) -> EventRecord:
    attributes = _attributes(record)
    if attributes.get("ce_specversion") != SPEC_VERSION:
        raise _Bad("it is no CloudEvent 1.0 in binary mode")
    position = _number(attributes, "ce_id", POSITION_MAX)
    version = _number(attributes, "ce_streamversion", VERSION_MAX)
    subject, event_type = attributes.get("ce_subject", ""), attributes.get("ce_type", "")
    if not _SUBJECT.fullmatch(subject):
        raise _Bad("ce_subject is missing or no stream's name")
    if record.key != subject.encode():
        raise _Bad("the key is not the subject")
    if not (source := attributes.get("ce_source")):
        raise _Bad("ce_source is missing")
    if event_type == UNREADABLE_TYPE:
        raise _Bad("the ledger itself can't read this event")
    if event_type not in types:
        raise _Bad("its type is unknown")
    fields = _fields(record.value)
    return EventRecord(position, event_type, _time(attributes), subject, version, source, fields)


def _attributes(record: Record) -> Mapping[str, str]:
    if len(record.headers) > HEADERS_MAX:
        raise _Bad("it has too many headers")
    attributes: dict[str, str] = {}
    for name, value in record.headers:
        if not name.startswith("ce_"):
            continue
        if name in attributes:
            raise _Bad("it has one attribute twice")
        if value is None or len(value) > HEADER_BYTES_MAX:
            raise _Bad("an attribute is empty or too long")
        try:
            attributes[name] = value.decode()
        except UnicodeDecodeError:
            raise _Bad("an attribute is not UTF-8") from None
    return attributes


def _number(attributes: Mapping[str, str], name: str, most: int) -> int:
    text = attributes.get(name, "")
    if not _NUMBER.fullmatch(text) or (number := int(text)) > most:
        raise _Bad(f"{name} is missing or no number that it could be")
    return number


def _time(attributes: Mapping[str, str]) -> datetime:
    try:
        return instant_of(attributes.get("ce_time", "")).astimezone(UTC)
    except (NotAnInstant, OverflowError):
        raise _Bad("ce_time is missing or no instant") from None


def _fields(value: bytes | None) -> dict[str, Any]:
    if value is None:
        raise _Bad("it has no value")
    if len(value) > VALUE_BYTES_MAX:
        raise _Bad("its value is too long")
    try:
        fields = orjson.loads(value)
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict):
        raise _Bad("its value is no JSON object")
    return fields
