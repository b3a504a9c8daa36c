"""The worker of remote views: writes a topic into the views of another database, exactly once.

Several workers share the partitions as one consumer group, one group per database. Kafka decides
which worker reads a partition, the database which worker may write it: a partition's offset is read
from its row when it is claimed, and is updated together with the rows. So nothing is committed to
Kafka, and a worker that has lost a partition without noticing is fenced.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import replace
from threading import Event, Thread

import structlog
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.errors import KafkaError

from consumers.contract.kinds import PARTITIONS, Kind
from consumers.contract.topics import require_fit, topic_id, topics_of
from consumers.errors import TopicsUnfit
from consumers.kafka.brokers import Brokers
from consumers.kafka.client import committed_reader
from consumers.kafka.client import connection as client_options
from ledger.database.connections import connect
from ledger.database.named_sql import Queries
from ledger.database.retry import OUTAGES, Outage, run_through_outages
from ledger.errors import LedgerError
from projections.remote.source import Fenced, RemoteSource, begin
from projections.remote.views import RemoteViewWriter

from .decoder import RecordDecoder
from .group import GroupMember, TopicChanged
from .heartbeat_listener import HeartbeatListener

BATCH_RECORDS_MAX = 2_000
GROUP_PREFIX = "permit-ledger.views."
"""Prefix of the groups' names; the rest is the database's id."""
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
        decoder: RecordDecoder,
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
        self._decoder = decoder
        self._views = views
        self._stop = stop
        self._listener = HeartbeatListener(brokers, topic_prefix, source, stop)

    def run(self) -> None:
        """Keep the views until ``stop`` is set, through lost connections and restarts."""
        Thread(target=self._listener.run, name="heartbeats", daemon=True).start()
        outages = (*OUTAGES, KafkaError, TopicChanged, TopicsUnfit)
        run_through_outages(self._attempt, self._stop, outages=outages, report=_report)

    def _attempt(self, outage: Outage) -> None:
        try:
            self._work(outage)
        except Fenced:
            _log.warning("partitions taken over")
            self._stop.wait(outage.delay_s())

    def _work(self, outage: Outage) -> None:
        with ExitStack() as stack:
            connection = stack.enter_context(
                connect(self._database_url, application_name="permit-ledger project")
            )
            connection.execute(_position_sql.prepare)
            admin = stack.enter_context(closing(KafkaAdminClient(**client_options(self._brokers))))
            require_fit(admin, topics_of([self._kind]))
            of_topic = topic_id(admin, self._topic)
            database_id = begin(
                connection, RemoteSource(self._source, self._topic, of_topic), PARTITIONS
            )
            consumer = stack.enter_context(closing(self._consumer(GROUP_PREFIX + database_id)))
            GroupMember(
                *(self._topic, of_topic, connection, consumer, admin, self._decoder, self._views),
                lambda: self._listener.newest,
            ).run(self._stop, outage.is_over)

    def _consumer(self, group: str) -> KafkaConsumer:
        return committed_reader(
            self._brokers,
            group_id=group,
            auto_offset_reset="none",
            max_poll_records=BATCH_RECORDS_MAX,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
        )


def _report(error: Exception) -> None:
    """Log the error's kind, without a record's content."""
    reason = error.detail if isinstance(error, LedgerError) else type(error).__name__
    _log.error("views are held", reason=reason)
