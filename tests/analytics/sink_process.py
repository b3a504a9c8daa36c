"""The consumer in a process that may be killed: its arguments are the database's URL, the folder,
and a Kafka's address and topic prefix where it is to read from there. It takes small batches, and
writes a dot after each, so that there are many moments to be killed at."""

import faulthandler
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from consumers.analytics import kafka_source
from consumers.analytics.check_source import CheckSource
from consumers.analytics.kafka_source import KafkaSource, consumer_group
from consumers.analytics.log_source import LogSource
from consumers.analytics.publishing import Publisher
from consumers.analytics.runner import Analytics
from consumers.analytics.sink import Sink
from consumers.contract.kinds import PERMITS
from consumers.kafka.brokers import Brokers
from ledger.codec.mapper import EventMapper, OrjsonTranscoder

BATCH_EVENTS_MAX = 20


def main() -> None:
    faulthandler.register(signal.SIGUSR1)
    write = Sink.write

    def write_and_tell(sink, batch):
        write(sink, batch)
        sys.stdout.write(".")
        sys.stdout.flush()

    Sink.write = write_and_tell
    Publisher.draw_next = _draw_nothing
    url, folder, *kafka = sys.argv[1:]
    source = _of_kafka(Path(folder), *kafka) if kafka else _of_log(url)
    now = datetime.now(UTC)
    checks = CheckSource(url)
    Analytics(Path(folder), source, checks, lambda: now, Event(), grace_days=30).run()


def _draw_nothing(_publisher):
    """It takes longer than all the rest."""
    return False


def _of_log(url):
    parse = EventMapper(OrjsonTranscoder()).parse
    return LogSource(url, parse, batch_events_max=BATCH_EVENTS_MAX)


def _of_kafka(folder, address, prefix):
    source = KafkaSource(Brokers(address), [PERMITS.under(prefix)], consumer_group(folder))
    kafka_source.BATCH_EVENTS_MAX = BATCH_EVENTS_MAX
    return source


if __name__ == "__main__":
    main()
