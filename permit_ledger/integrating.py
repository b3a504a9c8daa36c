"""The ``integrate`` role: takes what is recorded into the transparency log, and signs it."""

from __future__ import annotations

import signal
from threading import Event, Thread

from ledger.tree.policy import WitnessPolicy
from ledger.tree.runner import IntegratorRunner
from ledger.tree.witness_runner import WitnessRunner

from .log_keys import WatchedSigners
from .settings import Settings
from .stopping import stop_on
from .supervisor import tie_to_supervisor
from .witness_policy import witness_policy
from .workbench import database, followed_clock


def integrate(settings: Settings) -> None:
    """Until SIGTERM."""
    tie_to_supervisor()
    stop = stop_on(signal.SIGTERM, signal.SIGINT)
    signers = WatchedSigners(settings)
    policy = witness_policy(settings)
    with database(settings) as database_url:
        _ask_witnesses(settings, database_url, policy, stop)
        IntegratorRunner(
            database_url,
            settings.origin,
            signers,
            settings.tree_dir,
            followed_clock(settings, database_url, stop),
            stop,
            manifest_interval_s=settings.manifest_interval_s,
        ).run()


def _ask_witnesses(
    settings: Settings, database_url: str, policy: WitnessPolicy, stop: Event
) -> None:
    """In a thread of its own, which ends with the process at the latest."""
    runner = WitnessRunner(
        database_url, settings.origin, policy, stop, interval_s=settings.witness_interval_s
    )
    if any(witness.url for witness in policy.witnesses):
        Thread(target=runner.run, name="witnesses", daemon=True).start()
