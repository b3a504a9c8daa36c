"""Requests that wait for something to come: so many at most, and none when the service stops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from ledger.errors import Unavailable

POLL_S = 0.05
WAITING_MAX = 500


class Waits:
    """Of one kind, in this process."""

    def __init__(self, waiting_max: int = WAITING_MAX) -> None:
        self._waiting_max = waiting_max
        self._waiting = 0
        self._is_closed = False

    async def until(self, is_there: Callable[[], Awaitable[bool]], timeout_s: float) -> bool:
        """Whether it was there within ``timeout_s`` seconds; asks once in any case.

        Raises:
            Unavailable: too many wait.
        """
        if await is_there():
            return True
        if not timeout_s:
            return False
        if self._waiting >= self._waiting_max:
            raise Unavailable("Too many are waiting for this: try again.")
        self._waiting += 1
        try:
            return await self._poll(is_there, time.monotonic() + timeout_s)
        finally:
            self._waiting -= 1

    async def _poll(self, is_there: Callable[[], Awaitable[bool]], until: float) -> bool:
        while time.monotonic() < until and not self._is_closed:
            await asyncio.sleep(POLL_S)
            if await is_there():
                return True
        return False

    def close(self) -> None:
        self._is_closed = True
