"""``permit-ledger up``: the whole service on this machine, with a small city in it."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Event

import httpx
from rich.console import Console

from ledger.clock import DevelopmentClock

from .sample import grow_sample_city
from .settings import Settings
from .stopping import stop_on
from .supervisor import Supervisor
from .workbench import database, service_clock

ROLES = ["api", "project", "integrate", "analytics"]
READY_TIMEOUT_S = 60
PORT_TIMEOUT_S = 10
TEND_S = 0.2
READY_POLL_S = 0.05


class CannotStart(Exception):
    """The message says what is in the way and what to do."""


def up(
    settings: Settings, console: Console, *, sample_permits: int, clock_at: datetime | None
) -> None:
    """Run until SIGTERM or Ctrl-C.

    Raises:
        CannotStart
        RoleFailed: a part of the service does not stay up.
    """
    stop = stop_on(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    with _only_one(settings), database(settings, keep=False) as database_url:
        _wait_for_port(settings, stop)
        clock = service_clock(settings, database_url)
        if clock_at and isinstance(clock, DevelopmentClock):
            clock.set(clock_at)
        supervisor = Supervisor(_roles(settings), _environment(settings, database_url))
        try:
            supervisor.start()
            if sample_permits:
                grow_sample_city(settings, database_url, clock.now(), sample_permits, console)
            if _until(stop, supervisor, READY_TIMEOUT_S, lambda: _is_ready(settings)):
                console.print(f"ready {settings.url}", highlight=False, soft_wrap=True)
                _until(stop, supervisor, None, lambda: False)
        finally:
            supervisor.stop()


def _roles(settings: Settings) -> list[str]:
    return [*ROLES, "relay"] if settings.kafka else ROLES


def _until(
    stop: Event, supervisor: Supervisor, timeout_s: float | None, done: Callable[[], bool]
) -> bool:
    """Tend the roles until ``done`` says so (True) or we are asked to stop (False).

    Raises:
        CannotStart: it took longer than ``timeout_s``.
    """
    started = time.monotonic()
    while not stop.is_set():
        supervisor.tend()
        if done():
            return True
        if timeout_s is not None and time.monotonic() - started > timeout_s:
            raise CannotStart(f"the service is not ready after {timeout_s} s; see the log above")
        stop.wait(TEND_S if timeout_s is None else READY_POLL_S)
    return False


def _is_ready(settings: Settings) -> bool:
    try:
        answer = httpx.get(f"{settings.url}/readyz", timeout=2)
    except httpx.TransportError:
        return False
    return answer.is_success and answer.json()["lag_events"] == 0


def _environment(settings: Settings, database_url: str) -> dict[str, str]:
    """The roles' settings: this process's own, made explicit."""
    return {
        **os.environ,
        "PERMIT_LEDGER_DATABASE_URL": database_url,
        "PERMIT_LEDGER_DATA_DIR": str(settings.data_dir.resolve()),
        "PERMIT_LEDGER_PORT": str(settings.port),
        "PERMIT_LEDGER_DEVELOPMENT": str(settings.development).lower(),
        "PERMIT_LEDGER_LOG_LEVEL": settings.log_level,
        "PERMIT_LEDGER_LOG_FORMAT": settings.log_format,
        **({"PERMIT_LEDGER_KAFKA": settings.kafka} if settings.kafka else {}),
    }


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    """One service a data folder; the lock goes with the process, however it ends."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with (settings.data_dir / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(
                f"another service runs on {settings.data_dir}: stop it, or choose --data-dir"
            ) from None
        yield


def _wait_for_port(settings: Settings, stop: Event) -> None:
    """The roles of a service that was killed may need a moment to go."""
    deadline = time.monotonic() + PORT_TIMEOUT_S
    while not stop.is_set():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, settings.port))
            except OSError:
                if time.monotonic() > deadline:
                    raise CannotStart(
                        f"port {settings.port} is taken: choose another with --port"
                    ) from None
            else:
                return
        stop.wait(TEND_S)
