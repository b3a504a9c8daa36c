"""Permits that stand still: what could not be read or applied holds up its own permit and no other.

From the event on record here the permit's rows are left as they are, in all views; what comes later
waits in the log. Whoever reads such a permit is told so, and no check of it is good.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, cast

import structlog
from psycopg.rows import class_row

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.errors import Corrupt, Unavailable

PERMITS_MAX = 1_000
"""As many and it is not the permits: all views stand still until somebody has looked."""
LIST_ROWS_MAX = 1_000
REASON_LENGTH_MAX = 500
TRACE_LENGTH_MAX = 10_000

_sql = Queries("projections", "sql/quarantine.sql")
_log = structlog.get_logger(__name__)


class QuarantineFull(Corrupt):
    """So many permits can't be kept that something is wrong with all of them."""


class PermitQuarantined(Unavailable):
    """An event of this permit can't be read or applied: an operator has to look."""


@dataclass(frozen=True, slots=True)
class FailedEvent:
    """The first event that a permit's views do not hold, and why. ``trace`` holds no values."""

    permit_number: str
    position: int
    version: int
    topic: str
    reason: str
    trace: str
    found_by: str = "projector"


@dataclass(frozen=True, slots=True)
class QuarantinedPermit(FailedEvent):
    """A row of ``views.quarantine``; ``events_waiting`` are in the log and not in the views."""

    parked_at: datetime | None = None
    retries: int = 0
    retried_at: datetime | None = None
    events_waiting: int = 0


def parked(connection: Connection, permit_numbers: Iterable[str]) -> dict[str, int]:
    """Which of them stand still, and from which position on."""
    rows = connection.execute(_sql.parked, [list(permit_numbers)]).fetchall()
    return dict(cast("list[tuple[str, int]]", rows))


def park(connection: Connection, poison: Sequence[FailedEvent]) -> None:
    """Put these on record, in the transaction that passes over their events.

    Raises:
        QuarantineFull
    """
    if not poison:
        return
    there = cast("tuple[int]", connection.execute(_sql.count).fetchone())[0]
    if there + len(poison) > PERMITS_MAX:
        raise QuarantineFull(
            f"{there + len(poison)} permits can't be kept, and {PERMITS_MAX} is the most:"
            f" {poison[0].reason}"
        )
    for one in poison:
        connection.execute(_sql.park, _bounded(one))


def tell(poison: Iterable[FailedEvent]) -> None:
    """Log what was parked, once it is."""
    for one in poison:
        _log.error("permit parked", reason=one.reason, position=one.position)


def list_quarantined(
    connection: Connection, permit_number: str | None = None
) -> list[QuarantinedPermit]:
    """All of them, or this one, by position; at most :data:`LIST_ROWS_MAX`."""
    with connection.cursor(row_factory=class_row(QuarantinedPermit)) as cursor:
        return cursor.execute(
            _sql.list, {"permit_number": permit_number, "rows_max": LIST_ROWS_MAX}
        ).fetchall()


def retried_in_vain(connection: Connection, poison: FailedEvent) -> None:
    """It still stands still, and for this reason."""
    connection.execute(_sql.retried_in_vain, _bounded(poison))


def release(connection: Connection, permit_number: str) -> None:
    """Its views hold all of its events again."""
    connection.execute(_sql.release, [permit_number])


def _bounded(poison: FailedEvent) -> dict[str, Any]:
    return {
        **asdict(poison),
        "reason": poison.reason[:REASON_LENGTH_MAX],
        "trace": poison.trace[-TRACE_LENGTH_MAX:],
    }
