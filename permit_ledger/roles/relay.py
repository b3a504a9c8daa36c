"""The ``relay`` role: publish the log to Kafka."""

from __future__ import annotations

import gc
import logging
import signal

import typer

from consumers.contract.kinds import kinds_under
from consumers.relay.cursor import RelayRow
from consumers.relay.relay import Relay
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.database.connections import connect
from permit_ledger.bootstrap.cli_context import keyless_database
from permit_ledger.bootstrap.kafka_access import brokers_of
from permit_ledger.settings import Settings

from .stopping import stop_on
from .supervisor import tie_to_supervisor

GC_OBJECTS = 50_000
"""A batch's records are still in use when the collector runs after the default of 700 objects."""


class CannotRelay(Exception):
    """The message says what to do."""


def relay(settings: Settings) -> None:
    """Run until SIGTERM. No key is needed: nothing personal is decrypted.

    Raises:
        CannotRelay: no broker is named.
        OSError: a file for the connection can't be read.
    """
    tie_to_supervisor()
    stop = stop_on(signal.SIGTERM, signal.SIGINT)
    brokers = brokers_of(settings)
    if brokers is None:
        raise CannotRelay("no broker is named: set PERMIT_LEDGER_KAFKA, or give --kafka HOST:PORT")
    # The client logs every attempt; the relay logs once why it starts again.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    topic_prefix = settings.kafka_topic_prefix or ""
    gc.freeze()
    gc.set_threshold(GC_OBJECTS)
    with keyless_database(settings) as database_url:
        Relay(
            database_url,
            brokers,
            EventMapper(OrjsonTranscoder()),
            kinds_under(topic_prefix),
            settings.source,
            stop,
            topic_prefix=topic_prefix,
        ).run()


def replay(settings: Settings) -> None:
    """Let a stopped relay accept the topics as they are.

    Raises:
        CannotRelay: it has not stopped.
    """
    with keyless_database(settings) as database_url, connect(database_url) as connection:
        if not RelayRow(connection).forget():
            raise CannotRelay("the relay has not stopped: there is nothing to replay")
    typer.echo("the relay goes on with whatever of the log is not on the topics")
