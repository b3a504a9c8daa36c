"""Large batches of appends, each written completely or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from threading import Lock

import psycopg

from ledger.database.connections import Connection, connect_for_bulk, translated_errors
from ledger.errors import ConnectionLost, OutcomeUnknown, Unavailable

from .append import Append, positions, resolve_unknown_outcomes, write
from .group_commit import Rejected


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
            outcome = write(connection, appends)
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
