"""The group commit for the coroutines of one event loop."""

from __future__ import annotations

import asyncio
import time
from typing import Generic

from .group_commit import SharedCommit
from .ticket import AwaitedTicket
from .work import I, R

SWEEP_S = 0.5


class AsyncAppends(Generic[I, R]):
    """Bounds each wait with one timer for all: a timer for each would cost more than the append."""

    def __init__(self, commits: SharedCommit[I, R]) -> None:
        self._commits = commits
        self._waiting: set[AwaitedTicket[I, R]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def append(self, item: I) -> R:
        """As :meth:`SharedCommit.append`; who is cancelled takes the item back if that can be."""
        ticket: AwaitedTicket[I, R] = AwaitedTicket(item, self._commits.answer_in_s)
        self._commits.submit(ticket)
        self._waiting.add(ticket)
        if self._timer is None:
            self._timer = ticket.loop.call_later(SWEEP_S, self._sweep, ticket.loop)
        try:
            return await ticket.future
        except asyncio.CancelledError:
            self._commits.take_back(ticket)
            raise
        finally:
            self._waiting.discard(ticket)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let go who has waited for too long: the writer itself hangs, or has told nobody."""
        latest = time.monotonic() - (self._commits.wait_s - self._commits.answer_in_s)
        for ticket in self._waiting:
            if ticket.deadline <= latest and not ticket.future.done():
                ticket.future.set_exception(self._commits.take_back(ticket))
        self._timer = loop.call_later(SWEEP_S, self._sweep, loop) if self._waiting else None
