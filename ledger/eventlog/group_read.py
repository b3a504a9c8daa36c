"""Group reads: what coroutines ask while one read is under way goes into the next, together.

The round trip is what a small read costs; shared, it costs each of them a fraction. As with group
commits nobody waits for company: who finds it idle goes at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

KEYS_MAX = 500

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class GroupRead(Generic[K, V]):
    """Belongs to one event loop. Equal keys of one read share their answer.

    ``read`` gets up to 500 keys and returns the values of those that it found.
    """

    def __init__(self, read: Callable[[list[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._read = read
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """The value as it is after the call, or ``None``; raises what ``read`` raised."""
        if key not in self._waiting:
            self._waiting[key] = asyncio.get_running_loop().create_future()
        future = self._waiting[key]
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_on())
        return await asyncio.shield(future)

    async def _read_on(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[:KEYS_MAX]
                await self._answer({key: self._waiting.pop(key) for key in keys})
        finally:
            self._reading = None

    async def _answer(self, asked: dict[K, asyncio.Future[V | None]]) -> None:
        try:
            found = await self._read(list(asked))
        except Exception as error:  # noqa: BLE001  it belongs to those who asked
            for future in asked.values():
                future.set_exception(error)
        else:
            for key, future in asked.items():
                future.set_result(found.get(key))
