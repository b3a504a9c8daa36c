"""Who looked into the audit: on record before anything is answered, refused ones too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ledger.database.connections import translated_errors
from ledger.database.named_sql import Queries
from ledger.errors import ConnectionLost, Unavailable
from ledger.eventlog.reads import Pool, read_rows

READS_MAX = 200
"""In one answer."""

_sql = Queries("ledger", "sql/audit.sql")


@dataclass(frozen=True, slots=True)
class AuditRead:
    """Who asked for what of which stream, in which case, and what became of it.

    ``subject`` is the stream's name, a permit's number for one; ``parameters`` are those of the
    request that say nothing of a person.
    """

    read_at: datetime
    reader: str
    case: str | None
    what: str
    subject: str | None
    parameters: Mapping[str, str]
    outcome: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class RecordedRead:
    """One that is on record."""

    position: int
    read_id: UUID
    read: AuditRead


class AuditReads:
    """Borrows a connection for each."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def record(self, read: AuditRead) -> None:
        """Put it on record; returns once that is durable.

        Raises:
            Unavailable: it is not on record, as far as is known: nothing may be answered.
        """
        parameters: dict[str, Any] = {
            "read_id": uuid4(),
            "read_at": read.read_at,
            "reader": read.reader,
            "case": read.case,
            "what": read.what,
            "subject": read.subject,
            "parameters": Jsonb(dict(read.parameters)),
            "outcome": read.outcome,
            "correlation_id": read.correlation_id,
        }
        try:
            try:
                await self._write(parameters)
            except ConnectionLost:
                with translated_errors():
                    await self._pool.check()
                await self._write(parameters)
        except psycopg.Error as error:
            raise Unavailable("A look into the audit can't be put on record.") from error

    async def _write(self, parameters: Mapping[str, Any]) -> None:
        with translated_errors():
            async with self._pool.connection() as connection, connection.transaction():
                # Whatever the server's default is: an answer that was given is on record.
                await connection.execute("SET LOCAL synchronous_commit = on")
                await connection.execute(cast("Any", _sql.record_read), parameters)

    async def recent(self, subject: str | None, before: int, limit: int) -> list[RecordedRead]:
        """The newest first; of one subject or of all.

        Raises:
            Unavailable
        """
        rows = await read_rows(
            self._pool,
            _sql.reads,
            {"subject": subject, "before": before, "limit": min(limit, READS_MAX)},
            dict_row,
        )
        return [
            RecordedRead(
                row["position"],
                row["read_id"],
                AuditRead(
                    read_at=row["read_at"],
                    reader=row["reader"],
                    case=row["case_number"],
                    what=row["what"],
                    subject=row["subject"],
                    parameters=row["parameters"],
                    outcome=row["outcome"],
                    correlation_id=row["correlation_id"],
                ),
            )
            for row in rows
        ]
