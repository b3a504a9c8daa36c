"""Group commit: whatever waits when the database is free goes into one transaction.

One thread of the process writes. While it waits for the disk, commands queue up; when it is back it
takes all of them that are independent of each other, within bounds, and writes them together. A
command that finds it idle goes alone and at once: nobody ever waits for company.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, Thread
from typing import Any, Generic

from ledger.database.connections import Connection
from ledger.errors import Unavailable

from .append import Append
from .append_queue import AppendQueue
from .append_work import AppendWork, Positions
from .batch_writer import BatchWriter
from .pending import PendingAppend
from .work import I, R, Work

WAIT_S = 10.0
ANSWER_S = 1.0
"""How long before its caller gives up the writer gives up, to say what it knows."""


class SharedCommit(Generic[I, R]):
    """Safe for use by many threads. Its thread and its connection are made when needed."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        work: Work[I, R],
        *,
        committed: Callable[[], None] = lambda: None,
        wait_s: float = WAIT_S,
    ) -> None:
        """``committed`` is called after each commit and must return at once."""
        self.wait_s = wait_s
        """How long a caller waits."""
        self.answer_in_s = wait_s - ANSWER_S
        self._queue: AppendQueue[I, R] = AppendQueue()
        self._writer = BatchWriter(self._queue, work, connect, committed)
        self._starting = Lock()
        self._thread: Thread | None = None

    def append(self, item: I) -> R:
        """Write it with whatever else is waiting; returns what it came to.

        Raises:
            VersionTaken, KeyTaken, HolderTaken: nothing was written.
            Unavailable: nothing was written, and nothing will be.
            OutcomeUnknown: it was sent, and the database did not say in time what became of it.
        """
        pending: PendingAppend[I, R] = PendingAppend(item, self.answer_in_s)
        self.submit(pending)
        if not pending.wait(self.wait_s):
            raise self.take_back(pending)
        return pending.result()

    def submit(self, pending: PendingAppend[I, R]) -> None:
        """Queue it.

        Raises:
            Unavailable: the queue is full, or closed.
        """
        self._queue.put(pending)
        if self._thread is None:
            self._start()

    def take_back(self, pending: PendingAppend[I, R]) -> Unavailable:
        """Its caller waits no longer; returns what to tell the caller."""
        self._writer.hang_up_if_silent()
        return self._queue.take_back(pending)

    def close(self) -> None:
        """Write what waits, and end; what comes afterwards is refused.

        A writer that hangs is left behind when nobody waits for it any more.
        """
        self._queue.close()
        if self._thread:
            self._thread.join(self.wait_s)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = Thread(target=self._writer.run, name="group-commit", daemon=True)
                self._thread.start()


class GroupCommit(SharedCommit[Append, Positions]):
    """Of the log of events."""

    def __init__(self, connect: Callable[[], Connection], **how: Any) -> None:
        """``how`` is as :class:`SharedCommit` has it."""
        super().__init__(connect, AppendWork(), **how)
