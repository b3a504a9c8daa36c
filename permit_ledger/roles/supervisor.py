"""Run all roles on this machine: start them, restart failed ones, stop them together.

Each role is a process of its own in the supervisor's process group. An unused pipe ties them to it:
when the supervisor dies, by whatever signal, its end closes and the roles end too.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from ledger.processes.parent import terminate_with_parent
from permit_ledger.console.waiting import activity

TIE_VARIABLE = "PERMIT_LEDGER_SUPERVISOR_FD"
STOP_TIMEOUT_S = 10
RESTARTS_MAX = 5
RESTART_WINDOW_S = 60

_log = structlog.get_logger(__name__)


class RoleFailed(Exception):
    """A role ended again and again."""


@dataclass
class Role:
    """One subcommand of ``permit-ledger``, kept running."""

    name: str
    process: subprocess.Popen[bytes] | None = None
    starts: list[float] = field(default_factory=list)

    def start(self, environment: Mapping[str, str], tie: int, window_s: float = math.inf) -> None:
        """
        Raises:
            RoleFailed: it was started too often within ``window_s``.
        """
        now = time.monotonic()
        self.starts = [start for start in self.starts if now - start < window_s] + [now]
        if len(self.starts) > RESTARTS_MAX:
            raise RoleFailed(f"'permit-ledger {self.name}' ends as soon as it is started")
        self.process = subprocess.Popen(  # noqa: S603  our own program
            # -P: a folder of that name in the working folder is not imported.
            [sys.executable, "-P", "-m", "permit_ledger", self.name],
            env={**environment, TIE_VARIABLE: str(tie), "PYTHONPATH": _our_path(environment)},
            pass_fds=[tie],
        )


class Supervisor:
    """Owns the roles' processes and the pipe; used by one thread."""

    def __init__(self, roles: list[str], environment: Mapping[str, str]) -> None:
        self._roles = [Role(name) for name in roles]
        self._environment = environment
        self._tie, self._own_end = os.pipe()

    def start(self) -> None:
        for role in self._roles:
            role.start(self._environment, self._tie)

    def tend(self, *, is_starting: bool = False) -> None:
        """Restart roles that have ended; call it at intervals.

        While the service ``is_starting`` all ends count towards the limit, later those of the last
        minute.

        Raises:
            RoleFailed
        """
        window_s = math.inf if is_starting else RESTART_WINDOW_S
        for role in self._roles:
            if role.process and (code := role.process.poll()) is not None:
                _log.error("role ended", role=role.name, exit_code=code)
                role.start(self._environment, self._tie, window_s)

    def activity(self, name: str) -> tuple[float, int]:
        """A value that changes while a role makes progress."""
        processes = [role.process for role in self._roles if role.name == name and role.process]
        return activity(processes[0].pid) if processes else (0.0, 0)

    def stop(self) -> None:
        """Stop all roles: terminate, then kill."""
        running = [role.process for role in self._roles if role.process]
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _our_path(environment: Mapping[str, str]) -> str:
    """``PYTHONPATH`` with this program's own folder first."""
    given = environment.get("PYTHONPATH")
    return os.pathsep.join([str(Path(__file__).parents[2]), *([given] if given else [])])


def tie_to_supervisor() -> None:
    """In a role that a supervisor started: end as on SIGTERM when the supervisor has ended."""
    if descriptor := os.environ.get(TIE_VARIABLE):
        terminate_with_parent(int(descriptor))
