"""Requests that wait for a condition: a bounded number, and none once the service stops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from .admission import Admission

POLL_S = 0.05
WAITING_MAX = 500


class Waits:
    """All waits of this process."""

    def __init__(self, waiting_max: int = WAITING_MAX) -> None:
        self._admission = Admission(waiting_max, "Too many are waiting for this: try again.")
        self._is_closed = False

    async def until(self, is_there: Callable[[], Awaitable[bool]], timeout_s: float) -> bool:
        """Poll until ``is_there``, at least once; return whether it was within ``timeout_s``.

        Raises:
            Unavailable: too many are waiting.
        """
        if await is_there():
            return True
        if not timeout_s:
            return False
        with self._admission.place():
            until = time.monotonic() + timeout_s
            while time.monotonic() < until and not self._is_closed:
                await asyncio.sleep(POLL_S)
                if await is_there():
                    return True
        return False

    def close(self) -> None:
        """End all waits at their next poll."""
        self._is_closed = True
