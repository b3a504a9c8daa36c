"""One item's way through a group commit, from its caller's hand to its caller's ear."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable, Iterable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from threading import Lock
from typing import Any, Generic

from .work import I, R


class PendingAppend(Generic[I, R]):
    """A thread's: it sleeps until it is answered. Belongs to the writer once it is ``taken``."""

    __slots__ = (
        *("item", "claims", "size_bytes", "deadline"),
        *("taken", "withdrawn", "in_doubt", "outcome", "error", "_woken"),
    )

    def __init__(self, item: I, answer_in_s: float) -> None:
        """``answer_in_s`` is how long the writer may take."""
        self.item = item
        self.claims: AbstractSet[Hashable] = item.claims
        self.size_bytes = item.size_bytes
        self.deadline = time.monotonic() + answer_in_s
        self.taken = False
        self.withdrawn = False
        self.in_doubt = False
        """Was sent, and the connection was lost before the outcome was known."""
        self.outcome: R | None = None
        self.error: Exception | None = None
        self._prepare()

    def _prepare(self) -> None:
        self._woken = Lock()
        self._woken.acquire()

    def wait(self, timeout_s: float) -> bool:
        """Block until it is answered; ``False`` when that took too long."""
        return self._woken.acquire(timeout=timeout_s)

    @property
    def is_answered(self) -> bool:
        return self.outcome is not None or self.error is not None

    def result(self) -> R:
        """What it was answered with: an outcome returned, or an error raised."""
        if self.error is not None:
            raise self.error
        assert self.outcome is not None  # noqa: S101
        return self.outcome

    @staticmethod
    def wake(pendings: Iterable[PendingAppend[Any, Any]]) -> None:
        """Let the callers of answered tickets go on."""
        awaited: dict[asyncio.AbstractEventLoop, list[AwaitedAppend[Any, Any]]] = {}
        for pending in pendings:
            if isinstance(pending, AwaitedAppend):
                awaited.setdefault(pending.loop, []).append(pending)
            else:
                pending._woken.release()
        for loop, theirs in awaited.items():
            with suppress(RuntimeError):  # the loop has ended, and nobody listens any more
                loop.call_soon_threadsafe(AwaitedAppend.tell, theirs)


class AwaitedAppend(PendingAppend[I, R]):
    """A coroutine's: it awaits a future. A batch wakes a loop once, however many wait there."""

    __slots__ = ("future", "loop")

    def _prepare(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[R] = self.loop.create_future()

    @staticmethod
    def tell(pendings: Iterable[AwaitedAppend[Any, Any]]) -> None:
        """In the loop: hand each its answer, where it still waits."""
        for pending in pendings:
            if not pending.future.done():
                if pending.error is None:
                    pending.future.set_result(pending.outcome)
                else:
                    pending.future.set_exception(pending.error)
