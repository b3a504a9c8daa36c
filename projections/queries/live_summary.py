"""How the ledger is doing: positions, lag, and how much of what happened today. Nothing personal.

What happened today is counted once: the log only grows, so each reading adds what is new in it. It
is counted in steps of ``STEP_EVENTS`` positions, the same ones for every process: so no one can
subtract two answers, and know what kind of event stands at one position, unless many in a row are
alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from psycopg.rows import dict_row

from domain.calendar import last_midnight, shanghai_date
from ledger.database.named_sql import Queries
from ledger.eventlog.reads import read_rows

from .permits import PermitReader, ReadPool

STEP_EVENTS = 20

_sql = Queries("projections", "sql/live.sql")


@dataclass(frozen=True, slots=True)
class LiveSummary:
    """``events_today`` counts by topic, up to the last whole step; ``today`` is the date of
    Asia/Shanghai."""

    log_position: int
    views_position: int
    today: date
    events_today: Mapping[str, int]

    @property
    def lag_events(self) -> int:
        return self.log_position - self.views_position


class LiveSummaryReader:
    """One caller at a time."""

    def __init__(self, pool: ReadPool, reader: PermitReader) -> None:
        self._pool = pool
        self._reader = reader
        self._day: date | None = None
        self._counted_upto = 0
        self._counts: Counter[str] = Counter()

    async def read(self, now: datetime) -> LiveSummary:
        """
        Raises:
            Unavailable
        """
        log, views = await self._reader.positions()
        today = shanghai_date(now)
        if today != self._day or log < self._counted_upto:
            since = last_midnight(now)
            [first] = await read_rows(self._pool, _sql.first_since, {"since": since}, dict_row)
            self._day, self._counts = today, Counter()
            self._counted_upto = first["position"] - 1
        upto = log - log % STEP_EVENTS
        if upto > self._counted_upto:
            between: dict[str, object] = {"after": self._counted_upto, "upto": upto}
            rows = await read_rows(self._pool, _sql.kinds, between, dict_row)
            self._counts.update({row["topic"]: row["times"] for row in rows})
            self._counted_upto = upto
        return LiveSummary(log, views, today, dict(self._counts))
