"""The relay: the log to Kafka's topics, every event once and each permit's in order.

One relay leads, by a lock of the database's; that is for quiet. That nothing is sent twice is
Kafka's: a stable transactional id fences every older relay, and where to go on is read from the
topics themselves. After any error all of it begins anew, from there.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from threading import Event

import psycopg
import structlog
from eventsourcing.persistence import StoredEvent
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
from ledger.database.backoff import Backoff
from ledger.database.connections import Connection, connect
from ledger.database.outage import OUTAGES, Outage
from ledger.errors import Corrupt

from .cursor import RelayRow
from .prefetch import prefetched
from .producer import BATCH_BYTES, TooLarge, Transactions
from .record_process import Preparation
from .records import Batch, Preparer
from .refusals import refusal_in
from .resume import TRANSACTION_EVENTS_MAX, last_sent
from .tail import Tail, read_tail

APPLICATION_NAME = "permit-ledger relay"
LEAD_POLL_S = 0.5
STOPPED_S = 10.0
"""How long it stands still before it looks whether an operator has mended what is wrong."""
REFUSALS_COUNTED_MAX = 4
"""After so many refusals in a row it stands still 16 times as long, and no longer."""
APART_EVENTS_MIN = 5_000
"""With so much to catch up with, another process pays: it takes a second to start."""
HUNG_COMMITS_MAX = 10
READER_BYTES_MAX = 1024 * 1024

_log = structlog.get_logger(__name__)


class Relay:
    """``source`` is the ledger's own URI, in every event; ``topic_prefix`` stands before the names
    of topics and transactions."""

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
        self._preparation = Preparation(
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
        """What the brokers refused last, until a transaction is committed."""
        self._refusals = 0

    def run(self) -> None:
        """Until ``stop``."""
        outage = Outage()
        while not self._stop.is_set():
            try:
                with connect(self._database_url, application_name=APPLICATION_NAME) as connection:
                    outage.is_over()
                    row = RelayRow(connection)
                    while self._lead(row):
                        self._attempt(row)
            except OUTAGES as error:
                self._stop.wait(outage.pause_s(error))

    def _lead(self, row: RelayRow) -> bool:
        while not self._stop.is_set():
            if row.try_to_lead():
                return True
            self._stop.wait(LEAD_POLL_S)
        return False

    def _attempt(self, row: RelayRow) -> None:
        """Relay until something is wrong; what an operator has to see is said and waited out."""
        try:
            self._relay(row)
        except Refused as refused:
            self._refuse(row, refused)
        except (RelayStopped, Corrupt) as stopped:
            self._stand_still(row, str(stopped))
        except psycopg.Error:
            raise
        except Exception as error:  # noqa: BLE001  nothing of the client's state is to be trusted
            if (found := refusal_in(error)) is not None:
                self._refuse(row, found)
                return
            _log.warning("relay begins anew", error=type(error).__name__, reason=_said(error))
            self._require_few_hung_commits()
            self._pauses.pause()

    def _relay(self, row: RelayRow) -> None:
        if self._refused is None:  # looking again is no new start
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
                position = self._where_it_ended(reader, admin, row)
            row.begun(position, is_refused=self._refused is not None)
            if self._refused is None:
                _log.info("relay begins", position=position)
            is_long = row.head() - position >= APART_EVENTS_MIN
            prepared = self._preparation.batches_apart if is_long else self._preparation.batches
            batches = stack.enter_context(
                prefetched(lambda ended: prepared(position, ended), self._stop)
            )
            pulse = Pulse(row.look, self._heartbeat_s)
            for batch in batches:
                position = batch.position if batch else position
                self._tell(transactions, row, batch, pulse.beat(position), limits)

    def _tell(
        self,
        transactions: Transactions,
        row: RelayRow,
        batch: Batch | None,
        heartbeat: Heartbeat | None,
        limits: Mapping[str, int],
    ) -> None:
        """A batch, a heartbeat, or both in one transaction.

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
            raise _too_large(records[error.index], batch, limits) from error
        if batch:
            ends.pop(self._heartbeats, None)  # those may be lost
            row.move(batch.position, ends)
        elif self._refused is not None:
            row.go_on()
        self._refused, self._refusals = None, 0
        self._pauses.reset()

    def _require_raised(self, limits: Mapping[str, int]) -> None:
        """Where a record was too large, nothing is tried before its topic takes more: what is sent
        and aborted stays on the topics for as long as all else."""
        refused = self._refused
        if isinstance(refused, RecordTooLarge) and limits.get(refused.topic) == refused.limit_bytes:
            raise refused

    def _prepare_topics(self, admin: KafkaAdminClient, row: RelayRow) -> dict[str, int]:
        """Topic → how many bytes a batch of records may have."""
        known = row.read().ends
        absent = missing(admin, self._topics)
        if lost := [topic for topic in absent if topic in known]:
            raise TopicLost(f"The topic {lost[0]} was written to, and is not there.")
        make(admin, self._topics, absent)
        return require_fit(admin, self._topics)

    def _where_it_ended(self, reader: KafkaConsumer, admin: KafkaAdminClient, row: RelayRow) -> int:
        events = [kind.events_topic for kind in self._kinds]
        states = [kind.state_topic for kind in self._kinds if kind.state_topic]
        tail = read_tail(reader, admin, events, states, self._source, self._stop)
        return last_sent(tail, row.read(), row.head(), is_of_log=self._is_of_log(tail, row))

    def _is_of_log(self, tail: Tail, row: RelayRow) -> bool:
        """Whether the last record is of the log's event at its position."""
        if tail.position is None or tail.last is None:
            return True
        if (found := row.event_at(tail.position)) is None:
            return False
        preparer = Preparer(_not_needed, self._preparation.mapper, self._kinds, self._source)
        return same_event(preparer.event_record(tail.position, StoredEvent(*found)), tail.last)

    def _refuse(self, row: RelayRow, refused: Refused) -> None:
        """Each attempt may leave aborted records behind, so they come more and more seldom, but
        where to look costs nothing."""
        self._refused = refused
        if not isinstance(refused, RecordTooLarge):
            self._refusals = min(self._refusals + 1, REFUSALS_COUNTED_MAX)
        self._stand_still(row, str(refused), self._stopped_s * 2**self._refusals)

    def _stand_still(self, row: RelayRow, reason: str, pause_s: float | None = None) -> None:
        _log.critical("relay has stopped", reason=reason)
        row.stop(reason)
        self._stop.wait(self._stopped_s if pause_s is None else pause_s)

    def _require_few_hung_commits(self) -> None:
        """Each is a thread that never ends; another process has none."""
        hung = sum(thread.name == "commit" for thread in threading.enumerate())
        if hung > HUNG_COMMITS_MAX:
            raise SystemExit(f"{hung} commits have not come back")


def _too_large(record: Outgoing, batch: Batch | None, limits: Mapping[str, int]) -> RecordTooLarge:
    position = next((value.decode() for name, value in record.headers if name == "ce_id"), None)
    if position is not None:
        what = f"The event at position {position}"
    elif batch is not None:
        what = f"A permit's state, as of position {batch.position} of the log,"
    else:
        what = "A heartbeat"
    return RecordTooLarge(what, record.topic, record.size_bytes, limits.get(record.topic))


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, KafkaError) or error.args else type(error).__name__


def _not_needed() -> Connection:
    raise AssertionError("one event is rendered without the log")
