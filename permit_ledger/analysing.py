"""The ``analytics`` role: every event once into the statistics, and what is told of them."""

from __future__ import annotations

import gc
import os
import signal
from contextlib import suppress

from consumers.analytics.check_source import CheckSource
from consumers.analytics.log_source import LogSource
from consumers.analytics.runner import Analytics
from ledger.mapper import EventMapper, OrjsonTranscoder

from .settings import Settings
from .stopping import stop_on
from .supervisor import tie_to_supervisor
from .workbench import followed_clock, keyless_database, policy_in_force

NICENESS = 10
"""Checks and commands come first on a machine that all roles share."""


def analyse(settings: Settings) -> None:
    """Until SIGTERM. No key is needed: nothing personal is opened.

    Raises:
        SinkBusy: another process has the file.
        OtherHistory: the log is another one again and again.
    """
    tie_to_supervisor()
    stop = stop_on(signal.SIGTERM, signal.SIGINT)
    with suppress(OSError):
        os.nice(NICENESS)
    gc.freeze()
    with keyless_database(settings) as database_url:
        clock = followed_clock(settings, database_url, stop)
        Analytics(
            settings.statistics_dir,
            LogSource(database_url, EventMapper(OrjsonTranscoder()).parse),
            CheckSource(database_url),
            clock.now,
            stop,
            grace_days=policy_in_force(settings).late_grace_days,
            memory_mb=settings.analytics_memory_mb,
        ).run()
