"""The line on which a key occurred first, for files of any length."""

from __future__ import annotations

import sqlite3
from types import TracebackType
from typing import Self

_SETUP = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE first_occurrences (
    kind BLOB, thing BLOB, line INTEGER NOT NULL, PRIMARY KEY (kind, thing)
) WITHOUT ROWID;
"""


class FirstOccurrences:
    """A private temporary table of SQLite: small ones stay in memory, large ones move to disk."""

    def __init__(self) -> None:
        self._table = sqlite3.connect("", isolation_level=None)
        self._table.executescript(_SETUP)
        self._table.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._table.close()

    def find(self, kind: bytes, thing: bytes) -> int | None:
        """The line noted for this key, if any."""
        query = "SELECT line FROM first_occurrences WHERE kind = ? AND thing = ?"
        row = self._table.execute(query, (kind, thing)).fetchone()
        return None if row is None else int(row[0])

    def note(self, kind: bytes, thing: bytes, line: int) -> None:
        """Note the line of a key that has none yet."""
        self._table.execute("INSERT INTO first_occurrences VALUES (?, ?, ?)", (kind, thing, line))
