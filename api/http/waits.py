"""Requests that wait for a condition: a bounded number in all and of one client, and none once the
service stops.

Those of callers without a token have their own bound, so that they take no place of others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from .admission import Admission

POLL_S = 0.05
WAITING_MAX = 500
WAITING_A_CLIENT_MAX = 16


class Waits:
    """All waits of one kind in this process."""

    def __init__(
        self, waiting_max: int = WAITING_MAX, a_client_max: int = WAITING_A_CLIENT_MAX
    ) -> None:
        self._admission = Admission(
            waiting_max, "Too many are waiting for this: try again.", a_client_max=a_client_max
        )
        self._is_closed = False

    async def until(
        self, is_there: Callable[[], Awaitable[bool]], timeout_s: float, client: str
    ) -> bool:
        """Poll until ``is_there``, at least once; return whether it was within ``timeout_s``.

        Raises:
            HttpProblem: 429; too many of this client are waiting.
            Unavailable: too many are waiting.
        """
        if await is_there():
            return True
        if not timeout_s:
            return False
        with self._admission.place(client):
            until = time.monotonic() + timeout_s
            while time.monotonic() < until and not self._is_closed:
                await asyncio.sleep(POLL_S)
                if await is_there():
                    return True
        return False

    def close(self) -> None:
        """End all waits at their next poll."""
        self._is_closed = True
