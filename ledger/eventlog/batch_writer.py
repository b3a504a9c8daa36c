"""Writes batches, and finds out what became of them when the answer is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Lock
from typing import Any, Generic

import psycopg
import structlog
from psycopg.errors import ProgramLimitExceeded, ReadOnlySqlTransaction

from ledger.database.connections import APPEND_STATEMENT_S, Connection, hang_up, translated_errors
from ledger.errors import ConnectionLost, OutcomeUnknown, Unavailable

from .append_queue import AppendQueue
from .pending import PendingAppend
from .work import I, R, Rejected, Work

RECONNECT_S = 0.05
SILENT_S = APPEND_STATEMENT_S + 1
"""After so long without an answer the server is not at work any more: the network is."""

_log = structlog.get_logger(__name__)
_pause = Event()  # never set


class BatchWriter(Generic[I, R]):
    """One thread's; owns one connection, made when needed."""

    def __init__(
        self,
        queue: AppendQueue[I, R],
        work: Work[I, R],
        connect: Callable[[], Connection],
        committed: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._work = work
        self._connect = connect
        self._committed = committed
        self._connection: Connection | None = None
        self._asking = Lock()
        self._asked_at: float | None = None

    def hang_up_if_silent(self) -> None:
        """For callers who have waited in vain: the writer itself can't tell."""
        with self._asking:  # the writer can't go on and close the connection meanwhile
            asked_at, connection = self._asked_at, self._connection
            if asked_at is not None and connection and time.monotonic() - asked_at > SILENT_S:
                hang_up(connection)

    def run(self) -> None:
        """Write what the queue gives, until it is closed and at its end."""
        while batch := self._queue.next_batch():
            try:
                self._commit(batch)
            except Exception as error:  # noqa: BLE001  for every one of them somebody waits
                _log.error("group commit failed", error=type(error).__name__)
                _fail(batch, error)
        self._disconnect()

    def _commit(self, batch: list[PendingAppend[I, R]]) -> None:
        """Write the batch, less those who lose; every one of it gets its answer."""
        while batch := _in_time(batch):
            connection = self._connected()
            if connection is None:
                _pause.wait(RECONNECT_S)
                continue
            try:
                with self._asks():
                    outcome = self._work.write(connection, [pending.item for pending in batch])
            except Exception as error:  # noqa: BLE001  also of what no statement can hold
                if connection.closed:
                    batch = self._settle(batch)
                elif _is_everybodys(error) or len(batch) == 1:
                    if isinstance(error, ReadOnlySqlTransaction):
                        self._disconnect()  # the next one may lead to a server that writes
                    _refuse(batch, error)
                    return
                else:  # one of them is at fault: find it, and let its neighbours pass
                    middle = len(batch) // 2
                    self._commit(batch[:middle])
                    batch = batch[middle:]
                continue
            if isinstance(outcome, dict):
                batch = self._without_losers(batch, outcome)
                continue
            _resolve(batch, outcome)
            self._committed()
            return

    def _without_losers(
        self, batch: list[PendingAppend[I, R]], rejected: Rejected
    ) -> list[PendingAppend[I, R]]:
        """The rest. Who was sent twice may have lost to itself, and has won then."""
        self._settle(
            [pending for n, pending in enumerate(batch) if n in rejected and pending.in_doubt]
        )
        for n, conflict in rejected.items():
            _fail([batch[n]], conflict())
        return [pending for n, pending in enumerate(batch) if n not in rejected]

    def _settle(self, batch: list[PendingAppend[I, R]]) -> list[PendingAppend[I, R]]:
        """Look up what became of items whose answer was lost; returns those that never were."""
        for pending in batch:
            pending.in_doubt = True
        while batch := _in_time(batch):
            try:
                if connection := self._connected():
                    with self._asks():
                        found = self._work.settle(connection, [pending.item for pending in batch])
                    _resolve(batch, found)
                    return [pending for pending in batch if not pending.is_answered]
            except psycopg.OperationalError:
                pass
            except psycopg.DataError:  # what can't be looked for can't have been written
                if len(batch) == 1:
                    return batch
                middle = len(batch) // 2
                return [*self._settle(batch[:middle]), *self._settle(batch[middle:])]
            except ReadOnlySqlTransaction:
                self._disconnect()
            _pause.wait(RECONNECT_S)
        return []

    @contextmanager
    def _asks(self) -> Iterator[None]:
        """While the database is waited for."""
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
    """Those whose callers still wait; the others are told, just before they stop waiting."""
    now = time.monotonic()
    late = [pending for pending in batch if pending.deadline <= now]
    for pending in late:
        _fail([pending], OutcomeUnknown() if pending.in_doubt else Unavailable())
    return [pending for pending in batch if pending.deadline > now] if late else batch


def _resolve(batch: Sequence[PendingAppend[Any, Any]], found: Sequence[object]) -> None:
    for pending, outcome in zip(batch, found, strict=True):
        pending.outcome = outcome
    PendingAppend.wake(pending for pending in batch if pending.is_answered)


def _refuse(batch: Sequence[PendingAppend[Any, Any]], error: Exception) -> None:
    """The database is there and said no: nothing of the batch was written this time. What was sent
    before, over a connection that broke, may be under way still, if it can be written at all."""
    try:
        with translated_errors():
            raise error
    except Unavailable as translated:
        _fail([pending for pending in batch if pending.in_doubt], OutcomeUnknown())
        _fail(batch, Unavailable() if isinstance(translated, ConnectionLost) else translated)
    except Exception as translated:  # noqa: BLE001  it is its caller's
        _fail(batch, translated)


def _is_everybodys(error: Exception) -> bool:
    """Whether no command of a batch can pass; otherwise one of them is at fault, as is one that is
    too long for an index."""
    outages = (psycopg.OperationalError, ReadOnlySqlTransaction)
    return isinstance(error, outages) and not isinstance(error, ProgramLimitExceeded)


def _fail(batch: Sequence[PendingAppend[Any, Any]], error: Exception) -> None:
    unanswered = [pending for pending in batch if not pending.is_answered]
    for pending in unanswered:
        pending.error = error
    PendingAppend.wake(unanswered)
