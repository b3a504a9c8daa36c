"""The group commit for the coroutines of one event loop."""

from __future__ import annotations

import asyncio
import time
from typing import Generic

from .group_commit import SharedCommit
from .pending import AwaitedAppend
from .work import I, R

SWEEP_S = 0.5


class AsyncAppends(Generic[I, R]):
    """Bounds each wait with one timer for all: a timer for each would cost more than the append."""

    def __init__(self, commits: SharedCommit[I, R]) -> None:
        self._commits = commits
        self._waiting: set[AwaitedAppend[I, R]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def append(self, item: I) -> R:
        """As :meth:`SharedCommit.append`; who is cancelled takes the item back if that can be."""
        pending: AwaitedAppend[I, R] = AwaitedAppend(item, self._commits.answer_in_s)
        self._commits.submit(pending)
        self._waiting.add(pending)
        if self._timer is None:
            self._timer = pending.loop.call_later(SWEEP_S, self._sweep, pending.loop)
        try:
            return await pending.future
        except asyncio.CancelledError:
            self._commits.take_back(pending)
            raise
        finally:
            self._waiting.discard(pending)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let go who has waited for too long: the writer itself hangs, or has told nobody."""
        latest = time.monotonic() - (self._commits.wait_s - self._commits.answer_in_s)
        for pending in self._waiting:
            if pending.deadline <= latest and not pending.future.done():
                pending.future.set_exception(self._commits.take_back(pending))
        self._timer = loop.call_later(SWEEP_S, self._sweep, loop) if self._waiting else None
