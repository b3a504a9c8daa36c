"""The relay: publishes the log to Kafka, every event exactly once and each permit's in order.

One relay leads; the lease keeps relays from disturbing each other. Kafka guarantees that nothing is
sent twice: a stable transactional id fences every older relay, and the position to continue from is
read from the topics themselves. After any error the relay starts again from there.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from threading import Event

import psycopg
import structlog
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.errors import KafkaError

from consumers.contract.cloudevents import Outgoing, same_event
from consumers.contract.heartbeats import EVERY_S, Heartbeat, Pulse
from consumers.contract.heartbeats import TOPIC as HEARTBEATS_TOPIC
from consumers.contract.kinds import Kind
from consumers.contract.topics import HEARTBEATS, make, missing, require_fit, topics_of
from consumers.errors import RecordTooLarge, Refused, RelayStopped, TopicLost
from consumers.kafka.brokers import Brokers
from consumers.kafka.client import committed_reader
from consumers.kafka.client import connection as client_options
from ledger.codec.mapper import EventMapper
from ledger.database.connections import Connection
from ledger.database.leader import Lease, run_as_leader
from ledger.database.retry import Backoff, Outage
from ledger.errors import Corrupt
from ledger.eventlog.prefetch import prefetched

from .cursor import RelayRow
from .producer import BATCH_BYTES, TooLarge, Transactions
from .records import Batch, BatchSource, RecordMaker
from .refusals import refusal_in
from .resume import TRANSACTION_EVENTS_MAX, last_sent
from .tail import Tail, read_tail

APPLICATION_NAME = "permit-ledger relay"
LEASE = Lease(lock=0x6B61666B, application_name=APPLICATION_NAME, poll_s=0.5)  # "kafk"
STOPPED_S = 10.0
"""Time between checks whether an operator has removed the cause of a stop."""
REFUSALS_COUNTED_MAX = 4
"""The pause doubles with each consecutive refusal, up to this many: 16 times as long."""
RECORD_PROCESS_EVENTS_MIN = 5_000
"""The backlog from which a record process pays off; it takes a second to start."""
HUNG_COMMITS_MAX = 10
READER_BYTES_MAX = 1024 * 1024

_log = structlog.get_logger(__name__)


class Relay:
    """``source`` is the ledger's own URI, in every event; ``topic_prefix`` is the prefix of topics
    and transactional ids."""

    def __init__(
        self,
        database_url: str,
        brokers: Brokers,
        mapper: EventMapper,
        kinds: Sequence[Kind],
        source: str,
        stop: Event,
        *,
        topic_prefix: str = "",
        stopped_s: float = STOPPED_S,
        heartbeat_s: float = EVERY_S,
    ) -> None:
        self._database_url = database_url
        self._brokers = brokers
        self._kinds = kinds
        self._batches = BatchSource(
            database_url, mapper, kinds, source, APPLICATION_NAME, TRANSACTION_EVENTS_MAX
        )
        self._source = source
        self._stop = stop
        self._transactional_id = f"{topic_prefix}permit-ledger-relay"
        self._heartbeats = topic_prefix + HEARTBEATS_TOPIC
        self._topics = {**topics_of(kinds), self._heartbeats: HEARTBEATS}
        self._stopped_s = stopped_s
        self._heartbeat_s = heartbeat_s
        self._pauses = Backoff(stop)
        self._refused: Refused | None = None
        """The brokers' last refusal, until a transaction is committed."""
        self._refusals = 0

    def run(self) -> None:
        """Publish until ``stop`` is set."""
        run_as_leader(self._database_url, LEASE, self._attempt, self._stop)

    def _attempt(self, connection: Connection, outage: Outage) -> None:
        """Relay until an error; after an error for the operator, report it and pause."""
        outage.is_over()
        row = RelayRow(connection)
        try:
            self._relay(row)
        except Refused as refused:
            self._refuse(row, refused)
        except (RelayStopped, Corrupt) as stopped:
            self._stay_stopped(row, str(stopped))
        except psycopg.Error:
            raise
        except Exception as error:  # noqa: BLE001  the client's state cannot be trusted after it
            if (found := refusal_in(error)) is not None:
                self._refuse(row, found)
                return
            _log.warning("relay starts again", error=type(error).__name__, reason=_text(error))
            self._require_few_hung_commits()
            self._pauses.pause()

    def _relay(self, row: RelayRow) -> None:
        if self._refused is None:  # a repeated check is not a new start
            row.begin()
        with ExitStack() as stack:
            reader = stack.enter_context(
                closing(committed_reader(self._brokers, max_partition_fetch_bytes=READER_BYTES_MAX))
            )
            with closing(KafkaAdminClient(**client_options(self._brokers))) as admin:
                limits = self._prepare_topics(admin, row)
                self._require_raised(limits)
                transactions = Transactions(
                    self._brokers,
                    self._transactional_id,
                    reader,
                    batch_bytes=min(BATCH_BYTES, *limits.values()),
                )
                stack.callback(transactions.close)
                position = self._last_sent(reader, admin, row)
            row.begun(position, is_refused=self._refused is not None)
            if self._refused is None:
                _log.info("relay started", position=position)
            is_long = row.head().position - position >= RECORD_PROCESS_EVENTS_MIN
            source = self._batches
            make = source.batches_from_process if is_long else source.batches
            batches = stack.enter_context(
                prefetched(lambda ended: make(position, ended), self._stop)
            )
            pulse = Pulse(row.head, self._heartbeat_s)
            for batch in batches:
                position = batch.position if batch else position
                self._send(transactions, row, batch, pulse.beat(position), limits)

    def _send(
        self,
        transactions: Transactions,
        row: RelayRow,
        batch: Batch | None,
        heartbeat: Heartbeat | None,
        limits: Mapping[str, int],
    ) -> None:
        """Send a batch, a heartbeat, or both in one transaction.

        Raises:
            RecordTooLarge: a record is larger than ``limits`` of its topic.
        """
        records = [*batch.records] if batch else []
        if heartbeat:
            records.append(heartbeat.record(self._heartbeats, self._source))
        if not records:
            return
        try:
            ends = transactions.send(records, batch.last if batch else 0)
        except TooLarge as error:
            refused = [records[index] for index in error.indexes]
            raise too_large(refused, batch, limits) from error
        if batch:
            ends.pop(self._heartbeats, None)  # a lost heartbeat does not matter
            row.move(batch.position, ends)
        elif self._refused is not None:
            row.resume()
        self._refused, self._refusals = None, 0
        self._pauses.reset()

    def _require_raised(self, limits: Mapping[str, int]) -> None:
        """After a record was too large, send nothing until its topic's limit is raised.

        Otherwise every attempt would leave aborted records on the topics.
        """
        refused = self._refused
        if isinstance(refused, RecordTooLarge) and limits.get(refused.topic) == refused.limit_bytes:
            raise refused

    def _prepare_topics(self, admin: KafkaAdminClient, row: RelayRow) -> dict[str, int]:
        """Create missing topics; return the largest batch of each topic in bytes."""
        known = row.read().ends
        absent = missing(admin, self._topics)
        if lost := [topic for topic in absent if topic in known]:
            raise TopicLost(f"The topic {lost[0]} was written to, and is not there.")
        make(admin, self._topics, absent)
        return require_fit(admin, self._topics)

    def _last_sent(self, reader: KafkaConsumer, admin: KafkaAdminClient, row: RelayRow) -> int:
        events = [kind.events_topic for kind in self._kinds]
        states = [kind.state_topic for kind in self._kinds if kind.state_topic]
        tail = read_tail(reader, admin, events, states, self._source, self._stop)
        return last_sent(
            tail, row.read(), row.head().position, is_of_log=self._is_of_log(tail, row)
        )

    def _is_of_log(self, tail: Tail, row: RelayRow) -> bool:
        """Return whether the last record is the log's event at its position."""
        if tail.position is None or tail.last is None:
            return True
        if (found := row.event_at(tail.position)) is None:
            return False
        maker = RecordMaker(_not_needed, self._batches.mapper, self._kinds, self._source)
        return same_event(maker.event_record(tail.position, found), tail.last)

    def _refuse(self, row: RelayRow, refused: Refused) -> None:
        """Wait longer after each refusal, since an attempt may leave aborted records behind.

        Checking a topic's limit leaves none behind.
        """
        self._refused = refused
        if not isinstance(refused, RecordTooLarge):
            self._refusals = min(self._refusals + 1, REFUSALS_COUNTED_MAX)
        self._stay_stopped(row, str(refused), self._stopped_s * 2**self._refusals)

    def _stay_stopped(self, row: RelayRow, reason: str, pause_s: float | None = None) -> None:
        _log.critical("relay has stopped", reason=reason)
        row.stop(reason)
        self._stop.wait(self._stopped_s if pause_s is None else pause_s)

    def _require_few_hung_commits(self) -> None:
        """End the process after too many hung commits: each leaves a thread that never ends."""
        hung = sum(thread.name == "commit" for thread in threading.enumerate())
        if hung > HUNG_COMMITS_MAX:
            raise SystemExit(f"{hung} commits have not come back")


def too_large(
    refused: Sequence[Outgoing], batch: Batch | None, limits: Mapping[str, int]
) -> RecordTooLarge:
    """Make the error for the first record that is larger than its topic's limit.

    If none is, a limit was lowered since it was read, and the error names none, so that the next
    attempt reads them again.
    """
    larger = (each for each in refused if each.size_bytes > limits.get(each.topic, math.inf))
    record = next(larger, None)
    if record is None:
        return _of_record(refused[0], batch, None)
    return _of_record(record, batch, limits[record.topic])


def _of_record(record: Outgoing, batch: Batch | None, limit_bytes: int | None) -> RecordTooLarge:
    position = next((value.decode() for name, value in record.headers if name == "ce_id"), None)
    if position is not None:
        what = f"The event at position {position}"
    elif batch is not None:
        what = f"A permit's state, as of position {batch.position} of the log,"
    else:
        what = "A heartbeat"
    return RecordTooLarge(what, record.topic, record.size_bytes, limit_bytes)


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, KafkaError) or error.args else type(error).__name__


def _not_needed() -> Connection:
    raise AssertionError("one event is encoded without the log")
