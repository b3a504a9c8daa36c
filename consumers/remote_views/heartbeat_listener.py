"""Receives the relay's heartbeats in its own thread."""

from __future__ import annotations

from contextlib import closing
from threading import Event

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from consumers.contract.heartbeats import PARTITION, TOPIC, Heartbeat, heartbeat_in
from consumers.kafka.brokers import Brokers
from consumers.kafka.client import committed_reader
from ledger.database.retry import Outage, run_through_outages

POLL_MS = 500


class HeartbeatListener:
    """``newest`` is the last heartbeat received since the listener started.

    Earlier ones do not count; while a relay is running, the first one arrives within seconds.
    """

    def __init__(self, brokers: Brokers, topic_prefix: str, source: str, stop: Event) -> None:
        self.newest: Heartbeat | None = None
        self._brokers = brokers
        self._partition = TopicPartition(topic_prefix + TOPIC, PARTITION)
        self._source = source
        self._stop = stop

    def run(self) -> None:
        """Listen until ``stop`` is set, through restarts of the broker."""
        run_through_outages(self._listen, self._stop, outages=(KafkaError,))

    def _listen(self, outage: Outage) -> None:
        with closing(committed_reader(self._brokers)) as reader:
            self._read(reader, outage)

    def _read(self, reader: KafkaConsumer, outage: Outage) -> None:
        reader.assign([self._partition])
        reader.seek_to_end(self._partition)
        while not self._stop.is_set():
            for records in reader.poll(timeout_ms=POLL_MS).values():
                for record in records:
                    if heartbeat := heartbeat_in(record, self._source):
                        self.newest = heartbeat
                        outage.is_over()
