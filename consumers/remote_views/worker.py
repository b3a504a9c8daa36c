"""The worker of remote views: a topic into the views of another database, exactly once.

Several share the partitions as one consumer group, the database's own. Kafka says who reads which,
the database who may write: where a partition goes on is read from its row when it is claimed, and
moves with the rows. So nothing is committed to Kafka, and a worker that lost a partition without
knowing it is fenced.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import replace
from threading import Event, Thread

import psycopg
import structlog
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.errors import KafkaError
from psycopg.errors import IdleInTransactionSessionTimeout

from consumers.contract.kinds import PARTITIONS, Kind
from consumers.contract.topics import require_fit, topic_id, topics_of
from consumers.errors import TopicsUnfit
from consumers.kafka.brokers import Brokers
from consumers.kafka.client import committed_reader
from consumers.kafka.client import connection as client_options
from ledger.database.backoff import Backoff
from ledger.database.connections import connect
from ledger.database.named_sql import Queries
from ledger.errors import LedgerError, Unavailable
from projections.remote.feed import Fenced, RemoteSource, begin
from projections.remote.views import RemoteViewWriter

from .decoder import RecordTaker
from .group import Feeding, TopicChanged
from .heartbeat_listener import Listener

BATCH_RECORDS_MAX = 2_000
GROUP_PREFIX = "permit-ledger.views."
"""Of the groups' names; the rest is the database's own."""
SESSION_TIMEOUT_MS = 6_000
HEARTBEAT_MS = 1_500

_position_sql = Queries("projections", "sql/position.sql")
_log = structlog.get_logger(__name__)


class RemoteViewsWorker:
    """Owns one connection to the database and one consumer while it runs."""

    def __init__(
        self,
        database_url: str,
        brokers: Brokers,
        kind: Kind,
        source: str,
        taker: RecordTaker,
        views: RemoteViewWriter,
        stop: Event,
        *,
        topic_prefix: str = "",
    ) -> None:
        self._database_url = database_url
        self._brokers = brokers
        self._kind = replace(kind, state_topic=None)
        self._topic = kind.events_topic
        self._source = source
        self._taker = taker
        self._views = views
        self._stop = stop
        self._listener = Listener(brokers, topic_prefix, source, stop)
        self._backoff = Backoff(stop)

    def run(self) -> None:
        """Keep the views until asked to stop, through lost connections and restarts."""
        Thread(target=self._listener.run, name="heartbeats", daemon=True).start()
        while not self._stop.is_set():
            try:
                self._work()
            except Fenced:
                _log.warning("partitions taken over")
                self._backoff.pause()
            except (
                psycopg.OperationalError,
                IdleInTransactionSessionTimeout,
                Unavailable,
                KafkaError,
                TopicChanged,
                TopicsUnfit,
            ) as error:
                _log.warning("remote views wait", error=type(error).__name__)
                self._backoff.pause()
            except Exception as error:  # noqa: BLE001  standing still beats ending: it can be seen
                _log.error("views stand still", reason=_describe(error))
                self._backoff.pause()

    def _work(self) -> None:
        with ExitStack() as stack:
            connection = stack.enter_context(
                connect(self._database_url, application_name="permit-ledger project")
            )
            connection.execute(_position_sql.prepare)
            admin = stack.enter_context(closing(KafkaAdminClient(**client_options(self._brokers))))
            require_fit(admin, topics_of([self._kind]))
            of_topic = topic_id(admin, self._topic)
            feed_id = begin(
                connection, RemoteSource(self._source, self._topic, of_topic), PARTITIONS
            )
            consumer = stack.enter_context(closing(self._consumer(GROUP_PREFIX + feed_id)))
            Feeding(
                *(self._topic, of_topic, connection, consumer, admin, self._taker, self._views),
                lambda: self._listener.newest,
            ).run(self._stop, self._backoff.reset)

    def _consumer(self, group: str) -> KafkaConsumer:
        return committed_reader(
            self._brokers,
            group_id=group,
            auto_offset_reset="none",
            max_poll_records=BATCH_RECORDS_MAX,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
        )


def _describe(error: Exception) -> str:
    """What is wrong, without what a record holds."""
    return error.detail if isinstance(error, LedgerError) else type(error).__name__
