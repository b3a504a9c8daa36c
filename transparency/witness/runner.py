"""Requests cosignatures of witnesses, in a thread and with a connection of its own.

A witness that is slow or misbehaves delays no integration.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from threading import Event

import structlog

from ledger.database.connections import Connection
from ledger.database.leader import Lease, run_as_leader
from ledger.database.retry import Outage
from transparency.notes import NoteVerifier

from .add_checkpoint import witness_client
from .policy import WitnessPolicy
from .witnesses import Witnesses

LEASE = Lease(lock=0x7769746E, application_name="permit-ledger witnesses", poll_s=2.0)  # "witn"

_log = structlog.get_logger(__name__)


class WitnessRunner:
    """One of all processes that run it sends requests. ``origin`` is the ledger's, ``keys`` verify
    its checkpoints."""

    def __init__(
        self,
        database_url: str,
        origin: str,
        keys: Callable[[], Iterable[NoteVerifier]],
        policy: WitnessPolicy,
        stop: Event,
        *,
        interval_s: float,
    ) -> None:
        self._database_url = database_url
        self._witnesses = Witnesses(origin, keys, policy, stop, interval_s=interval_s)
        self._stop = stop

    def run(self) -> None:
        """Request cosignatures until ``stop`` is set."""
        with asyncio.Runner() as loop:
            client = witness_client()

            def ask(connection: Connection, outage: Outage) -> None:
                outage.is_over()
                loop.run(self._witnesses.ask(connection, client))

            run_as_leader(self._database_url, LEASE, ask, self._stop, report=_report)
            loop.run(client.aclose())


def _report(error: Exception) -> None:
    _log.error("witnesses are not asked", error=type(error).__name__)
