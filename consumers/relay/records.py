"""Makes the topics' records from the log: each event, and each permit's state after it.

A page of the log becomes a :class:`Batch`, which is sent in one transaction. Making records takes
about as much processor time as sending them, so for a long backlog each is done in its own process.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from threading import Event
from typing import NamedTuple

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
from ledger.database.connections import Connection, connect
from ledger.database.named_sql import Queries
from ledger.errors import UnreadableEvent
from ledger.eventlog.follow import follow, notification
from ledger.processes.parent import exit_with_parent

STOP_POLL_S = 0.1
END_TIMEOUT_S = 2.0
GC_OBJECTS = 50_000
"""The default of 700 would run the collector while a batch's records are still in use."""

_STATE_HEADERS: list[Header] = [("content-type", b"application/json")]

_sql = Queries("consumers", "sql/relay.sql")


@dataclass(frozen=True, slots=True)
class Batch:
    """The records of one transaction; ``last`` is the index of the last event's record."""

    position: int
    records: Sequence[Outgoing]
    last: int


class RecordProcessEnded(Exception):
    """The process that makes batches has ended."""


@dataclass(frozen=True, slots=True)
class BatchSource:
    """Makes batches of the log, in this process or in another one; can be pickled."""

    database_url: str
    mapper: EventMapper
    kinds: Sequence[Kind]
    source: str
    application_name: str
    page_events_max: int

    def batches(self, after: int, ended: Event) -> Iterator[Batch]:
        """Yield batches from the event after position ``after``, until ``ended`` is set."""
        with ExitStack() as stack:
            connections: list[Connection] = []

            def connection() -> Connection:
                if not connections:
                    opened = connect(self.database_url, application_name=self.application_name)
                    connections.append(stack.enter_context(opened))
                return connections[0]

            maker = RecordMaker(connection, self.mapper, self.kinds, self.source)
            pages = follow(
                self.database_url, after=after, stop=ended, page_events_max=self.page_events_max
            )
            for page in pages:
                yield maker.batch(page)

    def batches_from_process(self, after: int, ended: Event) -> Iterator[Batch]:
        """Yield the same batches, made by another process, which ends with this one.

        Raises:
            RecordProcessEnded: the other process has ended.
        """
        context = get_context("spawn")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_send_batches, args=(self, after, sender), daemon=True)
        process.start()
        sender.close()
        try:
            while not ended.is_set():
                if not receiver.poll(STOP_POLL_S):
                    continue
                try:
                    received: Batch | Exception = receiver.recv()
                except (EOFError, OSError):
                    raise RecordProcessEnded from None
                if isinstance(received, Exception):
                    raise received
                yield received
        finally:
            receiver.close()
            process.terminate()
            process.join(END_TIMEOUT_S)
            process.kill()


def _send_batches(source: BatchSource, after: int, sender: Pipe) -> None:
    """Run the record process."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # sent to the whole process group; the relay ends this process
    exit_with_parent()
    gc.freeze()
    gc.set_threshold(GC_OBJECTS)
    try:
        for batch in source.batches(after, Event()):
            sender.send(batch)
    except Exception as error:  # noqa: BLE001  raised in the relay
        with suppress(OSError):  # the relay has ended
            sender.send(error)


class _Encoded(NamedTuple):
    value: bytes
    headers: list[Header]
    event: DomainEvent | None

    @property
    def permit_event(self) -> PermitEvent | None:
        """The event if it is a permit's, else ``None``."""
        return self.event if isinstance(self.event, PermitEvent) else None


class RecordMaker:
    """Makes records of events and of permits' states.

    ``connection`` opens a connection, to read the events of permits that are no longer kept.
    """

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
        self._states = PermitStates(self._events_before, permits_kept=permits_kept)

    def batch(self, page: Sequence[Notification]) -> Batch:
        """Make the records of a page.

        Raises:
            NoTopic: an event is of a kind that has no topic.
        """
        records: list[Outgoing] = []
        changes: list[EventRow] = []
        partitions: dict[str, int] = {}
        state_topics: dict[str, str] = {}
        for stored in page:
            stream = str(stored.originator_id)
            if (partition := partitions.get(stream)) is None:
                partition = partitions[stream] = partition_of(stream)
            kind = kind_of(stored.topic, self._kinds)
            encoded = self._encode(stored.id, stored)
            records.append(
                Outgoing(
                    kind.events_topic, partition, stream.encode(), encoded.value, encoded.headers
                )
            )
            if kind.state_topic and kind.has_permits:
                version = stored.originator_version
                changes.append(EventRow(stored.id, stream, version, encoded.permit_event))
                state_topics[stream] = kind.state_topic
        last = len(records) - 1
        for stream, value in self._states.after(changes).items():
            topic, partition = state_topics[stream], partitions[stream]
            records.append(Outgoing(topic, partition, stream.encode(), value, _STATE_HEADERS))
        return Batch(page[-1].id, records, last)

    def event_record(self, position: int, stored: StoredEvent) -> Outgoing:
        """Make the record of a single event."""
        stream = str(stored.originator_id)
        kind, encoded = kind_of(stored.topic, self._kinds), self._encode(position, stored)
        return Outgoing(
            kind.events_topic,
            partition_of(stream),
            stream.encode(),
            encoded.value,
            encoded.headers,
        )

    def _encode(self, position: int, stored: StoredEvent) -> _Encoded:
        """Encode an event; an unreadable one becomes a placeholder, since it is unknown which of
        its fields are personal."""
        try:
            parsed = self._mapper.parse(stored)
            value, event_headers = encode(position, parsed, self._source)
            event = self._mapper.plain(parsed)
            if len(value) <= VALUE_BYTES_MAX:
                return _Encoded(value, event_headers, event)
        except (UnreadableEvent, KeyError, AttributeError):
            pass
        return _Encoded(b"{}", self._placeholder(position, stored), None)

    def _placeholder(self, position: int, stored: StoredEvent) -> list[Header]:
        return headers(
            position=position,
            event_type=UNREADABLE_TYPE,
            source=self._source,
            subject=str(stored.originator_id),
            version=stored.originator_version,
            time=None,
        )

    def _events_before(
        self, streams: list[str], through: int
    ) -> Iterator[tuple[str, PermitEvent | None]]:
        found = self._connection().execute(
            _sql.events_before, {"streams": streams, "through": through}, binary=True
        )
        for stored in map(notification, found):
            yield str(stored.originator_id), self._encode(stored.id, stored).permit_event


def partition_of(key: str) -> int:
    """Return the partition that Kafka's Java and Python clients choose by default (murmur2)."""
    digest: int = murmur2(key.encode())
    return (digest & 0x7FFFFFFF) % PARTITIONS
