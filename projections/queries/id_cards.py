"""Reads how applications for identity cards are doing: one of them, a station's, all in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta

from psycopg.rows import DictRow, dict_row

from domain.id_cards.stages import Stage
from ledger.database.named_sql import Queries
from ledger.eventlog.reads import read_rows
from projections.projector.quarantine import PermitQuarantined
from projections.views.id_cards import IdCardRow

from .one_instant import of_one_instant
from .permits import ReadPool

ROWS_MAX = 100
"""Of each of a station's lists; their full numbers are returned in any case."""

_sql = Queries("projections", "sql/id_card_reading.sql")
_COLUMNS = tuple(field.name for field in fields(IdCardRow))


@dataclass(frozen=True, slots=True)
class Progress:
    """``row`` is ``None`` where there is no such application; ``head`` is the log's position."""

    as_of_position: int
    head: int
    row: IdCardRow | None
    is_present: bool
    """Whether the view has all of its events."""


@dataclass(frozen=True, slots=True)
class WorkList:
    """The first :data:`ROWS_MAX` rows, of ``found`` in all."""

    rows: Sequence[IdCardRow]
    found: int


@dataclass(frozen=True, slots=True)
class Work:
    """The applications that a station has to work on, as of one instant. The lists follow from the
    date: an application gets into one of them by itself."""

    as_of_position: int
    head: int
    overdue: WorkList
    due_soon: WorkList
    waiting: WorkList


@dataclass(frozen=True, slots=True)
class Counts:
    """``stages`` has every stage; ``provisional`` are those whose due date is a guess."""

    as_of_position: int
    head: int
    stages: dict[Stage, int]
    provisional: int


class IdCardReader:
    """Borrows a connection for each read."""

    def __init__(self, pool: ReadPool) -> None:
        self._pool = pool

    async def progress(self, receipt_number: str) -> Progress:
        """
        Raises:
            PermitQuarantined: an event of it can't be applied.
            Unavailable
        """
        parameters: dict[str, object] = {"receipt_number": receipt_number}
        [found] = await read_rows(self._pool, _sql.progress, parameters, dict_row)
        if found["is_quarantined"]:
            raise PermitQuarantined(
                "An event of this application can't be read: an operator has to act."
            )
        row = _row(found) if found["receipt_number"] else None
        return Progress(
            as_of_position=found["as_of_position"],
            head=found["head"],
            row=row,
            is_present=found["last_version"] == (row.version if row else None),
        )

    async def work(self, station: str, today: date, due_soon_days: int) -> Work:
        """Of the applications that a station has accepted."""
        parameters = {
            "station": station,
            "today": today,
            "soon": today + timedelta(days=due_soon_days),
            "rows_max": ROWS_MAX,
        }
        positions, lists = await of_one_instant(
            self._pool, [_sql.overdue, _sql.due_soon, _sql.waiting], parameters
        )
        return Work(*positions, *map(_work_list, lists))

    async def counts(self) -> Counts:
        positions, [rows] = await of_one_instant(self._pool, [_sql.counts], {})
        by_stage = {row["stage"]: row["applications"] for row in rows}
        stages = {stage: by_stage.get(stage, 0) for stage in Stage}
        return Counts(*positions, stages, sum(row["provisional"] for row in rows))


def _row(found: DictRow) -> IdCardRow:
    return IdCardRow(**{name: found[name] for name in _COLUMNS})


def _work_list(rows: Sequence[DictRow]) -> WorkList:
    return WorkList([_row(row) for row in rows], rows[0]["found"] if rows else 0)
