"""The ``integrate`` role: takes what is recorded into the transparency log, and signs it."""

from __future__ import annotations

import signal

from ledger.tree.runner import IntegratorRunner

from .log_keys import WatchedSigners
from .settings import Settings
from .stopping import stop_on
from .supervisor import tie_to_supervisor
from .workbench import database, followed_clock


def integrate(settings: Settings) -> None:
    """Until SIGTERM."""
    tie_to_supervisor()
    stop = stop_on(signal.SIGTERM, signal.SIGINT)
    signers = WatchedSigners(settings)
    with database(settings) as database_url:
        IntegratorRunner(
            database_url,
            settings.origin,
            signers,
            settings.tree_dir,
            followed_clock(settings, database_url, stop),
            stop,
            manifest_interval_s=settings.manifest_interval_s,
        ).run()
