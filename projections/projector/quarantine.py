"""The quarantine: an event that could not be read or applied stops its own permit and no other.

The permit's rows stay as they were before that event, in all views; later events wait in the log.
Reads of the permit report it as quarantined, and every check of it is undetermined.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import structlog
from psycopg.rows import class_row

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.database.rows import rows, scalar
from ledger.errors import Corrupt, Unavailable

PERMITS_MAX = 1_000
"""With so many, the cause is not the permits: all views are held until an operator has acted."""
LIST_ROWS_MAX = 1_000
REASON_LENGTH_MAX = 500
TRACE_LENGTH_MAX = 10_000

_sql = Queries("projections", "sql/quarantine.sql")
_log = structlog.get_logger(__name__)


class QuarantineFull(Corrupt):
    """So many permits cannot be kept that something is wrong with all of them."""


class PermitQuarantined(Unavailable):
    """An event of this permit can't be read or applied: an operator has to act."""


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


def quarantined(connection: Connection, permit_numbers: Iterable[str]) -> dict[str, int]:
    """Those of these permits that are in quarantine, each with the position of its event."""
    found = rows(connection, _sql.quarantined, [list(permit_numbers)])
    return {number: position for number, position in found}  # noqa: C416  typed so


def put_in_quarantine(connection: Connection, failed: Sequence[FailedEvent]) -> None:
    """Record these events, in the transaction that passes over them.

    Raises:
        QuarantineFull
    """
    if not failed:
        return
    total = scalar(connection, _sql.count) + len(failed)
    if total > PERMITS_MAX:
        raise QuarantineFull(
            f"{total} permits can't be kept, and {PERMITS_MAX} is the most: {failed[0].reason}"
        )
    for one in failed:
        connection.execute(_sql.put, _bounded(one))


def log_quarantined(failed: Iterable[FailedEvent]) -> None:
    """Log what was put in quarantine, after its transaction."""
    for one in failed:
        _log.error("permit quarantined", reason=one.reason, position=one.position)


def list_quarantined(
    connection: Connection, permit_number: str | None = None
) -> list[QuarantinedPermit]:
    """All quarantined permits, or this one, by position; at most :data:`LIST_ROWS_MAX`."""
    with connection.cursor(row_factory=class_row(QuarantinedPermit)) as cursor:
        return cursor.execute(
            _sql.list, {"permit_number": permit_number, "rows_max": LIST_ROWS_MAX}
        ).fetchall()


def record_failed_retry(connection: Connection, failed: FailedEvent) -> None:
    """Keep the permit in quarantine, for this event from now on."""
    connection.execute(_sql.record_failed_retry, _bounded(failed))


def release(connection: Connection, permit_number: str) -> None:
    """Release a permit whose views hold all of its events again."""
    connection.execute(_sql.release, [permit_number])


def _bounded(failed: FailedEvent) -> dict[str, Any]:
    return {
        **asdict(failed),
        "reason": failed.reason[:REASON_LENGTH_MAX],
        "trace": failed.trace[-TRACE_LENGTH_MAX:],
    }
