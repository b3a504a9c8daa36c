"""Group commit: everything that waits when the database is free goes into one transaction.

The coroutines of one event loop put items into a queue. One thread, the *writer*, takes all that
are independent of each other, within bounds, and writes them with one statement. While it waits for
the disk the queue fills up again. An item that finds the writer idle goes at once and alone: none
waits for company.

The log of events and the log of checks are both written this way. What they differ in is their
:class:`Item` and their :class:`BatchWriter`.

An item's connection may be lost before its result arrives. Its outcome is unknown then: it is
looked up in the database, never guessed, and sent again only if it was not written.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from threading import Condition, Event, Lock, Thread
from typing import Any, Generic, Protocol, TypeVar

import psycopg
import structlog
from psycopg.errors import ProgramLimitExceeded, ReadOnlySqlTransaction

from ledger.database.connections import APPEND_STATEMENT_S, Connection, hang_up, translated_errors
from ledger.errors import AppendConflict, ConnectionLost, OutcomeUnknown, Unavailable

BATCH_EVENTS_MAX = 500
BATCH_BYTES_MAX = 4 * 1024 * 1024
QUEUE_APPENDS_MAX = 2_000
QUEUE_BYTES_MAX = 64 * 1024 * 1024

WAIT_S = 10.0
"""How long a caller waits."""
ANSWER_S = 1.0
"""How long before its caller the writer gives up, so that it can still report what it knows."""
SWEEP_S = 0.5
"""How often callers that have waited too long are looked for."""
RECONNECT_S = 0.05
SILENT_S = APPEND_STATEMENT_S + 1
"""After so long without a result the server is not at work any more: the network is down."""

_log = structlog.get_logger(__name__)
_pause = Event()  # never set


# -- what is committed -------------------------------------------------------------------------


class Item(Protocol):
    """One caller's part of a batch."""

    @property
    def claims(self) -> AbstractSet[Hashable]:
        """What it may conflict over: items that share no claim are independent."""
        ...

    @property
    def size_bytes(self) -> int:
        """The memory that it takes, approximately."""
        ...

    @property
    def rows(self) -> int:
        """How many rows it adds to the statement, at least 1."""
        ...


I = TypeVar("I", bound=Item)  # noqa: E741  an item
R = TypeVar("R")
I_contra = TypeVar("I_contra", bound=Item, contravariant=True)
R_co = TypeVar("R_co", covariant=True)

Rejected = dict[int, type[AppendConflict]]
"""The items of a batch that conflict with what is stored, by their place."""


class BatchWriter(Protocol[I_contra, R_co]):
    """How batches of such items are written, and found again after a lost connection."""

    def write(self, connection: Connection, items: Sequence[I_contra]) -> Sequence[R_co] | Rejected:
        """Write all items with one statement, which is a transaction.

        Returns:
            Each item's result, durable on return; or, with nothing written, those in conflict.
        """
        ...

    def resolve_unknown_outcomes(
        self, connection: Connection, items: Sequence[I_contra]
    ) -> Sequence[R_co | None]:
        """Look up each item's result; ``None`` if it was not written and may be sent again.

        Waits for a commit that is under way, as of the lost connection's own server process.
        """
        ...


class PendingAppend(Generic[I, R]):
    """One item on its way to the database and back.

    Owned by the event loop until it is ``taken``, then by the writer until it is answered. The
    future is the event loop's at all times.
    """

    __slots__ = (
        *("item", "claims", "size_bytes", "deadline", "future"),  # never reassigned
        *("taken", "withdrawn"),  # guarded by the queue's mutex
        *("in_doubt", "outcome", "error"),  # the writer's
    )

    def __init__(self, item: I, answer_in_s: float, future: asyncio.Future[R]) -> None:
        """``answer_in_s`` is how long the writer may take."""
        self.item = item
        self.claims: AbstractSet[Hashable] = item.claims
        self.size_bytes = item.size_bytes
        self.deadline = time.monotonic() + answer_in_s
        self.future = future
        self.taken = False
        self.withdrawn = False
        self.in_doubt = False
        """Was sent, and the connection was lost before the outcome was known."""
        self.outcome: R | None = None
        self.error: Exception | None = None

    @property
    def is_answered(self) -> bool:
        return self.outcome is not None or self.error is not None


