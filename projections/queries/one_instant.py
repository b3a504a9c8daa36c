"""Several queries on one snapshot, with the positions that they are as of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import LiteralString

from psycopg.rows import DictRow, dict_row

from ledger.database.connections import translated_errors
from ledger.database.named_sql import Queries

from .permits import ReadPool

_sql = Queries("projections", "sql/position.sql")


async def of_one_instant(
    pool: ReadPool, queries: Sequence[LiteralString], parameters: Mapping[str, object]
) -> tuple[tuple[int, int], list[list[DictRow]]]:
    """The views' position and the log's head, and the rows of each query.

    Raises:
        Unavailable
    """
    with translated_errors():
        async with pool.connection() as connection, connection.transaction():
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            async with connection.cursor(row_factory=dict_row) as cursor:
                found = []
                for query in (_sql.as_of, *queries):
                    await cursor.execute(query.encode(), parameters)
                    found.append(await cursor.fetchall())
    [[row], *lists] = found
    return (row["as_of_position"], row["head"]), lists
