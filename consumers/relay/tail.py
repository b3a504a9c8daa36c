"""The topics' tail: the last of the log's events that was committed to them.

It is read with ``read_committed``, from the end. The end of a partition is rarely an event: after
the last one there may be transaction markers, aborted records and records of other producers. So a
window before the end is read, then larger ones, until one contains a record of this ledger or the
start of the partition is reached.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Event

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import OffsetSpec
from kafka.consumer.fetcher import ConsumerRecord

from consumers.contract.cloudevents import position_in
from consumers.contract.kinds import PARTITIONS
from consumers.kafka.client import partitions

SETTLE_TIMEOUT_S = 60.0
"""How long to wait for an open transaction on the topics, which can't be the relay's own."""
READ_TIMEOUT_S = 60.0
POLL_MS = 500
WINDOW_FIRST = 64
WINDOW_GROWTH = 8
SETTLE_POLL_S = 0.2


class TailUnsettled(Exception):
    """The topics' ends can't be read at the moment."""


@dataclass(frozen=True, slots=True)
class Tail:
    """``last`` is this ledger's record with the highest position; ``None`` if there is none.

    ``ends`` are the offsets after each partition's last record, including markers. ``began_later``:
    retention has deleted the first records of some partition.
    """

    position: int | None
    last: ConsumerRecord | None
    ends: Mapping[TopicPartition, int]
    began_later: bool


def read_tail(
    reader: KafkaConsumer,
    admin: KafkaAdminClient,
    events_topics: Iterable[str],
    state_topics: Iterable[str],
    source: str,
    stop: Event,
) -> Tail:
    """Read the tail of ``events_topics``; of ``state_topics`` only the ends.

    Call it when no other relay can send any more (after ``init_transactions``).

    Raises:
        TailUnsettled, KafkaError: try again.
    """
    events = [each for topic in events_topics for each in partitions(topic, PARTITIONS)]
    states = [each for topic in state_topics for each in partitions(topic, PARTITIONS)]
    begins = _offsets(admin, events, OffsetSpec.EARLIEST, "read_uncommitted")
    ends = _settled_ends(admin, events + states, stop)
    last: ConsumerRecord | None = None
    position: int | None = None
    for partition in events:
        found = _last_in(reader, partition, begins[partition], ends[partition], source)
        if found and (position is None or found[0] > position):
            position, last = found
    return Tail(position, last, ends, any(begins.values()))


def _settled_ends(
    admin: KafkaAdminClient, of: list[TopicPartition], stop: Event
) -> dict[TopicPartition, int]:
    """Return the ends once no transaction is open: until then, committed records after open ones
    are not visible."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    while True:
        all_records = _offsets(admin, of, OffsetSpec.LATEST, "read_uncommitted")
        committed = _offsets(admin, of, OffsetSpec.LATEST, "read_committed")
        if all(committed[each] >= all_records[each] for each in of):
            return committed
        if time.monotonic() > deadline or stop.wait(SETTLE_POLL_S):
            raise TailUnsettled("a transaction is open on the topics, and it is not the relay's")


def _offsets(
    admin: KafkaAdminClient, of: list[TopicPartition], which: OffsetSpec, isolation: str
) -> dict[TopicPartition, int]:
    """Read offsets by the admin client, since a consumer omits topics that it does not know yet."""
    found = admin.list_partition_offsets(dict.fromkeys(of, which), isolation_level=isolation)
    return {each: found[each].offset for each in of}


def _last_in(
    reader: KafkaConsumer, partition: TopicPartition, begin: int, end: int, source: str
) -> tuple[int, ConsumerRecord] | None:
    window, until = WINDOW_FIRST, end
    while until > begin:
        start = max(begin, until - window)
        if found := _last_between(reader, partition, start, until, source):
            return found
        window, until = window * WINDOW_GROWTH, start
    return None


def _last_between(
    reader: KafkaConsumer, partition: TopicPartition, start: int, until: int, source: str
) -> tuple[int, ConsumerRecord] | None:
    """Return this ledger's last record from ``start`` to before ``until``."""
    reader.assign([partition])
    reader.seek(partition, start)
    deadline = time.monotonic() + READ_TIMEOUT_S
    found: tuple[int, ConsumerRecord] | None = None
    while reader.position(partition) < until:
        for record in reader.poll(timeout_ms=POLL_MS).get(partition, []):
            if record.offset < until and (position := position_in(record, source)) is not None:
                found = (position, record)
        if time.monotonic() > deadline:
            raise TailUnsettled(f"partition {partition.partition} of {partition.topic} is silent")
    return found
