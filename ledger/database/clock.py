"""What time it is for the ledger.

A clock of its own, so that a development service can be put to any day and run on from there. Who
someone is, by contrast, is always asked of real time: tokens don't expire faster for it.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Protocol, cast

from .connections import connect, translated_errors
from .named_sql import Queries

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
    """The machine's clock, moved; how far lies in the database, for all roles and restarts."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._ahead = timedelta()
        self._changing = threading.Lock()  # what was read before a change never replaces it

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def load(self) -> None:
        """Take over what was set, here or by another process."""
        with self._changing, translated_errors(), connect(self._database_url) as connection:
            row = connection.execute(_sql.select_clock).fetchone()
            self._ahead = cast("tuple[timedelta]", row)[0] if row else timedelta()

    def set(self, instant: datetime) -> None:
        """From now on it is ``instant`` (aware), and time runs on from there."""
        with self._changing, translated_errors(), connect(self._database_url) as connection:
            ahead = instant - datetime.now(UTC)
            connection.execute(_sql.set_clock, {"ahead": ahead})
            self._ahead = ahead
