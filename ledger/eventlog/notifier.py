"""Notifying followers of commits, without making any append wait for it.

A NOTIFY inside an append's transaction would hold a lock of the whole server until the commit;
after it, on the same connection, the next append would wait for the round trip.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread

import psycopg

from ledger.database.connections import CHANNEL, Connection, connect

CLOSE_WAIT_S = 5.0


class LogNotifier:
    """Safe for use by many threads. Its thread and its connection are made when needed.

    Commits during a NOTIFY share the next one. If it fails, followers find the events by polling.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None  # its thread's
        self._wanted = Event()

        # Guards the two fields below, so that no thread starts after closing. Held while a thread
        # starts, and at no other time: ``notify`` takes it only for its first call.
        self._starting = Lock()
        self._closed = False
        self._thread: Thread | None = None

    @property
    def is_pending(self) -> bool:
        """Whether a notification is wanted that is not being sent yet."""
        return self._wanted.is_set()

    @property
    def is_closed(self) -> bool:
        return self._closed

    @property
    def is_running(self) -> bool:
        """Whether the thread was started, and has not ended."""
        return self._thread is not None and self._thread.is_alive()

    def notify(self) -> None:
        """Return at once; followers are woken a moment later."""
        self._wanted.set()
        if self._thread is None:
            with self._starting:
                if self._thread is None and not self._closed:
                    self._thread = Thread(target=self._run, name="notifier", daemon=True)
                    self._thread.start()

    def close(self) -> None:
        """Send the notification that is wanted, and end; one that hangs is left behind."""
        with self._starting:
            self._closed = True
        self._wanted.set()
        if self._thread:
            self._thread.join(CLOSE_WAIT_S)

    def _run(self) -> None:
        closed = False
        while not closed:
            self._wanted.wait()
            self._wanted.clear()
            closed = self._closed  # before it notifies, so that the last one is sent
            with suppress(psycopg.Error):
                if self._connection is None or self._connection.closed:
                    self._connection = self._connect()
                self._connection.execute(f"NOTIFY {CHANNEL}")
        if self._connection:
            self._connection.close()


def notifier_at(database_url: str) -> LogNotifier:
    """One with a connection to this database; the caller closes it.

    A NOTIFY commits a transaction, and the next append would have to wait until that is on the
    disk too. A notification is lost with the server's memory whatever is on its disk.
    """

    def connection() -> Connection:
        made = connect(database_url, application_name="permit-ledger bell")
        made.execute("SET synchronous_commit = off")
        return made

    return LogNotifier(connection)
