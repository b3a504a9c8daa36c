"""Where appends wait for the database, bounded in number and in bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from threading import Condition
from typing import Generic

from ledger.errors import OutcomeUnknown, Unavailable

from .pending import PendingAppend
from .work import I, R

BATCH_EVENTS_MAX = 500
BATCH_BYTES_MAX = 4 * 1024 * 1024
QUEUE_APPENDS_MAX = 2_000
QUEUE_BYTES_MAX = 64 * 1024 * 1024


class AppendQueue(Generic[I, R]):
    """Filled by many threads, emptied by one."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._tickets: deque[PendingAppend[I, R]] = deque()
        self._size_bytes = 0
        self._is_awaited = False
        self._closed = False

    def put(self, pending: PendingAppend[I, R]) -> None:
        """
        Raises:
            Unavailable: it is full, or closed.
        """
        with self._changed:
            if self._closed:
                raise Unavailable
            size_bytes = self._size_bytes + pending.size_bytes
            if len(self._tickets) >= QUEUE_APPENDS_MAX or size_bytes > QUEUE_BYTES_MAX:
                raise Unavailable("Too many commands are waiting: try again.")
            self._tickets.append(pending)
            self._size_bytes = size_bytes
            if self._is_awaited:
                self._changed.notify()

    def take_back(self, pending: PendingAppend[I, R]) -> Unavailable:
        """Its caller waits no longer; returns what to tell the caller."""
        with self._changed:
            pending.withdrawn = not pending.taken
        return Unavailable() if pending.withdrawn else OutcomeUnknown()

    def next_batch(self) -> list[PendingAppend[I, R]]:
        """What waits and is independent of each other, in order, within the bounds; waits for the
        first of it, and for nothing more. Empty when the queue is closed and at its end."""
        with self._changed:
            while not (batch := self._take_independent()) and not self._closed:
                self._is_awaited = True
                self._changed.wait()
                self._is_awaited = False
            return batch

    def close(self) -> None:
        """What waits may still be taken; what comes afterwards is refused."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _take_independent(self) -> list[PendingAppend[I, R]]:
        batch: list[PendingAppend[I, R]] = []
        deferred: list[PendingAppend[I, R]] = []
        claimed: set[Hashable] = set()
        events = size_bytes = 0
        while self._tickets and events < BATCH_EVENTS_MAX and size_bytes < BATCH_BYTES_MAX:
            pending = self._tickets.popleft()
            if pending.withdrawn:
                self._size_bytes -= pending.size_bytes
                continue
            if claimed.isdisjoint(pending.claims):
                pending.taken = True
                batch.append(pending)
                events += pending.item.rows
                size_bytes += pending.size_bytes
            else:
                deferred.append(pending)
            claimed |= pending.claims
        self._tickets.extendleft(reversed(deferred))
        self._size_bytes -= size_bytes
        return batch
