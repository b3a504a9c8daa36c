"""Several queries on one snapshot, with the positions that they are as of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import LiteralString

from psycopg.errors import QueryCanceled
from psycopg.rows import DictRow, dict_row

from ledger.database.connections import translated_errors
from ledger.database.named_sql import Queries
from ledger.errors import ConnectionLost, Unavailable

from .permits import ReadPool

STATEMENT_S_MAX = 2

_BEGIN = f"""
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL statement_timeout = '{STATEMENT_S_MAX}s';
SET LOCAL plan_cache_mode = force_custom_plan;
"""
"""What a list leaves out decides which index is cheapest, so each is planned for its parameters."""

_sql = Queries("projections", "sql/position.sql")


async def of_one_instant(
    pool: ReadPool, queries: Sequence[LiteralString], parameters: Mapping[str, object]
) -> tuple[tuple[int, int], list[list[DictRow]]]:
    """The views' position and the log's head, and the rows of each query.

    Raises:
        Unavailable: also if one takes longer than :data:`STATEMENT_S_MAX`.
    """
    with _bounded(), translated_errors():
        async with pool.connection() as connection, connection.transaction():
            await connection.execute(_BEGIN.encode())
            async with connection.cursor(row_factory=dict_row) as cursor:
                found = []
                for query in (_sql.as_of, *queries):
                    await cursor.execute(query.encode(), parameters)
                    found.append(await cursor.fetchall())
    [[row], *lists] = found
    return (row["as_of_position"], row["head"]), lists


@contextmanager
def _bounded() -> Iterator[None]:
    try:
        yield
    except ConnectionLost as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        detail = "The list takes too long: choose less, or try again later."
        raise Unavailable(detail) from error.__cause__
