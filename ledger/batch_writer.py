"""Writes batches, and finds out what became of them when the answer is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event

import psycopg
import structlog

from .append import Losers, positions, write
from .append_queue import AppendQueue
from .database import Connection, translated_errors
from .errors import ConnectionLost, OutcomeUnknown, Unavailable
from .settlement import settle
from .ticket import Positions, Ticket

RECONNECT_S = 0.05

_log = structlog.get_logger(__name__)
_pause = Event()  # never set


class BatchWriter:
    """One thread's; owns one connection, made when needed."""

    def __init__(
        self,
        queue: AppendQueue,
        connect: Callable[[], Connection],
        committed: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._connect = connect
        self._committed = committed
        self._connection: Connection | None = None

    def run(self) -> None:
        """Write what the queue gives, until it is closed and at its end."""
        while batch := self._queue.next_batch():
            try:
                self._commit(batch)
            except Exception as error:  # noqa: BLE001  for every one of them somebody waits
                _log.error("group commit failed", error=type(error).__name__)
                _fail(batch, error)
        self._disconnect()

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
            try:
                if connection := self._connected():
                    _resolve(batch, settle(connection, [ticket.append for ticket in batch]))
                    return [ticket for ticket in batch if not ticket.is_answered]
            except psycopg.OperationalError:
                pass
            except psycopg.DataError:  # what can't be looked for can't have been written
                if len(batch) == 1:
                    return batch
                middle = len(batch) // 2
                return [*self._settle(batch[:middle]), *self._settle(batch[middle:])]
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
    """The database is there and said no: nothing was written, unless by an earlier sending."""
    try:
        with translated_errors():
            raise error
    except Unavailable as translated:
        refusal = Unavailable() if isinstance(translated, ConnectionLost) else translated
        for ticket in batch:
            _fail([ticket], OutcomeUnknown() if ticket.in_doubt else refusal)
    except Exception as translated:  # noqa: BLE001  it is its caller's
        _fail(batch, translated)


def _fail(batch: Sequence[Ticket], error: Exception) -> None:
    unanswered = [ticket for ticket in batch if not ticket.is_answered]
    for ticket in unanswered:
        ticket.error = error
    Ticket.wake(unanswered)
