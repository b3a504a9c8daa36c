"""Reads of coroutines, on a pool whose connections may be dead, grouped into few round trips."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, Generic, TypeVar

from psycopg import AsyncConnection
from psycopg.rows import AsyncRowFactory
from psycopg_pool import AsyncConnectionPool

from ledger.database.connections import translated_errors
from ledger.errors import ConnectionLost

GROUP_KEYS_MAX = 500

Pool = AsyncConnectionPool[AsyncConnection[Any]]
R = TypeVar("R")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


async def read_rows(
    pool: Pool, query: str, parameters: Mapping[str, object], row_factory: AsyncRowFactory[R]
) -> list[R]:
    """All rows of a query; repeated once on another connection if the first was dead in the pool.

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
    pool: Pool, query: str, parameters: Mapping[str, object], row_factory: AsyncRowFactory[R]
) -> list[R]:
    with translated_errors():
        async with (
            pool.connection() as connection,
            connection.cursor(row_factory=row_factory) as cursor,
        ):
            await cursor.execute(query.encode(), parameters)
            return await cursor.fetchall()


class GroupRead(Generic[K, V]):
    """Puts what coroutines ask for during a read into the next one, together.

    Most of the cost of a small read is its round trip; shared, each caller pays a fraction. As with
    group commits no caller waits for company: one that finds no read under way starts one at once.

    Belongs to one event loop. Equal keys of one read share their value.
    """

    def __init__(self, read: Callable[[list[K]], Awaitable[Mapping[K, V]]]) -> None:
        """``read`` gets up to 500 keys and returns the values of those that exist."""
        self._read = read
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """The value as it is after the call, or ``None``; raises what ``read`` raised."""
        if key not in self._waiting:
            self._waiting[key] = asyncio.get_running_loop().create_future()
        future = self._waiting[key]
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_all())
        return await asyncio.shield(future)

    async def _read_all(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[:GROUP_KEYS_MAX]
                await self._answer({key: self._waiting.pop(key) for key in keys})
        finally:
            self._reading = None

    async def _answer(self, asked: dict[K, asyncio.Future[V | None]]) -> None:
        try:
            found = await self._read(list(asked))
        except Exception as error:  # noqa: BLE001  every caller of this read gets it
            for future in asked.values():
                future.set_exception(error)
        else:
            for key, future in asked.items():
                future.set_result(found.get(key))
