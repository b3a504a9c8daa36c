"""The relay: the log to Kafka's topics, every event once and each permit's in order.

One relay leads, by a lock of the database's; that is for quiet. That nothing is sent twice is
Kafka's: a stable transactional id fences every older relay, and where to go on is read from the
topics themselves. After any error all of it begins anew, from there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from threading import Event

import psycopg
import structlog
from eventsourcing.persistence import StoredEvent
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.errors import KafkaError

from ledger.backoff import Backoff
from ledger.database import Connection, connect
from ledger.errors import Corrupt
from ledger.follow import follow
from ledger.mapper import EventMapper
from ledger.outage import OUTAGES, Outage

from .beginning import TRANSACTION_EVENTS_MAX, last_sent
from .client import committed_reader
from .client import connection as client_options
from .cursor import RelayRow
from .errors import RelayStopped, TopicLost
from .kinds import Kind
from .prefetching import prefetched
from .preparing import Batch, Preparer
from .sending import Transactions
from .tail import Tail, read_tail
from .topics import make, missing, require_fit

APPLICATION_NAME = "permit-ledger relay"
LEAD_POLL_S = 0.5
STOPPED_S = 10.0
"""How long it stands still before it looks whether an operator has mended what is wrong."""
HUNG_COMMITS_MAX = 10
READER_BYTES_MAX = 1024 * 1024

_log = structlog.get_logger(__name__)


class Relay:
    """``source`` is the ledger's own URI, in every event; ``topic_prefix`` stands before the names
    of topics and transactions."""

    def __init__(
        self,
        database_url: str,
        addresses: str,
        mapper: EventMapper,
        kinds: Sequence[Kind],
        source: str,
        stop: Event,
        *,
        topic_prefix: str = "",
        stopped_s: float = STOPPED_S,
    ) -> None:
        self._database_url = database_url
        self._addresses = addresses
        self._mapper = mapper
        self._kinds = kinds
        self._source = source
        self._stop = stop
        self._transactional_id = f"{topic_prefix}permit-ledger-relay"
        self._stopped_s = stopped_s
        self._pauses = Backoff(stop)

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
        except (RelayStopped, Corrupt) as stopped:
            self._stand_still(row, str(stopped))
        except psycopg.Error:
            raise
        except Exception as error:  # noqa: BLE001  nothing of the client's state is to be trusted
            _log.warning("relay begins anew", error=type(error).__name__, reason=_said(error))
            self._require_few_hung_commits()
            self._pauses.pause()

    def _relay(self, row: RelayRow) -> None:
        row.begin()
        with ExitStack() as stack:
            reader = stack.enter_context(
                closing(
                    committed_reader(self._addresses, max_partition_fetch_bytes=READER_BYTES_MAX)
                )
            )
            with closing(KafkaAdminClient(**client_options(self._addresses))) as admin:
                self._prepare_topics(admin, row)
                transactions = Transactions(self._addresses, self._transactional_id, reader)
                stack.callback(transactions.close)
                position = self._where_it_ended(reader, admin, row)
            row.begun(position)
            _log.info("relay begins", position=position)
            batches = stack.enter_context(
                prefetched(lambda ended: self._batches(position, ended), self._stop)
            )
            for batch in batches:
                row.move(batch.position, transactions.send(batch.records, batch.last))
                self._pauses.reset()

    def _prepare_topics(self, admin: KafkaAdminClient, row: RelayRow) -> None:
        known = row.read().ends
        absent = missing(admin, self._kinds)
        if lost := [topic for topic in absent if topic in known]:
            raise TopicLost(f"The topic {lost[0]} was written to, and is not there.")
        make(admin, self._kinds, absent)
        require_fit(admin, self._kinds)

    def _where_it_ended(self, reader: KafkaConsumer, admin: KafkaAdminClient, row: RelayRow) -> int:
        events = [kind.events_topic for kind in self._kinds]
        states = [kind.state_topic for kind in self._kinds if kind.state_topic]
        tail = read_tail(reader, admin, events, states, self._source, self._stop)
        return last_sent(tail, row.read(), row.head(), is_of_log=self._is_of_log(tail, row))

    def _is_of_log(self, tail: Tail, row: RelayRow) -> bool:
        """Whether the last record is what would be sent for the log's event at its position."""
        if tail.position is None or tail.last is None:
            return True
        if (found := row.event_at(tail.position)) is None:
            return False
        preparer = Preparer(_not_needed, self._mapper, self._kinds, self._source)
        expected = preparer.event_record(tail.position, StoredEvent(*found))
        return (expected.key, expected.headers) == (tail.last.key, list(tail.last.headers))

    def _batches(self, after: int, ended: Event) -> Iterator[Batch]:
        with ExitStack() as stack:
            connections: list[Connection] = []

            def earlier() -> Connection:
                if not connections:
                    opened = connect(self._database_url, application_name=APPLICATION_NAME)
                    connections.append(stack.enter_context(opened))
                return connections[0]

            preparer = Preparer(earlier, self._mapper, self._kinds, self._source)
            pages = follow(
                self._database_url,
                after=after,
                stop=ended,
                page_events_max=TRANSACTION_EVENTS_MAX,
            )
            for page in pages:
                yield preparer.batch(page)

    def _stand_still(self, row: RelayRow, reason: str) -> None:
        _log.critical("relay has stopped", reason=reason)
        row.stop(reason)
        self._stop.wait(self._stopped_s)

    def _require_few_hung_commits(self) -> None:
        """Each is a thread that never ends; another process has none."""
        hung = sum(thread.name == "commit" for thread in threading.enumerate())
        if hung > HUNG_COMMITS_MAX:
            raise SystemExit(f"{hung} commits have not come back")


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, KafkaError) or error.args else type(error).__name__


def _not_needed() -> Connection:
    raise AssertionError("one event is rendered without the log")