def deliver(batch: Sequence[PendingAppend[Any, Any]]) -> None:
    """From the writer: resolve the futures of answered appends; one wake-up for all of them."""
    if batch:
        with suppress(RuntimeError):  # the loop has ended, and with it the callers
            batch[0].future.get_loop().call_soon_threadsafe(_resolve_futures, batch)


def _resolve_futures(batch: Sequence[PendingAppend[Any, Any]]) -> None:
    """In the event loop. A future that is done was cancelled, or has waited too long."""
    for pending in batch:
        if not pending.future.done():
            if pending.error is None:
                pending.future.set_result(pending.outcome)
            else:
                pending.future.set_exception(pending.error)


# -- the queue ---------------------------------------------------------------------------------


class AppendQueue(Generic[I, R]):
    """Where appends wait for the writer, bounded in number and in bytes.

    Safe for use by many threads. Filled by the event loop, emptied by the writer.
    """

    def __init__(self) -> None:
        # Guards every field below, and ``taken`` and ``withdrawn`` of what is queued. Held for a
        # few assignments or one walk through the queue; never while calling out.
        self._changed = Condition()
        self._waiting: deque[PendingAppend[I, R]] = deque()
        self._size_bytes = 0
        self._is_awaited = False
        self._is_closed = False

    def __len__(self) -> int:
        """How many appends may still be written."""
        with self._changed:
            return sum(not pending.withdrawn for pending in self._waiting)

    @property
    def size_bytes(self) -> int:
        """The memory that they take, with those withdrawn since the last batch."""
        with self._changed:
            return self._size_bytes

    @property
    def is_closed(self) -> bool:
        with self._changed:
            return self._is_closed

    def put(self, pending: PendingAppend[I, R]) -> None:
        """
        Raises:
            Unavailable: the queue is full, or closed.
        """
        with self._changed:
            if self._is_closed:
                raise Unavailable
            size_bytes = self._size_bytes + pending.size_bytes
            if len(self._waiting) >= QUEUE_APPENDS_MAX or size_bytes > QUEUE_BYTES_MAX:
                raise Unavailable("Too many commands are waiting: try again.")
            self._waiting.append(pending)
            self._size_bytes = size_bytes
            if self._is_awaited:
                self._changed.notify()

    def take_back(self, pending: PendingAppend[I, R]) -> Unavailable:
        """Withdraw an append whose caller stops waiting; returns the error for that caller."""
        with self._changed:
            pending.withdrawn = not pending.taken
        return Unavailable() if pending.withdrawn else OutcomeUnknown()

    def next_batch(self) -> list[PendingAppend[I, R]]:
        """Take the appends that are independent of each other, in order, within the bounds.

        Waits for the first append and for no further one. Empty when the queue is closed and
        nothing is left in it.
        """
        with self._changed:
            while not (batch := self._take_independent()) and not self._is_closed:
                self._is_awaited = True
                self._changed.wait()
                self._is_awaited = False
            return batch

    def close(self) -> None:
        """Refuse further appends; those that are queued may still be taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _take_independent(self) -> list[PendingAppend[I, R]]:
        batch: list[PendingAppend[I, R]] = []
        deferred: list[PendingAppend[I, R]] = []
        claimed: set[Hashable] = set()
        events = size_bytes = 0
        while self._waiting and events < BATCH_EVENTS_MAX and size_bytes < BATCH_BYTES_MAX:
            pending = self._waiting.popleft()
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
        self._waiting.extendleft(reversed(deferred))
        self._size_bytes -= size_bytes
        return batch


# -- the group commit --------------------------------------------------------------------------


class GroupCommit(Generic[I, R]):
    """Belongs to one event loop; its thread and its connection are made when needed."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        batches: BatchWriter[I, R],
        *,
        committed: Callable[[], None] = lambda: None,
        wait_s: float = WAIT_S,
    ) -> None:
        """
        Args:
            connect: makes the writer's connection, in its thread.
            batches: writes and looks up.
            committed: is called after each commit, in the writer's thread; must return at once.
            wait_s: how long a caller waits.
        """
        # Set once.
        self._connect = connect
        self._batches = batches
        self._committed = committed
        self._wait_s = wait_s
        self._queue: AppendQueue[I, R] = AppendQueue()

        # The event loop's.
        self._awaited: set[PendingAppend[I, R]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._thread: Thread | None = None

        # The writer's. The event loop reads both under the mutex, to hang up a connection on which
        # no result has arrived for too long. So the writer holds the mutex while it clears
        # ``_asked_at``: afterwards it may close the connection, and its file descriptor may be that
        # of another one. No other lock is taken under it.
        self._connection: Connection | None = None
        self._asked_at: float | None = None
        self._asking = Lock()

    # -- in the event loop ---------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether the writer was started, and has not ended."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def is_closed(self) -> bool:
        return self._queue.is_closed

    @property
    def queued(self) -> int:
        """How many appends wait for the writer."""
        return len(self._queue)

    async def append(self, item: I) -> R:
        """Write the item together with all others that are waiting; returns its result.

        A cancelled call withdraws the item unless the writer has taken it already.

        Raises:
            VersionTaken, KeyTaken, HolderTaken: nothing was written.
            Unavailable: nothing was written, and nothing will be.
            OutcomeUnknown: the item was sent, and its outcome is not known in time.
        """
        loop = asyncio.get_running_loop()
        pending: PendingAppend[I, R] = PendingAppend(
            item, self._wait_s - ANSWER_S, loop.create_future()
        )
        if self._thread is None:
            self._start()
        self._queue.put(pending)
        # One timer bounds all waits: a timer for each would cost more than the append.
        self._awaited.add(pending)
        if self._timer is None:
            self._timer = loop.call_later(SWEEP_S, self._sweep, loop)
        try:
            return await pending.future
        except asyncio.CancelledError:
            self._take_back(pending)
            raise
        finally:
            self._awaited.discard(pending)

    def close(self) -> None:
        """Write what is queued, and end; further appends are refused. Blocks until then.

        A writer that hangs is left behind once all callers have stopped waiting.
        """
        self._queue.close()
        if self._thread:
            self._thread.join(self._wait_s)

    def _start(self) -> None:
        thread = Thread(target=self._run, name="group-commit", daemon=True)
        thread.start()
        self._thread = thread

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Fail the appends that have waited for too long, because the writer itself hangs."""
        latest = time.monotonic() - ANSWER_S
        for pending in self._awaited:
            if pending.deadline <= latest and not pending.future.done():
                pending.future.set_exception(self._take_back(pending))
        self._timer = loop.call_later(SWEEP_S, self._sweep, loop) if self._awaited else None

    def _take_back(self, pending: PendingAppend[I, R]) -> Unavailable:
        with self._asking:
            asked_at, connection = self._asked_at, self._connection
            if asked_at is not None and connection and time.monotonic() - asked_at > SILENT_S:
                hang_up(connection)
        return self._queue.take_back(pending)

    # -- in the writer's thread ----------------------------------------------------------------

    def _run(self) -> None:
        while batch := self._queue.next_batch():
            try:
                self._commit(batch)
            except Exception as error:  # noqa: BLE001  every append of the batch gets an answer
                _log.error("group commit failed", error=type(error).__name__)
                _fail(batch, error)
        self._disconnect()

    def _commit(self, batch: list[PendingAppend[I, R]]) -> None:
        """Write the batch, without those in conflict; answer every append of it."""
        while batch := _in_time(batch):
            connection = self._connected()
            if connection is None:
                _pause.wait(RECONNECT_S)
                continue
            try:
                with self._waiting_for_database():
                    outcome = self._batches.write(connection, [pending.item for pending in batch])
            except Exception as error:  # noqa: BLE001  also for values that no statement can hold
                if connection.closed:
                    batch = self._resolve_unknown_outcomes(batch)
                elif _concerns_all(error) or len(batch) == 1:
                    if isinstance(error, ReadOnlySqlTransaction):
                        self._disconnect()  # the next connection may lead to a server that writes
                    _refuse(batch, error)
                    return
                else:  # one item is at fault: find it, and write the others
                    middle = len(batch) // 2
                    self._commit(batch[:middle])
                    batch = batch[middle:]
                continue
            if isinstance(outcome, dict):
                batch = self._without_conflicts(batch, outcome)
                continue
            _succeed(batch, outcome)
            self._committed()
            return

    def _without_conflicts(
        self, batch: list[PendingAppend[I, R]], rejected: Rejected
    ) -> list[PendingAppend[I, R]]:
        """Answer the appends in conflict; returns the others.

        An append that was sent twice may conflict with its own first sending, and has succeeded.
        """
        self._resolve_unknown_outcomes(
            [pending for n, pending in enumerate(batch) if n in rejected and pending.in_doubt]
        )
        for n, conflict in rejected.items():
            _fail([batch[n]], conflict())
        return [pending for n, pending in enumerate(batch) if n not in rejected]

    def _resolve_unknown_outcomes(
        self, batch: list[PendingAppend[I, R]]
    ) -> list[PendingAppend[I, R]]:
        """Look up appends whose connection was lost; returns those that were not written."""
        for pending in batch:
            pending.in_doubt = True
        while batch := _in_time(batch):
            try:
                if connection := self._connected():
                    with self._waiting_for_database():
                        found = self._batches.resolve_unknown_outcomes(
                            connection, [pending.item for pending in batch]
                        )
                    _succeed(batch, found)
                    return [pending for pending in batch if not pending.is_answered]
            except psycopg.OperationalError:
                pass
            except psycopg.DataError:  # what can't be looked up can't have been written
                if len(batch) == 1:
                    return batch
                middle = len(batch) // 2
                return [
                    *self._resolve_unknown_outcomes(batch[:middle]),
                    *self._resolve_unknown_outcomes(batch[middle:]),
                ]
            except ReadOnlySqlTransaction:
                self._disconnect()
            _pause.wait(RECONNECT_S)
        return []

    @contextmanager
    def _waiting_for_database(self) -> Iterator[None]:
        self._asked_at = time.monotonic()
        try:
            yield
        finally:
            with self._asking:
                self._asked_at = None

    def _connected(self) -> Connection | None:
        if self._connection is None or self._connection.closed:
            self._disconnect()
            with suppress(psycopg.OperationalError):
                self._connection = self._connect()
        return self._connection

    def _disconnect(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None


def _in_time(batch: list[PendingAppend[I, R]]) -> list[PendingAppend[I, R]]:
    """The appends whose callers still wait; the others fail, just before their callers give up."""
    now = time.monotonic()
    late = [pending for pending in batch if pending.deadline <= now]
    for pending in late:
        _fail([pending], OutcomeUnknown() if pending.in_doubt else Unavailable())
    return [pending for pending in batch if pending.deadline > now] if late else batch


def _succeed(batch: Sequence[PendingAppend[Any, Any]], found: Sequence[object]) -> None:
    """Answer the appends for which there is a result."""
    for pending, outcome in zip(batch, found, strict=True):
        pending.outcome = outcome
    deliver([pending for pending in batch if pending.is_answered])


def _refuse(batch: Sequence[PendingAppend[Any, Any]], error: Exception) -> None:
    """Answer with an error of a database that is up: this time, nothing of the batch was written.

    What was sent before, over a connection that broke, may still be under way.
    """
    try:
        with translated_errors():
            raise error
    except Unavailable as translated:
        _fail([pending for pending in batch if pending.in_doubt], OutcomeUnknown())
        _fail(batch, Unavailable() if isinstance(translated, ConnectionLost) else translated)
    except Exception as translated:  # noqa: BLE001  the item's own error
        _fail(batch, translated)


def _concerns_all(error: Exception) -> bool:
    """Whether no item of a batch can be written; otherwise one of them is at fault, such as one
    that is too long for an index."""
    outages = (psycopg.OperationalError, ReadOnlySqlTransaction)
    return isinstance(error, outages) and not isinstance(error, ProgramLimitExceeded)


def _fail(batch: Sequence[PendingAppend[Any, Any]], error: Exception) -> None:
    unanswered = [pending for pending in batch if not pending.is_answered]
    for pending in unanswered:
        pending.error = error
    deliver(unanswered)
