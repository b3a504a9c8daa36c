"""Registrars' reads of personal details: each is recorded before it is answered.

Written through a group commit, like the checks, so that the reads that arrive together share one
wait for the disk. Officers' accounts are in the clear: they are kept for the holder, and an erasure
of the holder must not hide who has read what.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from ledger.database.connections import Connection, connect_to_append
from ledger.database.named_sql import Queries
from ledger.errors import Unavailable
from ledger.eventlog.group_commit import WAIT_S, GroupCommit
from ledger.eventlog.reads import Pool, read_rows

READS_MAX = 200
"""In one answer."""

ROW_BYTES = 400
"""About the size of a row."""

_sql = Queries("ledger", "sql/registrar_reads.sql")


@dataclass(frozen=True, slots=True)
class RegistrarRead:
    """What one request of a registrar has read: ``subjects`` are permits or applications, by their
    numbers; ``what`` is the kind of read."""

    read_id: UUID
    subjects: tuple[str, ...]
    read_at: datetime
    reader: str
    station: str
    what: str
    correlation_id: str

    @property
    def claims(self) -> frozenset[Hashable]:
        """None: a record can't be in conflict with another."""
        return frozenset()

    @property
    def rows(self) -> int:
        return len(self.subjects)

    @property
    def size_bytes(self) -> int:
        return ROW_BYTES * len(self.subjects)


class RecordedRegistrarRead(NamedTuple):
    """A row: the read of one permit or application."""

    position: int
    read_id: UUID
    subject: str
    read_at: datetime
    reader: str
    station: str
    what: str
    correlation_id: str


class _Writer:
    """Writes batches; a read's result is the number of its rows."""

    def write(self, connection: Connection, items: Sequence[RegistrarRead]) -> list[int]:
        rows = [(item, subject) for item in items for subject in item.subjects]
        columns = {
            "read_id": [item.read_id for item, _ in rows],
            "subject": [subject for _, subject in rows],
            "read_at": [item.read_at for item, _ in rows],
            "reader": [item.reader for item, _ in rows],
            "station": [item.station for item, _ in rows],
            "what": [item.what for item, _ in rows],
            "correlation_id": [item.correlation_id for item, _ in rows],
        }
        connection.execute(_sql.record, columns, prepare=True)
        return [item.rows for item in items]

    def resolve_unknown_outcomes(
        self, connection: Connection, items: Sequence[RegistrarRead]
    ) -> list[int | None]:
        """Have all of them sent again, which waits for a commit that is under way."""
        del connection
        return [None for _ in items]


class RegistrarReads:
    """Belongs to one event loop, except its thread; the caller closes it. Borrows a connection of
    the pool for each list."""

    def __init__(self, database_url: str, pool: Pool, *, wait_s: float = WAIT_S) -> None:
        """``wait_s`` bounds the wait for a result."""
        self._pool = pool
        self._commits: GroupCommit[RegistrarRead, int] = GroupCommit(
            lambda: connect_to_append(database_url, application_name="permit-ledger read"),
            _Writer(),
            wait_s=wait_s,
        )

    async def record(self, read: RegistrarRead) -> None:
        """Record it, with at least one subject; return once it is durable.

        Raises:
            Unavailable: it may not be recorded, so it must not be answered.
        """
        try:
            await self._commits.append(read)
        except psycopg.Error as error:
            raise Unavailable("The read can't be recorded.") from error

    async def of_subject(
        self, subject: str, before: int, limit: int
    ) -> list[RecordedRegistrarRead]:
        """The reads of one permit or application, the newest first.

        Raises:
            Unavailable
        """
        return await self._read(_sql.of_subject, subject=subject, before=before, limit=limit)

    async def of_holder(
        self, holder_id: str, before: int, limit: int
    ) -> list[RecordedRegistrarRead]:
        """The reads of all permits and applications that a holder ever had, the newest first.

        Raises:
            Unavailable
        """
        return await self._read(_sql.of_holder, holder_id=holder_id, before=before, limit=limit)

    def close(self) -> None:
        self._commits.close()

    async def _read(self, query: str, **parameters: object) -> list[RecordedRegistrarRead]:
        return await read_rows(self._pool, query, parameters, class_row(RecordedRegistrarRead))
