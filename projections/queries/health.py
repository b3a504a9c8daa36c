"""How log, views, quarantine, auditor and relay are: what metrics are made of."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.rows import class_row

from ledger.database.named_sql import Queries
from ledger.eventlog.reads import Pool, read_rows

_sql = Queries("projections", "sql/vitals.sql")


@dataclass(frozen=True, slots=True)
class HealthSnapshot:
    """Positions are of the log; ``audited`` and ``differences`` are permits, counted since the
    ledger began, ``quarantined`` and ``projectors`` those that there are now.
    ``trees`` holds each tree's size, and whether it has stopped."""

    log: int
    views: int
    quarantined: int
    audited: int
    differences: int
    projectors: int
    trees: dict[str, tuple[int, bool]]
    relay: int | None
    """Where the relay to Kafka is; ``None`` where it does not know, or none has ever run."""
    relay_starts: int
    relay_stopped: bool


async def read_vitals(pool: Pool) -> HealthSnapshot:
    """In one statement.

    Raises:
        Unavailable
    """
    [vitals] = await read_rows(pool, _sql.vitals, {}, class_row(HealthSnapshot))
    return vitals
