"""Hears the relay's heartbeats, in a thread of its own."""

from __future__ import annotations

from contextlib import closing
from threading import Event

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from consumers.contract.heartbeats import PARTITION, TOPIC, Heartbeat, heartbeat_in
from consumers.kafka.brokers import Brokers
from consumers.kafka.client import committed_reader
from ledger.database.backoff import Backoff

POLL_MS = 500

_log = structlog.get_logger(__name__)


class Listener:
    """``newest`` is the last heartbeat that was heard since it began to listen.

    Only what comes from then on counts. Where a relay works, that is a matter of seconds.
    """

    def __init__(self, brokers: Brokers, topic_prefix: str, source: str, stop: Event) -> None:
        self.newest: Heartbeat | None = None
        self._brokers = brokers
        self._partition = TopicPartition(topic_prefix + TOPIC, PARTITION)
        self._source = source
        self._stop = stop

    def run(self) -> None:
        """Until ``stop``, through restarts of the broker."""
        backoff = Backoff(self._stop)
        while not self._stop.is_set():
            try:
                with closing(committed_reader(self._brokers)) as reader:
                    self._listen(reader, backoff)
            except KafkaError as error:
                _log.warning("heartbeats are not heard", error=type(error).__name__)
                backoff.pause()

    def _listen(self, reader: KafkaConsumer, backoff: Backoff) -> None:
        reader.assign([self._partition])
        reader.seek_to_end(self._partition)
        while not self._stop.is_set():
            for records in reader.poll(timeout_ms=POLL_MS).values():
                for record in records:
                    if heard := heartbeat_in(record, self._source):
                        self.newest = heard
                        backoff.reset()
