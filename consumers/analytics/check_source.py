"""Checks from the ledger's log of checks, with a digest of the verifier's account; and how much
each officer has read."""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from ledger.database.connections import Connection, connect
from ledger.database.named_sql import Queries

from .facts import Row

CHECKS_MAX = 5_000
"""Per read."""

_sql = Queries("consumers.analytics", "sql/ledger_checks.sql")


class CheckSource:
    """Keeps its connection while it works, and opens it again after a failure."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._connection: Connection | None = None

    def after(self, position: int) -> list[Row]:
        """Return the next checks, by their own positions, without gaps.

        Raises:
            psycopg.Error: the database is unavailable.
        """
        return self._read(_sql.checks, {"after": position, "limit": CHECKS_MAX})

    def officer_reads(self, since: datetime) -> list[Row]:
        """Return how many records each officer read on each day since then.

        Raises:
            psycopg.Error: the database is unavailable.
        """
        return self._read(_sql.officer_reads, {"since": since})

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read(self, query: LiteralString, parameters: dict[str, Any]) -> list[Row]:
        try:
            if self._connection is None:
                opened = connect(self._database_url, application_name="permit-ledger analytics")
                self._connection = opened
            with self._connection.cursor(row_factory=dict_row) as cursor:
                return cursor.execute(query, parameters).fetchall()
        except psycopg.Error:
            self.close()
            raise
