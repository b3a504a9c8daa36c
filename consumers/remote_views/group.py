"""A worker's membership of the consumer group: its assigned partitions, and its claims on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import Any

import structlog
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import OffsetSpec
from kafka.consumer.fetcher import ConsumerRecord
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

from consumers.contract.heartbeats import Heartbeat
from consumers.contract.topics import topic_id
from consumers.kafka.client import StoppedReading
from ledger.database.connections import Connection
from projections.remote.source import (
    CLOCKS_APART_MAX_S,
    Claim,
    claim,
    clock,
    record_end,
    remote_state,
)
from projections.remote.views import RemoteViewWriter

from .decoder import RecordDecoder

POLL_MS = 200
POSITION_TIMEOUT_MS = 1_000
ASK_EVERY_S = 1.0
"""How often the partitions' end offsets are requested."""
STUCK_S = 60
"""Longer than the brokers keep a transaction open, behind which nothing is delivered."""

_log = structlog.get_logger(__name__)


class TopicChanged(Exception):
    """The topic was deleted and created again: its offsets have changed."""


@dataclass(slots=True)
class _Target:
    """A partition's end at ``asked_at``. Once it is reached, the rows reflect everything recorded
    by ``true_at``; ``None`` if that is unknown."""

    asked_at: datetime
    true_at: datetime | None
    end: int
    read: int
    """The next offset to read when it was asked."""


class _Assignments(ConsumerRebalanceListener):  # type: ignore[misc]  # untyped
    """Only sets a flag: the client calls it on its own loop, which must not block, and from another
    thread; setting a flag is atomic."""

    def __init__(self) -> None:
        self.changed = False

    def on_partitions_assigned(self, _assigned: Iterable[TopicPartition]) -> None:
        self.changed = True

    def on_partitions_revoked(self, _revoked: Iterable[TopicPartition]) -> None:
        self.changed = True


class GroupMember:
    """One membership of the group, until something fails."""

    def __init__(
        self,
        topic: str,
        of_topic: str,
        connection: Connection,
        consumer: KafkaConsumer,
        admin: KafkaAdminClient,
        decoder: RecordDecoder,
        views: RemoteViewWriter,
        heartbeat: Callable[[], Heartbeat | None],
    ) -> None:
        """``of_topic`` is the topic's id as the database has recorded it; ``heartbeat`` returns the
        ledger's newest one."""
        self._topic = topic
        self._of_topic = of_topic
        self._decoder = decoder
        self._views = views
        self._heartbeat = heartbeat
        self._connection = connection
        self._consumer = consumer
        self._admin = admin
        self._claims: dict[int, Claim] = {}
        self._targets: dict[int, _Target] = {}
        self._assignments = _Assignments()
        self._asked_at: datetime | None = None
        self._looked_s = time.monotonic()

    def run(self, stop: Event, went_well: Callable[[], None]) -> None:
        """Read and write until ``stop`` is set; call ``went_well`` after each round.

        Raises:
            Fenced, TopicChanged, KafkaError, Unavailable, psycopg.Error: join again.
        """
        self._consumer.subscribe([self._topic], listener=self._assignments)
        while not stop.is_set():
            records = self._poll()
            if self._assignments.changed:
                self._claim()  # the records of this poll are read again from there
                continue
            self._apply(records)
            self._check_ends()
            went_well()

    def _poll(self) -> list[ConsumerRecord]:
        """Poll records; only from the offsets of claims, since the group has none."""
        try:
            polled = self._consumer.poll(timeout_ms=POLL_MS)
        except (NoOffsetForPartitionError, OffsetOutOfRangeError):
            if self._assignments.changed:
                return []
            raise
        return [record for records in polled.values() for record in records]

    def _claim(self) -> None:
        """Claim all assigned partitions, so that each is read again from its row's offset.

        A change after the flag was reset sets it again.
        """
        self._assignments.changed = False
        self._looked_s = time.monotonic()
        numbers = {each.partition for each in self._consumer.assignment()}
        self._targets.clear()
        self._claims = {each.partition: each for each in claim(self._connection, numbers)}
        for number, claimed in self._claims.items():
            partition = TopicPartition(self._topic, number)
            self._consumer.seek(partition, claimed.next_offset)
        _log.info("partitions claimed", partitions=len(self._claims))

    def _apply(self, records: Sequence[ConsumerRecord]) -> None:
        mine = [record for record in records if record.partition in self._claims]
        if not mine:
            return
        if topic_id(self._admin, self._topic) != self._of_topic:
            raise TopicChanged
        batch = [self._decoder.decode(record) for record in mine]
        epochs = {each.partition: self._claims[each.partition].epoch for each in batch}
        self._views.apply(self._connection, epochs, batch)

    def _check_ends(self) -> None:
        """Request the partitions' ends at intervals, and record which of them have been reached.

        Records of open transactions count too, since committed records after them are not delivered
        yet. The heartbeat is read first, so that everything it covers is before the ends.
        """
        if not self._claims:
            self._require_readers()
            return
        now = clock(self._connection)
        if self._asked_at is None or (now - self._asked_at).total_seconds() >= ASK_EVERY_S:
            self._asked_at = now
            self._ask(now, true_as_of(self._heartbeat(), now))
        self._record_reached()

    def _require_readers(self) -> None:
        """Require that other members read all partitions, since this one has none: the client does
        not join again if the topic was made while the group assigned its partitions.

        Raises:
            StoppedReading
        """
        if time.monotonic() - self._looked_s < STUCK_S:
            return
        self._looked_s = time.monotonic()
        asked = [each.asked_ago_s for each in remote_state(self._connection).partitions]
        if any(ago_s is None or ago_s > STUCK_S for ago_s in asked):
            raise StoppedReading

    def _ask(self, now: datetime, true_at: datetime | None) -> None:
        asked = {TopicPartition(self._topic, number): OffsetSpec.LATEST for number in self._claims}
        found: Any = self._admin.list_partition_offsets(asked, isolation_level="read_uncommitted")
        for partition, end in found.items():
            number = partition.partition
            read = self._read(number)
            if read is None:
                continue
            target = self._targets.get(number)
            if target is None or read >= target.end:
                self._targets[number] = _Target(now, true_at, end.offset, read)
            elif read == target.read and (now - target.asked_at).total_seconds() > STUCK_S:
                raise StoppedReading
            record_end(self._connection, self._claims[number], now, max(end.offset - read, 0), None)

    def _record_reached(self) -> None:
        for number, target in list(self._targets.items()):
            read = self._read(number)
            if read is not None and read >= target.end:
                del self._targets[number]
                record_end(
                    self._connection, self._claims[number], target.asked_at, 0, target.true_at
                )

    def _read(self, number: int) -> int | None:
        """Return the next offset to read, past transaction markers. The wait is bounded, since
        during a rebalance, which only a poll continues, the client would wait for ever."""
        if self._assignments.changed:
            return None
        position: int | None = self._consumer.position(
            TopicPartition(self._topic, number), timeout_ms=POSITION_TIMEOUT_MS
        )
        return position


def true_as_of(heartbeat: Heartbeat | None, now: datetime) -> datetime | None:
    """Return the instant that a heartbeat states, by the two databases' clocks; ``None`` if the
    clocks disagree too much."""
    if heartbeat is None:
        return None
    ahead_s = (heartbeat.at - now).total_seconds()
    if ahead_s > CLOCKS_APART_MAX_S:
        _log.warning("clocks disagree", ahead_s=round(ahead_s))
        return None
    return min(heartbeat.at, now)
