"""Reading a backlog's next rows while the last ones are hashed, on a connection of its own."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from ledger.database.connections import Connection, connect

from .logs import Log, Row, read

APPLICATION_NAME = "permit-ledger integrate read"


class ReadAhead:
    """Holds at most one batch, of one log. Use it in one thread; leaving it ends its own."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="integrate-read")
        self._batch: tuple[tuple[str, int, int], Future[list[Row]]] | None = None
        self._connection: Connection | None = None  # the thread's

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.submit(self._disconnect)
        self._thread.shutdown()

    def start(self, log: Log, after: int, until: int) -> None:
        """Begin to read the rows at these positions, which are committed. Another batch that was
        read and not taken is dropped.
        """
        self._batch = (
            (log.name, after, until),
            self._thread.submit(self._read, log, after, until),
        )

    def take(self, log: Log, after: int, until: int) -> list[Row] | None:
        """The rows at these positions, if they are those that were read; the batch is given up.

        Raises:
            psycopg.Error: they could not be read.
        """
        if self._batch is None or self._batch[0][0] != log.name:
            return None
        (_, *positions), batch = self._batch
        self._batch = None
        return batch.result() if positions == [after, until] else None

    def _read(self, log: Log, after: int, until: int) -> list[Row]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._database_url, application_name=APPLICATION_NAME)
        return read(self._connection, log, after, until)

    def _disconnect(self) -> None:
        if self._connection:
            self._connection.close()
