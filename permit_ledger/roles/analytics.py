"""The ``analytics`` role: add every event to the statistics once, and publish the answers."""

from __future__ import annotations

import gc
import os
import signal
from contextlib import ExitStack, suppress

from consumers.analytics.batch import Source
from consumers.analytics.check_source import CheckSource
from consumers.analytics.kafka_source import KafkaSource, consumer_group
from consumers.analytics.log_source import LogSource
from consumers.analytics.runner import Analytics
from consumers.contract.kinds import kinds_under
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.database.clock import SystemClock
from permit_ledger.bootstrap.cli_context import followed_clock, keyless_database, policy_in_force
from permit_ledger.bootstrap.kafka_access import brokers_of
from permit_ledger.settings import Settings

from .stopping import stop_on
from .supervisor import tie_to_supervisor

NICENESS = 5
"""A lower priority than checks and commands, on a machine that all roles share."""


def analyse(settings: Settings) -> None:
    """Run until SIGTERM. No key is needed: nothing personal is decrypted.

    With Kafka the events come from there, and a database is needed for the checks alone: without
    one, none are counted.

    Raises:
        SinkBusy: another process has the file open.
        SinkUnusable: the file can't be opened or created.
        OtherHistory: the log has changed repeatedly.
    """
    tie_to_supervisor()
    stop = stop_on(signal.SIGTERM, signal.SIGINT)
    with suppress(OSError):
        os.nice(NICENESS)
    gc.freeze()
    with ExitStack() as stack:
        database_url = None
        if settings.database_url or not settings.kafka:
            database_url = stack.enter_context(keyless_database(settings))
        clock = followed_clock(settings, database_url, stop) if database_url else SystemClock()
        Analytics(
            settings.statistics_dir,
            _source(settings, database_url),
            CheckSource(database_url) if database_url else None,
            clock.now,
            stop,
            grace_days=policy_in_force(settings).late_grace_days,
            memory_mb=settings.analytics_memory_mb,
            share_max=settings.analytics_share,
        ).run()


def _source(settings: Settings, database_url: str | None) -> Source:
    """Kafka if there is one, else the log itself."""
    if brokers := brokers_of(settings):
        kinds = kinds_under(settings.kafka_topic_prefix or "")
        return KafkaSource(brokers, kinds, consumer_group(settings.statistics_dir))
    assert database_url is not None  # noqa: S101  for the types
    return LogSource(database_url, EventMapper(OrjsonTranscoder()).parse)
