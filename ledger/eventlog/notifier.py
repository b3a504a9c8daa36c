"""Telling followers that there is something to read, without anybody waiting for it.

A NOTIFY inside an append's transaction would hold a lock of the whole server until the commit;
after it, on the same connection, the next append would wait for the round trip.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread

import psycopg

from ledger.database.connections import CHANNEL, Connection

CLOSE_WAIT_S = 5.0


class LogNotifier:
    """One thread, one connection, both made when needed. Whoever rings while it is ringing is heard
    in the next ring; where ringing fails, followers look by themselves."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._rung = Event()
        self._closed = False
        self._starting = Lock()
        self._thread: Thread | None = None

    def ring(self) -> None:
        """Return at once; followers are woken a moment later."""
        self._rung.set()
        if self._thread is None:
            with self._starting:
                if self._thread is None and not self._closed:
                    self._thread = Thread(target=self._run, name="bell", daemon=True)
                    self._thread.start()

    def close(self) -> None:
        """Ring what was rung for, and end; a ring that hangs is left behind."""
        with self._starting:
            self._closed = True
        self._rung.set()
        if self._thread:
            self._thread.join(CLOSE_WAIT_S)

    def _run(self) -> None:
        closed = False
        while not closed:
            self._rung.wait()
            self._rung.clear()
            closed = self._closed  # before it rings: what was rung for until then is heard
            with suppress(psycopg.Error):
                if self._connection is None or self._connection.closed:
                    self._connection = self._connect()
                self._connection.execute(f"NOTIFY {CHANNEL}")
        if self._connection:
            self._connection.close()
