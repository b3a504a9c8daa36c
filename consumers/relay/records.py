"""Pages of the log as records: each event, and what each permit in the page is after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from eventsourcing.persistence import Notification, StoredEvent
from kafka.partitioner.default import murmur2

from consumers.contract.cloudevents import (
    UNREADABLE_TYPE,
    VALUE_BYTES_MAX,
    Header,
    Outgoing,
    encode,
    headers,
)
from consumers.contract.kinds import PARTITIONS, Kind, kind_of
from consumers.contract.states import PERMITS_KEPT, EventRow, PermitStates
from domain.aggregate import DomainEvent
from domain.events import PermitEvent
from ledger.codec.mapper import EventMapper
from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.errors import UnreadableEvent

_STATE_HEADERS: list[Header] = [("content-type", b"application/json")]

_sql = Queries("consumers", "sql/relay.sql")


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction sends; ``last`` is the index of the record of the last event."""

    position: int
    records: Sequence[Outgoing]
    last: int


class _Wire(NamedTuple):
    value: bytes
    headers: list[Header]
    event: DomainEvent | None

    @property
    def of_permit(self) -> PermitEvent | None:
        """For whoever folds permits; no permit's stream has another kind's events."""
        return self.event if isinstance(self.event, PermitEvent) else None


class Preparer:
    """Owns nothing; ``connection`` is asked for permits that have to be folded anew."""

    def __init__(
        self,
        connection: Callable[[], Connection],
        mapper: EventMapper,
        kinds: Sequence[Kind],
        source: str,
        *,
        permits_kept: int = PERMITS_KEPT,
    ) -> None:
        self._connection = connection
        self._mapper = mapper
        self._kinds = kinds
        self._source = source
        self._states = PermitStates(self._earlier, permits_kept=permits_kept)

    def batch(self, page: Sequence[Notification]) -> Batch:
        """
        Raises:
            NoTopic: an event of a kind that has no topic.
        """
        records: list[Outgoing] = []
        told: list[EventRow] = []
        partitions: dict[str, int] = {}
        state_topics: dict[str, str] = {}
        for stored in page:
            stream = str(stored.originator_id)
            if (partition := partitions.get(stream)) is None:
                partition = partitions[stream] = partition_of(stream)
            kind = kind_of(stored.topic, self._kinds)
            wire = self._wire(stored.id, stored)
            key = stream.encode()
            records.append(Outgoing(kind.events_topic, partition, key, wire.value, wire.headers))
            if kind.state_topic and kind.has_permits:
                told.append(EventRow(stored.id, stream, stored.originator_version, wire.of_permit))
                state_topics[stream] = kind.state_topic
        last = len(records) - 1
        for stream, value in self._states.after(told).items():
            topic, partition = state_topics[stream], partitions[stream]
            records.append(Outgoing(topic, partition, stream.encode(), value, _STATE_HEADERS))
        return Batch(page[-1].id, records, last)

    def event_record(self, position: int, stored: StoredEvent) -> Outgoing:
        """The record of one event by itself."""
        stream = str(stored.originator_id)
        kind, wire = kind_of(stored.topic, self._kinds), self._wire(position, stored)
        return Outgoing(
            kind.events_topic, partition_of(stream), stream.encode(), wire.value, wire.headers
        )

    def _wire(self, position: int, stored: StoredEvent) -> _Wire:
        """The event for the wire, and read; a placeholder where it can't be, since what is personal
        in it can't be told from what is not."""
        try:
            parsed = self._mapper.parse(stored)
            value, told = encode(position, parsed, self._source)
            event = self._mapper.plain(parsed)
            if len(value) <= VALUE_BYTES_MAX:
                return _Wire(value, told, event)
        except (UnreadableEvent, KeyError, AttributeError):
            pass
        return _Wire(b"{}", self._placeholder(position, stored), None)

    def _placeholder(self, position: int, stored: StoredEvent) -> list[Header]:
        return headers(
            position=position,
            event_type=UNREADABLE_TYPE,
            source=self._source,
            subject=str(stored.originator_id),
            version=stored.originator_version,
            time=None,
        )

    def _earlier(
        self, streams: list[str], through: int
    ) -> Iterator[tuple[str, PermitEvent | None]]:
        rows = self._connection().execute(
            _sql.events_before, {"streams": streams, "through": through}, binary=True
        )
        for row in rows:
            position, stream, version, topic, state = cast("tuple[int, str, int, str, bytes]", row)
            stored = StoredEvent(stream, version, topic, state)
            yield stream, self._wire(position, stored).of_permit


def partition_of(key: str) -> int:
    """As Java's clients and this one's choose it by default (murmur2)."""
    digest: int = murmur2(key.encode())
    return (digest & 0x7FFFFFFF) % PARTITIONS
