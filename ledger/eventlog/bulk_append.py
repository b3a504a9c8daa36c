"""Large batches of appends, each written completely or not at all, its events by binary COPY."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from threading import Lock

import psycopg
from psycopg.rows import scalar_row

from ledger.database.connections import Connection, connect_for_bulk, translated_errors
from ledger.database.named_sql import Queries
from ledger.errors import ConnectionLost, OutcomeUnknown, Unavailable

from .append import Append, positions, resolve_unknown_outcomes, write
from .group_commit import Rejected

_sql = Queries("ledger", "sql/queries.sql")
_COLUMN_TYPES = ("int8", "text", "int4", "text", "bytea")


class BulkWriter:
    """Safe for use by many threads, one batch at a time. Its connection is made when needed."""

    def __init__(self, database_url: str, *, committed: Callable[[], None] = lambda: None) -> None:
        """``committed`` is called after each commit."""
        self._database_url = database_url
        self._committed = committed
        self._connection: Connection | None = None  # guarded by the mutex
        self._writing = Lock()  # held for a whole batch

    def append_all(self, appends: Sequence[Append]) -> list[int]:
        """Write all appends in one transaction, or nothing; returns every event's position.

        Appends may share a stream if their versions are consecutive; no key and no person.

        Raises:
            VersionTaken, KeyTaken, HolderTaken, Unavailable: nothing was written.
            OutcomeUnknown: the connection was lost twice.
        """
        if not (appends := [append for append in appends if not append.is_empty]):
            return []
        with self._writing:
            try:
                outcome = self._write(appends)
            except ConnectionLost:
                try:
                    if (stored := self._stored(appends)) is not None:
                        return stored
                    outcome = self._write(appends)
                except Unavailable as error:
                    raise OutcomeUnknown from error
        if not isinstance(outcome, int):
            raise outcome[min(outcome)]
        return list(chain.from_iterable(positions(outcome, appends)))

    def close(self) -> None:
        with self._writing:
            if self._connection:
                self._connection.close()

    def _write(self, appends: Sequence[Append]) -> int | Rejected:
        connection = self._connected()
        with translated_errors():
            outcome = write_bulk(connection, appends)
        self._committed()
        return outcome

    def _stored(self, appends: Sequence[Append]) -> list[int] | None:
        connection = self._connected()
        with translated_errors():
            found = resolve_unknown_outcomes(connection, appends)
        written = [positions for positions in found if positions is not None]
        return list(chain.from_iterable(written)) if len(written) == len(appends) else None

    def _connected(self) -> Connection:
        """
        Raises:
            Unavailable: there is no connection to be had.
        """
        if self._connection is None or self._connection.closed:
            try:
                self._connection = connect_for_bulk(self._database_url)
            except psycopg.OperationalError as error:
                raise Unavailable from error
        return self._connection


def write_bulk(connection: Connection, appends: Sequence[Append]) -> int | Rejected:
    """As :func:`.append.write`, in a transaction of its own.

    Appends may share a stream if their versions are consecutive. A version that is taken makes the
    COPY itself fail.
    """
    n = sum(len(append.events) for append in appends)
    with connection.transaction():
        with connection.cursor(row_factory=scalar_row) as cursor:
            [head] = cursor.execute(_sql.advance_head, {"n": n}).fetchall()
        before: int = head - n
        outcome = write(connection, _without_events(appends, before))
        if not isinstance(outcome, int):
            raise psycopg.Rollback
        _copy_events(connection, before, appends)
        return before
    return outcome


def _without_events(appends: Sequence[Append], before: int) -> list[Append]:
    """Everything but the events; responses with the position that their events will have."""
    others = []
    for append, of_its_events in zip(appends, positions(before, appends), strict=True):
        answer = append.answer
        if answer and of_its_events:
            answer = replace(answer, position=of_its_events[-1])
        others.append(replace(append, events=(), answer=answer))
    return others


def _copy_events(connection: Connection, before: int, appends: Sequence[Append]) -> None:
    with connection.cursor() as cursor, cursor.copy(_sql.copy_events) as copy:
        copy.set_types(_COLUMN_TYPES)
        events = (event for append in appends for event in append.events)
        for position, e in enumerate(events, before + 1):
            copy.write_row((position, e.originator_id, e.originator_version, e.topic, e.state))
