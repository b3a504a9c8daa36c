"""Every check of a permit, on record before it is answered."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from .database import translated_errors
from .named_sql import Queries

_sql = Queries("ledger", "sql/queries.sql")


@dataclass(frozen=True, slots=True)
class Check:
    """Who asked what of which card, what was answered, and which fields were shown."""

    check_id: UUID
    checked_at: datetime
    verifier: str
    scenario: str
    track: str
    permit_number: str | None
    card_serial: int | None
    outcome: str
    reason: str | None
    fields: list[str]
    as_of_position: int

    async def record(self, connection: AsyncConnection[Any]) -> None:
        with translated_errors():
            await connection.execute(_sql.insert_check, asdict(self))
