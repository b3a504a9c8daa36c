"""The ledger's clock.

A development service may set it to any day, and it runs on from there. Authentication always uses
real time: tokens do not expire faster for it.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

from ledger.errors import Unavailable

from .connections import Connection, connect, translated_errors
from .named_sql import Queries
from .rows import scalars

RELOAD_S = 1.0

_sql = Queries("ledger", "sql/queries.sql")


class Clock(Protocol):
    def now(self) -> datetime:
        """The instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class DevelopmentClock:
    """The machine's clock, shifted; the shift is in the database, for all roles and restarts."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._ahead = timedelta()
        self._changing = threading.Lock()  # a shift that was read before a change never replaces it

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def load(self) -> None:
        """Read the shift that was set last, here or by another process."""
        with translated_errors(), connect(self._database_url) as connection:
            self._load(connection)

    def _load(self, connection: Connection) -> None:
        with self._changing:
            found = scalars(connection, _sql.select_clock)
            self._ahead = found[0] if found else timedelta()

    def set(self, instant: datetime) -> None:
        """Set the clock to ``instant`` (aware), from where it runs on."""
        with self._changing, translated_errors(), connect(self._database_url) as connection:
            ahead = instant - datetime.now(UTC)
            connection.execute(_sql.set_clock, {"ahead": ahead})
            self._ahead = ahead

    def follow(self, stop: threading.Event) -> None:
        """Read the shift every second in a thread of its own, on a connection of its own, until
        ``stop`` is set."""

        def reload() -> None:
            while not stop.wait(RELOAD_S):
                with (
                    suppress(Unavailable),
                    translated_errors(),
                    connect(self._database_url) as connection,
                ):
                    self._load(connection)
                    while not stop.wait(RELOAD_S):
                        self._load(connection)

        threading.Thread(target=reload, name="clock", daemon=True).start()
