"""One append's way through the group commit, from its caller's hand to its caller's ear.

A caller is a thread, which sleeps on a lock, or a coroutine, which awaits a future of its loop. A
batch wakes each loop once, however many of its coroutines wait.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable, Iterable
from contextlib import suppress
from threading import Lock

from .append import Append

Positions = list[int]


class Ticket:
    """Belongs to its caller until it is taken from the queue, then to the writer."""

    __slots__ = (
        *("append", "claims", "size_bytes", "deadline", "in_doubt", "taken", "withdrawn"),
        *("positions", "error", "_loop", "_future", "_woken"),
    )

    def __init__(
        self, append: Append, *, answer_in_s: float, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        """``loop`` is the caller's, if it is a coroutine; ``answer_in_s`` is for the writer."""
        self.append = append
        self.claims: frozenset[Hashable] = append.claims
        self.size_bytes = append.size_bytes
        self.deadline = time.monotonic() + answer_in_s
        self.in_doubt = False
        self.taken = False
        self.withdrawn = False
        self.positions: Positions | None = None
        self.error: Exception | None = None
        self._loop = loop
        self._future: asyncio.Future[bool] | None = loop.create_future() if loop else None
        self._woken = Lock()
        self._woken.acquire()

    @property
    def is_answered(self) -> bool:
        return self.positions is not None or self.error is not None

    def wait(self, timeout_s: float) -> bool:
        """Block until it is answered; ``False`` when that took too long."""
        return self._woken.acquire(timeout=timeout_s)

    async def answered(self, timeout_s: float) -> bool:
        """Await the answer; ``False`` when that took too long."""
        assert self._loop and self._future  # noqa: S101, PT018
        timer = self._loop.call_later(timeout_s, _tell, self._future, False)
        try:
            return await self._future
        finally:
            timer.cancel()

    def result(self) -> Positions:
        """What it was answered with: positions returned, or an error raised."""
        if self.error is not None:
            raise self.error
        assert self.positions is not None  # noqa: S101
        return self.positions

    @staticmethod
    def wake(tickets: Iterable[Ticket]) -> None:
        """Let the callers of answered tickets go on."""
        by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[bool]]] = {}
        for ticket in tickets:
            if ticket._loop and ticket._future:
                by_loop.setdefault(ticket._loop, []).append(ticket._future)
            else:
                ticket._woken.release()
        for loop, futures in by_loop.items():
            with suppress(RuntimeError):  # the loop has ended, and nobody listens any more
                loop.call_soon_threadsafe(_tell_all, futures)


def _tell_all(futures: Iterable[asyncio.Future[bool]]) -> None:
    for future in futures:
        _tell(future, True)


def _tell(future: asyncio.Future[bool], answered: bool) -> None:
    if not future.done():
        future.set_result(answered)
