"""Group commit: whatever waits when the database is free goes into one transaction.

One thread of the process writes. While it waits for the disk, commands queue up; when it is back it
takes all of them that are independent of each other, within bounds, and writes them together. A
command that finds it idle goes alone and at once: nobody ever waits for company.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from threading import Condition, Event, Thread

import psycopg
import structlog

from .append import Append, Losers, positions, write
from .database import Connection, translated_errors
from .errors import ConnectionLost, OutcomeUnknown, Unavailable
from .settlement import settle
from .ticket import Positions, Ticket

BATCH_EVENTS_MAX = 500
BATCH_BYTES_MAX = 4 * 1024 * 1024
QUEUE_APPENDS_MAX = 2_000
QUEUE_BYTES_MAX = 64 * 1024 * 1024
WAIT_S = 10.0
ANSWER_S = 1.0
"""How long before its caller gives up the writer gives up, to say what it knows."""
RECONNECT_S = 0.05

_log = structlog.get_logger(__name__)
_pause = Event()  # never set


class GroupCommit:
    """Safe for use by many threads. Owns one connection and one thread, both made when needed."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        committed: Callable[[], None] = lambda: None,
        wait_s: float = WAIT_S,
    ) -> None:
        """``committed`` is called after each commit and must return at once."""
        self._connect = connect
        self._committed = committed
        self.wait_s = wait_s
        """How long a caller waits."""
        self.answer_in_s = wait_s - ANSWER_S
        self._connection: Connection | None = None
        self._changed = Condition()
        self._queue: deque[Ticket] = deque()
        self._queued_bytes = 0
        self._idle = False
        self._closed = False
        self._thread: Thread | None = None

    # -- the callers' side ---------------------------------------------------------------------

    def append(self, append: Append) -> Positions:
        """Write it with whatever else is waiting; returns the positions of its events.

        Raises:
            VersionTaken, KeyTaken, HolderTaken: nothing was written.
            Unavailable: nothing was written, and nothing will be.
            OutcomeUnknown: it was sent, and the database did not say in time what became of it.
        """
        ticket = Ticket(append, self.answer_in_s)
        self.submit(ticket)
        if not ticket.wait(self.wait_s):
            raise self.given_up(ticket)
        return ticket.result()

    def close(self) -> None:
        """Write what waits, and end; what comes afterwards is refused."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread:
            self._thread.join()

    def submit(self, ticket: Ticket) -> None:
        """Queue it.

        Raises:
            Unavailable: the queue is full, or closed.
        """
        with self._changed:
            if self._closed:
                raise Unavailable
            if (
                len(self._queue) >= QUEUE_APPENDS_MAX
                or self._queued_bytes + ticket.size_bytes > QUEUE_BYTES_MAX
            ):
                raise Unavailable("Too many commands are waiting: try again.")
            self._queue.append(ticket)
            self._queued_bytes += ticket.size_bytes
            if self._idle:
                self._idle = False
                self._changed.notify()
            elif self._thread is None:
                self._thread = Thread(target=self._run, name="group-commit", daemon=True)
                self._thread.start()

    def given_up(self, ticket: Ticket) -> Unavailable:
        """Take it back, because its caller waits no longer; what to tell the caller."""
        with self._changed:
            ticket.withdrawn = not ticket.taken
        return Unavailable() if ticket.withdrawn else OutcomeUnknown()

    # -- the writer's side ---------------------------------------------------------------------

    def _run(self) -> None:
        while batch := self._next_batch():
            try:
                self._commit(batch)
            except Exception as error:  # noqa: BLE001  for every one of them somebody waits
                _log.error("group commit failed", error=type(error).__name__)
                _fail(batch, error)
        self._disconnect()

    def _next_batch(self) -> list[Ticket]:
        """What waits and is independent, in order, within the bounds; empty when closed."""
        with self._changed:
            while True:
                if batch := self._take_independent():
                    return batch
                if self._closed:
                    return []
                self._idle = True
                self._changed.wait()
                self._idle = False

    def _take_independent(self) -> list[Ticket]:
        batch: list[Ticket] = []
        deferred: list[Ticket] = []
        claimed: set[Hashable] = set()
        events = size_bytes = 0
        while self._queue and events < BATCH_EVENTS_MAX and size_bytes < BATCH_BYTES_MAX:
            ticket = self._queue.popleft()
            if ticket.withdrawn:
                self._queued_bytes -= ticket.size_bytes
                continue
            if claimed.isdisjoint(ticket.claims):
                ticket.taken = True
                batch.append(ticket)
                events += len(ticket.append.events) or 1
                size_bytes += ticket.size_bytes
            else:
                deferred.append(ticket)
            claimed |= ticket.claims
        self._queued_bytes -= size_bytes
        self._queue.extendleft(reversed(deferred))
        return batch

    def _commit(self, batch: list[Ticket]) -> None:
        """Write the batch, less those who lose; every one of it gets its answer."""
        while batch := _in_time(batch):
            connection = self._connected()
            if connection is None:
                _pause.wait(RECONNECT_S)
                continue
            try:
                outcome = write(connection, [ticket.append for ticket in batch])
            except Exception as error:  # noqa: BLE001  also of what no statement can hold
                if connection.closed:
                    batch = self._settle(batch)
                elif isinstance(error, psycopg.OperationalError) or len(batch) == 1:
                    _refuse(batch, error)
                    return
                else:  # one of them is at fault: find it, and let its neighbours pass
                    middle = len(batch) // 2
                    self._commit(batch[:middle])
                    batch = batch[middle:]
                continue
            if isinstance(outcome, int):
                _resolve(batch, positions(outcome, [ticket.append for ticket in batch]))
                self._committed()
                return
            batch = self._without_losers(batch, outcome)

    def _without_losers(self, batch: list[Ticket], losers: Losers) -> list[Ticket]:
        """The rest. Who was sent twice may have lost to itself, and has won then."""
        self._settle([ticket for n, ticket in enumerate(batch) if n in losers and ticket.in_doubt])
        for n, lost_to in losers.items():
            _fail([batch[n]], lost_to())
        return [ticket for n, ticket in enumerate(batch) if n not in losers]

    def _settle(self, batch: list[Ticket]) -> list[Ticket]:
        """Look up what became of appends whose answer was lost; returns those that never were."""
        for ticket in batch:
            ticket.in_doubt = True
        while batch := _in_time(batch):
            with suppress(psycopg.OperationalError):
                if connection := self._connected():
                    _resolve(batch, settle(connection, [ticket.append for ticket in batch]))
                    return [ticket for ticket in batch if not ticket.is_answered]
            _pause.wait(RECONNECT_S)
        return []

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


def _in_time(batch: list[Ticket]) -> list[Ticket]:
    """Those whose callers still wait; the others are told, just before they stop waiting."""
    now = time.monotonic()
    late = [ticket for ticket in batch if ticket.deadline <= now]
    for ticket in late:
        _fail([ticket], OutcomeUnknown() if ticket.in_doubt else Unavailable())
    return [ticket for ticket in batch if ticket.deadline > now] if late else batch


def _resolve(batch: Sequence[Ticket], found: Sequence[Positions | None]) -> None:
    for ticket, of_its_events in zip(batch, found, strict=True):
        ticket.positions = of_its_events
    Ticket.wake(ticket for ticket in batch if ticket.is_answered)


def _refuse(batch: Sequence[Ticket], error: Exception) -> None:
    """The database is there and said no: nothing of the batch was written."""
    try:
        with translated_errors():
            raise error
    except ConnectionLost:
        _fail(batch, Unavailable())
    except Exception as translated:  # noqa: BLE001  it is its caller's
        _fail(batch, translated)


def _fail(batch: Sequence[Ticket], error: Exception) -> None:
    unanswered = [ticket for ticket in batch if not ticket.is_answered]
    for ticket in unanswered:
        ticket.error = error
    Ticket.wake(unanswered)
