"""Reads of coroutines, on a pool whose connections may have died in it."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from psycopg import AsyncConnection
from psycopg.rows import AsyncRowFactory
from psycopg_pool import AsyncConnectionPool

from ledger.database.connections import translated_errors
from ledger.errors import ConnectionLost

Pool = AsyncConnectionPool[AsyncConnection[Any]]
R = TypeVar("R")


async def read_rows(
    pool: Pool, query: str, parameters: dict[str, object], row_factory: AsyncRowFactory[R]
) -> list[R]:
    """All rows; read once more on another connection where the first had died in the pool.

    Raises:
        Unavailable
    """
    try:
        return await _read(pool, query, parameters, row_factory)
    except ConnectionLost:
        with translated_errors():
            await pool.check()
        return await _read(pool, query, parameters, row_factory)


async def _read(
    pool: Pool, query: str, parameters: dict[str, object], row_factory: AsyncRowFactory[R]
) -> list[R]:
    with translated_errors():
        async with (
            pool.connection() as connection,
            connection.cursor(row_factory=row_factory) as cursor,
        ):
            await cursor.execute(cast("Any", query), parameters)
            return await cursor.fetchall()
