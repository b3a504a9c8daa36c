"""The ``integrate`` role: add new entries to the transparency log, and sign it."""

from __future__ import annotations

import signal
from threading import Event, Thread

from permit_ledger.bootstrap.cli_context import database
from permit_ledger.bootstrap.witness_policy import witness_policy
from permit_ledger.keys.log_keys import WatchedSigners, watched_verifiers
from permit_ledger.settings import Settings
from transparency.runner import IntegratorRunner
from transparency.witness.policy import WitnessPolicy
from transparency.witness.runner import WitnessRunner

from .stopping import stop_on
from .supervisor import tie_to_supervisor


def integrate(settings: Settings) -> None:
    """Run until SIGTERM."""
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
            stop,
            manifest_interval_s=settings.manifest_interval_s,
        ).run()


def _ask_witnesses(
    settings: Settings, database_url: str, policy: WitnessPolicy, stop: Event
) -> None:
    """Run in a thread of its own, which ends with the process at the latest."""
    runner = WitnessRunner(
        database_url,
        settings.origin,
        watched_verifiers(settings),
        policy,
        stop,
        interval_s=settings.witness_interval_s,
    )
    if any(witness.url for witness in policy.witnesses):
        Thread(target=runner.run, name="witnesses", daemon=True).start()
