"""The events topics as a source: read committed, in a consumer group, from the sink's own marks.

Offsets are committed to the broker too, but only so that monitoring sees the group's lag; they are
never read. A record that is not an event of the ledger is recorded by its place and skipped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import structlog
from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from consumers.contract.cloudevents import BadRecord, decode
from consumers.contract.kinds import PARTITIONS, Kind
from consumers.kafka.brokers import Brokers
from consumers.kafka.client import StoppedReading, committed_reader
from ledger.database.retry import Backoff

from .batch import BATCH_EVENTS_MAX, Batch, BatchBuilder, Mark, Marks, UncountedRecord, seen
from .errors import OtherHistory
from .facts import Row, Unfit, row_of

GROUP = "permit-ledger-analytics"
GROUP_FILE = "consumer-group"
MEMBER = "sink"
"""The static id of the group's only member: after a kill it rejoins at once, without waiting for
the session of the killed process to time out."""
SESSION_TIMEOUT_MS = 15_000
POLL_MS = 1_000
FETCH_WAIT_MS = 2_000
"""The broker answers as soon as there is a record; while there is none, it is asked this often."""
SILENCE_S_MAX = 30
"""After so long without a record it is checked whether the client has stopped reading."""
ENDS_TIMEOUT_MS = 5_000
RECORD_BYTES_MAX = 1024 * 1024
"""Per partition and fetch; a larger record is fetched alone."""
FETCH_BYTES_MAX = 4 * 1024 * 1024

_log = structlog.get_logger(__name__)


class KafkaSource:
    """Reads the events topics of some kinds; opens its own consumer while it is iterated.

    Each sink has its own ``group``, since each reads all of the topics. A part is a partition,
    numbered consecutively across topics.
    """

    def __init__(self, brokers: Brokers, kinds: Sequence[Kind], group: str) -> None:
        self._brokers, self._group = brokers, group
        self._kinds = {kind.events_topic: kind for kind in kinds}
        self._first_parts = {topic: n * PARTITIONS for n, topic in enumerate(self._kinds)}
        self.name = f"topic {' and '.join(self._kinds)}"

    def batches(self, marks: Marks, stop: Event) -> Iterator[Batch]:
        """Yield batches after the marks, until ``stop`` is set.

        Raises:
            OtherHistory: a partition does not contain the event that its mark identifies.
        """
        yielded, pauses = dict(marks), Backoff(stop)
        while not stop.is_set():
            try:
                for batch in self._read(BatchBuilder(dict(yielded)), stop):
                    yielded.update(batch.marks)
                    yield batch
                    pauses.reset()
            except KafkaError as error:
                _log.warning("topic can't be read", error=type(error).__name__)
                pauses.pause()

    def _read(self, builder: BatchBuilder, stop: Event) -> Iterator[Batch]:
        consumer = committed_reader(
            self._brokers,
            group_id=self._group,
            group_instance_id=MEMBER,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            max_poll_records=BATCH_EVENTS_MAX,
            max_partition_fetch_bytes=RECORD_BYTES_MAX,
            fetch_max_bytes=FETCH_BYTES_MAX,
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )
        places = _Places(consumer, builder, self._part)
        try:
            consumer.subscribe(list(self._kinds), listener=places)
            heard_at = time.monotonic()
            while not stop.is_set():
                found = consumer.poll(timeout_ms=POLL_MS)
                if found:
                    heard_at = time.monotonic()
                elif time.monotonic() - heard_at > SILENCE_S_MAX:
                    _require_at_end(consumer)
                    heard_at = time.monotonic()
                for partition, records in found.items():
                    for record in records:
                        self._take(builder, places, self._part(partition), record)
                if builder.has_moved:
                    yield builder.batch()
                    self._commit_offsets(consumer, builder.marks)
        finally:
            with suppress(KafkaError):
                consumer.close(autocommit=False)

    def _take(self, builder: BatchBuilder, places: _Places, part: int, record: Any) -> None:
        mark = builder.mark(part)
        found = self._row(record)
        if (proof := places.unproved.pop(part, None)) is not None:
            if record.offset != proof.position_offset or _seen(found) != proof.seen:
                raise OtherHistory(f"Partition {part} holds something else than was read from it.")
            return
        if record.offset < (mark.position_offset or mark.next_offset):
            raise OtherHistory(f"Partition {part} starts again.")
        if record.offset < mark.next_offset:
            return  # was left out before
        if isinstance(found, str):
            builder.leave_out(UncountedRecord(part, record.offset, found))
        else:
            builder.take(part, record.offset, found)

    def _row(self, record: Any) -> Row | str:
        """Return a row, or the reason why there is none."""
        event = decode(record, types=self._kinds[record.topic].types)
        if isinstance(event, BadRecord):
            return event.reason
        try:
            return row_of(event)
        except Unfit as unfit:
            return str(unfit)

    def _commit_offsets(self, consumer: KafkaConsumer, marks: Mapping[int, Mark]) -> None:
        offsets = {
            partition: OffsetAndMetadata(marks[part].next_offset, "", -1)
            for partition in consumer.assignment()
            if (part := self._part(partition)) in marks
        }
        with suppress(KafkaError):
            consumer.commit_async(offsets)

    def _part(self, partition: TopicPartition) -> int:
        first: int = self._first_parts[partition.topic]
        return first + int(partition.partition)


def consumer_group(folder: Path) -> str:
    """Return the consumer group of the sink in this folder, which stays the same."""
    path = folder / GROUP_FILE
    try:
        return path.read_text("ascii")
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(f"{GROUP}.{uuid4().hex[:12]}", "ascii")
        return path.read_text("ascii")


def _require_at_end(consumer: KafkaConsumer) -> None:
    """Require that there is nothing to read.

    Raises:
        StoppedReading
        KafkaError
    """
    assigned = list(consumer.assignment())
    ends = consumer.end_offsets(assigned, timeout_ms=ENDS_TIMEOUT_MS) if assigned else {}
    if not assigned or any(
        consumer.position(each, timeout_ms=ENDS_TIMEOUT_MS) < ends[each] for each in assigned
    ):
        raise StoppedReading("the client has stopped reading")


class _Places(ConsumerRebalanceListener):  # type: ignore[misc]  # the library has no types
    """Seeks each newly assigned partition to its mark.

    Reading starts with the last event that was taken before; ``unproved`` has the marks whose event
    was not yet compared with it.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        builder: BatchBuilder,
        part_of: Callable[[TopicPartition], int],
    ) -> None:
        self._consumer, self._builder, self._part_of = consumer, builder, part_of
        self.unproved: dict[int, Mark] = {}

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        for partition in assigned:
            part = self._part_of(partition)
            mark = self._builder.mark(part)
            self.unproved.pop(part, None)
            if mark.position_offset is None:
                self._consumer.seek(partition, mark.next_offset)
            else:
                self._consumer.seek(partition, mark.position_offset)
                self.unproved[part] = mark

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        for partition in revoked:
            self.unproved.pop(self._part_of(partition), None)


def _seen(found: Row | str) -> str | None:
    return None if isinstance(found, str) else seen(found)
