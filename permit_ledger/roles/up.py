"""``permit-ledger up``: the whole service on this machine, with a small city in it."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Event
from typing import Any

import httpx
from rich.console import Console

from ledger.database.clock import DevelopmentClock
from permit_ledger.bootstrap.cli_context import database, service_clock
from permit_ledger.console.failures import CannotStart
from permit_ledger.console.private_files import lock_file
from permit_ledger.console.progress import stages
from permit_ledger.console.waiting import StallDetector, waiting_for
from permit_ledger.embedded.data_folder import open_data_folder
from permit_ledger.sample.city import grow_sample_city
from permit_ledger.settings import Settings

from .listening import PortTaken, bind, require_loopback
from .stopping import stop_on
from .supervisor import Supervisor

ROLES = ["api", "project", "integrate", "analytics"]
ANSWER_TIMEOUT_S = 30
"""A busy machine that takes longer is asked again."""
PORT_TIMEOUT_S = 10
TEND_S = 0.2
READY_POLL_S = 0.05


def up(
    settings: Settings, console: Console, *, sample_permits: int, clock_at: datetime | None
) -> None:
    """Run until SIGTERM or Ctrl-C.

    Raises:
        CannotStart
        RoleFailed: a part of the service does not stay up.
    """
    stop = stop_on(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    if settings.development:
        require_loopback(settings.host)
    with _only_one(settings), database(settings, keep=False) as database_url:
        _wait_for_port(settings, stop)
        clock = service_clock(settings, database_url)
        if clock_at and isinstance(clock, DevelopmentClock):
            clock.set(clock_at)
        supervisor = Supervisor(_roles(settings), _environment(settings, database_url))
        try:
            if not stop.is_set():
                supervisor.start()
            if sample_permits and not stop.is_set():
                with waiting_for("the sample city: still growing"):
                    grow_sample_city(settings, database_url, clock.now(), sample_permits, console)
            if _until_ready(settings, supervisor, stop, console):
                console.print(f"ready {settings.url}", highlight=False, soft_wrap=True)
                while not stop.wait(TEND_S):
                    supervisor.tend()
        finally:
            supervisor.stop()


def _roles(settings: Settings) -> list[str]:
    return [*ROLES, "relay"] if settings.kafka else ROLES


def _until_ready(settings: Settings, supervisor: Supervisor, stop: Event, console: Console) -> bool:
    """Tend the roles until the service is ready (True) or is asked to stop (False).

    It is ready once the views are where the log ended when the service first answered. Until then
    it serves what needs no views: checks, single permits, and all writes.

    Raises:
        CannotStart: the API's process has done nothing for too long, and does not answer. Once it
            answers, the service is of use, and its views may take as long as they need.
    """
    stall = StallDetector(settings.start_timeout_s)
    backlog = Backlog()
    # No proxy for connections to this machine itself.
    with (
        httpx.Client(base_url=settings.url, timeout=ANSWER_TIMEOUT_S, trust_env=False) as http,
        waiting_for(backlog),
        stages(console, "catching up") as show,
    ):
        while not stop.is_set():
            supervisor.tend(is_starting=True)
            answer = _readiness(http)
            if "lag_events" in answer:
                if backlog.is_new and answer["lag_events"] > settings.ready_lag_events_max:
                    console.print(f"serving {settings.url}", highlight=False, soft_wrap=True)
                backlog.reached(answer["views_position"], answer["log_position"])
                if backlog.is_done:
                    return True
                show("views", backlog.done_events, backlog.events)
            elif stall.is_stalled(lambda: supervisor.activity("api")):
                raise CannotStart(
                    f"the service is not ready, and nothing has moved for {stall.limit_s:.0f} s:"
                    " the lines above say why, if a part of it has failed; start it again, on a"
                    " machine that is less busy"
                )
            stop.wait(READY_POLL_S)
    return False


class Backlog:
    """The events that the log had and the views had not when the service first answered; as text,
    what is being waited for."""

    def __init__(self) -> None:
        self._first = self._until = self._position = 0
        self._began_s: float | None = None

    @property
    def is_new(self) -> bool:
        return self._began_s is None

    def reached(self, views: int, log: int) -> None:
        """Record an answer: both positions."""
        if self._began_s is None:
            self._first, self._until, self._began_s = views, log, time.monotonic()
        self._position = views

    @property
    def events(self) -> int:
        return self._until - self._first

    @property
    def done_events(self) -> int:
        return min(self._position, self._until) - self._first

    @property
    def is_done(self) -> bool:
        return self._began_s is not None and self._position >= self._until

    def __str__(self) -> str:
        if self._began_s is None or self.is_done:
            return "the service: its roles are still starting"
        text = f"the views: {self.done_events:,} of {self.events:,} events"
        rate = self.done_events / max(time.monotonic() - self._began_s, 0.001)
        if rate < 1:
            return text
        left_s = (self.events - self.done_events) / rate
        return f"{text}, {rate:,.0f}/s, {left_s:,.0f} s left"


def _readiness(http: httpx.Client) -> dict[str, Any]:
    """The positions of log and views from ``/readyz``, ready or not; empty while it does not
    answer."""
    try:
        document: dict[str, Any] = http.get("/readyz").json()
    except (httpx.TransportError, ValueError):
        return {}
    names = ("log_position", "views_position", "lag_events")
    return {name: document[name] for name in names if name in document}


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
    """Allow one service a data folder; the lock is released with the process."""
    folder = open_data_folder(settings.data_dir)
    with lock_file(folder / "up.lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(
                f"another service runs on {settings.data_dir}: stop it, or choose --data-dir"
            ) from None
        yield


def _wait_for_port(settings: Settings, stop: Event) -> None:
    """Wait for the port: the roles of a killed service may need a moment to end.

    Raises:
        CannotStart: another program keeps it, or the address is not of this machine.
    """
    deadline = time.monotonic() + PORT_TIMEOUT_S
    with waiting_for(f"port {settings.port}: another program has it still"):
        while not stop.is_set():
            try:
                sockets = bind(settings.host, settings.port)
            except PortTaken:
                if time.monotonic() > deadline:
                    raise
                stop.wait(TEND_S)
            else:
                for each in sockets:
                    each.close()
                return
