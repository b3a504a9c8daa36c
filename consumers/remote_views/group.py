"""One worker's membership of the group: what it is assigned, what of it is its own to write."""

from __future__ import annotations

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
from ledger.database.connections import Connection
from projections.remote.feed import CLOCKS_APART_MAX_S, Claim, claim, clock, tell_end
from projections.remote.views import RemoteViewWriter

from .decoder import RecordTaker

POLL_MS = 200
POSITION_TIMEOUT_MS = 1_000
ASK_EVERY_S = 1.0
"""How often the broker is asked where the partitions end."""

_log = structlog.get_logger(__name__)


class TopicChanged(Exception):
    """It was deleted and made again: offsets are others now."""


@dataclass(slots=True)
class _Target:
    """Where a partition ended at ``asked_at``. Once that is read, all that the ledger had recorded
    at ``true_at`` is in the rows; ``None``: nobody knows how much that is."""

    asked_at: datetime
    true_at: datetime | None
    end: int


class _Assignments(ConsumerRebalanceListener):  # type: ignore[misc]  # untyped
    """Only keeps that something has changed: it is called on the client's own loop, which must not
    wait, and by another thread, to which setting a flag is one step."""

    def __init__(self) -> None:
        self.changed = False

    def on_partitions_assigned(self, _assigned: Iterable[TopicPartition]) -> None:
        self.changed = True

    def on_partitions_revoked(self, _revoked: Iterable[TopicPartition]) -> None:
        self.changed = True


class Feeding:
    """One membership of the group, until something fails."""

    def __init__(
        self,
        topic: str,
        of_topic: str,
        connection: Connection,
        consumer: KafkaConsumer,
        admin: KafkaAdminClient,
        taker: RecordTaker,
        views: RemoteViewWriter,
        heartbeat: Callable[[], Heartbeat | None],
    ) -> None:
        """``of_topic`` is the topic's id, as the database has it by now; ``heartbeat`` tells the
        newest of the ledger."""
        self._topic = topic
        self._of_topic = of_topic
        self._taker = taker
        self._views = views
        self._heartbeat = heartbeat
        self._connection = connection
        self._consumer = consumer
        self._admin = admin
        self._claims: dict[int, Claim] = {}
        self._targets: dict[int, _Target] = {}
        self._assignments = _Assignments()
        self._asked_at: datetime | None = None

    def run(self, stop: Event, went_well: Callable[[], None]) -> None:
        """Until asked to stop; ``went_well`` is called after each round.

        Raises:
            Fenced, TopicChanged, KafkaError, Unavailable, psycopg.Error: begin anew.
        """
        self._consumer.subscribe([self._topic], listener=self._assignments)
        while not stop.is_set():
            records = self._poll()
            if self._assignments.changed:
                self._claim()  # and what was polled of them meanwhile is polled again from there
                continue
            self._apply(records)
            self._look_at_ends()
            went_well()

    def _poll(self) -> list[ConsumerRecord]:
        """Nothing is read from anywhere but where a claim says: the group has no offsets."""
        try:
            polled = self._consumer.poll(timeout_ms=POLL_MS)
        except (NoOffsetForPartitionError, OffsetOutOfRangeError):
            if self._assignments.changed:
                return []
            raise
        return [record for records in polled.values() for record in records]

    def _claim(self) -> None:
        """All that are assigned, so that whatever was polled of any is read again from its row.

        What changes once the flag is down raises it again.
        """
        self._assignments.changed = False
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
        batch = [self._taker.take(record) for record in mine]
        epochs = {each.partition: self._claims[each.partition].epoch for each in batch}
        self._views.apply(self._connection, epochs, batch)

    def _look_at_ends(self) -> None:
        """Ask where the partitions end, now and then; and see whether what was told is reached.

        All records count, those of transactions that are still open too: behind one, records that
        were committed are not shown yet. The heartbeat is looked at first, so that everything it
        speaks of lies before the ends.
        """
        if not self._claims:
            return
        now = clock(self._connection)
        if self._asked_at is None or (now - self._asked_at).total_seconds() >= ASK_EVERY_S:
            self._asked_at = now
            self._ask(now, _true_at(self._heartbeat(), now))
        self._tell()

    def _ask(self, now: datetime, true_at: datetime | None) -> None:
        asked = {TopicPartition(self._topic, number): OffsetSpec.LATEST for number in self._claims}
        found: Any = self._admin.list_partition_offsets(asked, isolation_level="read_uncommitted")
        for partition, told in found.items():
            number = partition.partition
            read = self._read(number)
            if read is None:
                continue
            target = self._targets.get(number)
            if target is None or read >= target.end:
                self._targets[number] = _Target(now, true_at, told.offset)
            tell_end(self._connection, self._claims[number], now, max(told.offset - read, 0), None)

    def _tell(self) -> None:
        for number, target in list(self._targets.items()):
            read = self._read(number)
            if read is not None and read >= target.end:
                del self._targets[number]
                tell_end(self._connection, self._claims[number], target.asked_at, 0, target.true_at)

    def _read(self, number: int) -> int | None:
        """The offset that is read next, past markers of transactions. Without a bound the client
        would wait for it for ever in the middle of a rebalance, which goes on in a poll alone."""
        if self._assignments.changed:
            return None
        position: int | None = self._consumer.position(
            TopicPartition(self._topic, number), timeout_ms=POSITION_TIMEOUT_MS
        )
        return position


def _true_at(heartbeat: Heartbeat | None, now: datetime) -> datetime | None:
    """The instant that a heartbeat speaks of, by the two databases' clocks; ``None`` where they
    can't both be right."""
    if heartbeat is None:
        return None
    ahead_s = (heartbeat.at - now).total_seconds()
    if ahead_s > CLOCKS_APART_MAX_S:
        _log.warning("clocks disagree", ahead_s=round(ahead_s))
        return None
    return min(heartbeat.at, now)
