"""Values of a query's rows, typed by psycopg's row factories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.abc import QueryNoTemplate
from psycopg.rows import scalar_row, tuple_row

from .connections import Connection

Parameters = Sequence[Any] | Mapping[str, Any] | None


def scalar(connection: Connection, query: QueryNoTemplate, parameters: Parameters = None) -> Any:
    """The value of a query that gives one row of one column."""
    return scalars(connection, query, parameters)[0]


def scalars(
    connection: Connection, query: QueryNoTemplate, parameters: Parameters = None
) -> list[Any]:
    """The values of a query that gives one column."""
    cursor = connection.cursor(row_factory=scalar_row)
    return cursor.execute(query, parameters).fetchall()


def rows(
    connection: Connection, query: QueryNoTemplate, parameters: Parameters = None
) -> list[tuple[Any, ...]]:
    """All rows, to be unpacked."""
    return connection.cursor(row_factory=tuple_row).execute(query, parameters).fetchall()
