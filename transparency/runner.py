"""The integrator's process: one leads, others take over.

Woken by the log's notification, at most five times a second, and once a second in any case, since
checks send none. An error of one log stops that log's tree and is reported; it is tried again now
and then, and the other logs go on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import structlog

from ledger.database.connections import CHANNEL, Connection
from ledger.database.leader import Lease, run_as_leader
from ledger.database.named_sql import Queries
from ledger.database.retry import Outage
from ledger.errors import Corrupt

from .integrator import BATCH_MAX, Integrator
from .last_signed import LastSignedStore
from .logs import CHECKS, EVENTS, LOGS, MANIFESTS, Log
from .manifests import ManifestMaker
from .notes import BadNote, Signers
from .read_ahead import ReadAhead

BATCH_S = 0.2
"""Entries that arrive within this time are integrated and signed together."""
IDLE_S = 0.8
"""How long a notification is waited for after that, where nothing has arrived."""

LEASE = Lease(lock=0x74726565, application_name="permit-ledger integrate", poll_s=0.5)  # "tree"
STOPPED_S = 10.0
"""How long a tree that has stopped is left before it is tried again."""

TREE_CHANNEL = "permit_ledger_tree"
"""NOTIFY on it requests a manifest (``ask_for_manifest`` in ``sql/tree.sql``)."""

_sql = Queries("transparency", "sql/tree.sql")
_log = structlog.get_logger(__name__)


@dataclass
class _Work:
    log: Log
    integrator: Integrator | None = None
    rest_until: float = 0.0
    stopped: str | None = field(default=None)


class IntegratorRunner:
    """Owns its connection while it runs; ``folder`` holds what was signed last."""

    def __init__(
        self,
        database_url: str,
        origin: str,
        signers: Signers,
        folder: Path,
        stop: Event,
        *,
        manifest_interval_s: float,
    ) -> None:
        self._database_url = database_url
        self._origin = origin
        self._signers = signers
        self._folder = folder
        self._stop = stop
        self._manifest_interval_s = manifest_interval_s
        self._no_manifest: str | None = None
        self._ahead: ReadAhead | None = None

    def run(self) -> None:
        """Integrate until ``stop`` is set."""
        run_as_leader(self._database_url, LEASE, self._integrate, self._stop)

    def _integrate(self, connection: Connection, outage: Outage) -> None:
        with ReadAhead(self._database_url) as self._ahead:
            self._integrate_all(connection, outage)

    def _integrate_all(self, connection: Connection, outage: Outage) -> None:
        connection.execute(f"LISTEN {CHANNEL}")
        connection.execute(f"LISTEN {TREE_CHANNEL}")
        works = [_Work(log) for log in LOGS.values()]
        manifests = ManifestMaker(connection, self._manifest_interval_s)
        keys_changed_at, asked = self._signers.changed_at, False
        while not self._stop.is_set():
            started = time.monotonic()
            if self._signers.changed_at != keys_changed_at:
                keys_changed_at = self._signers.changed_at
                works = [_Work(log, rest_until=0.0) for log in LOGS.values()]
            counts = {work.log: self._step(connection, work) for work in works}
            outage.is_over()
            caught_up = counts[EVENTS] < BATCH_MAX and counts[CHECKS] < BATCH_MAX
            if caught_up and self._make_manifest(manifests, works, asked=asked):
                asked = False
                continue
            if caught_up:
                heard = self._wait(connection, started + BATCH_S)
                if not (heard or any(counts.values())):
                    heard = {
                        each.channel for each in connection.notifies(timeout=IDLE_S, stop_after=1)
                    }
                asked |= TREE_CHANNEL in heard

    def _step(self, connection: Connection, work: _Work) -> int:
        """Integrate some entries of one log; returns how many."""
        if time.monotonic() < work.rest_until:
            return 0
        try:
            if work.integrator is None:
                work.integrator = self._integrator(connection, work.log)
            count = work.integrator.step()
        except (Corrupt, BadNote, OSError) as error:
            self._stop_tree(connection, work, str(error))
            return 0
        if work.stopped is not None or count:
            self._resume_tree(connection, work)
        return count

    def _integrator(self, connection: Connection, log: Log) -> Integrator:
        signers = self._signers.of(log.name)
        memory = LastSignedStore(self._folder, log.name)
        return Integrator(connection, log, self._origin, signers, memory, self._ahead)

    def _stop_tree(self, connection: Connection, work: _Work, reason: str) -> None:
        work.integrator, work.rest_until = None, time.monotonic() + STOPPED_S
        if reason != work.stopped:
            _log.critical("nothing is signed", tree=work.log.name, reason=reason)
        work.stopped = reason
        connection.execute(_sql.stop_tree, {"tree": work.log.name, "reason": reason})

    def _resume_tree(self, connection: Connection, work: _Work) -> None:
        work.stopped = None
        connection.execute(_sql.stop_tree, {"tree": work.log.name, "reason": None})

    def _make_manifest(self, manifests: ManifestMaker, works: list[_Work], *, asked: bool) -> bool:
        if any(work.stopped for work in works):
            return False
        try:
            made = manifests.make(asked=asked)
        except Corrupt as error:
            if (reason := str(error)) != self._no_manifest:
                _log.critical("no manifest is made", tree=MANIFESTS.name, reason=reason)
            self._no_manifest = reason
            return False
        self._no_manifest = None
        return made

    def _wait(self, connection: Connection, until: float) -> set[str]:
        """Wait until then; returns the channels that were notified meanwhile."""
        heard = set[str]()
        while (left := until - time.monotonic()) > 0 and not self._stop.is_set():
            for notification in connection.notifies(timeout=left, stop_after=100):
                heard.add(notification.channel)
        return heard
