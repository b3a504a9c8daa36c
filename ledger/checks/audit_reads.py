"""Audit reads: each is recorded before it is answered, including refused ones."""

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
    """Who read what of which stream, for which case, with which outcome.

    ``subject`` is the stream's name, such as a permit's number; ``parameters`` are those of the
    request that are not personal.
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
    """A recorded audit read."""

    position: int
    read_id: UUID
    read: AuditRead


class AuditReads:
    """Borrows a connection of the pool for each."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def record(self, read: AuditRead) -> None:
        """Record it; return once it is durable.

        Raises:
            Unavailable: it may not be recorded, so it must not be answered.
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
            raise Unavailable("The audit read can't be recorded.") from error

    async def _write(self, parameters: Mapping[str, Any]) -> None:
        with translated_errors():
            async with self._pool.connection() as connection, connection.transaction():
                # Independent of the server's default: an answered read is recorded.
                await connection.execute("SET LOCAL synchronous_commit = on")
                await connection.execute(cast("Any", _sql.record_read), parameters)

    async def recent(
        self,
        subject: str | None,
        before: int,
        limit: int,
        *,
        case: str | None = None,
        reader: str | None = None,
    ) -> list[RecordedRead]:
        """Audit reads, the newest first, of one subject or of all, in one case or in all, by one
        reader or by all.

        Raises:
            Unavailable
        """
        rows = await read_rows(
            self._pool,
            _sql.reads,
            {
                "subject": subject,
                "case": case,
                "reader": reader,
                "before": before,
                "limit": min(limit, READS_MAX),
            },
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
