"""A station's work list: the permits that it has issued, and what has to be done about them.

Which list a permit is in follows from its facts and the date, so it gets there by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, LiteralString, NamedTuple

from domain.calendar import ONE_DAY, last_anniversary_open_on
from domain.events import End
from domain.standing import Facts
from ledger.database.named_sql import Queries

from .one_instant import of_one_instant
from .permits import ReadPool, facts_in

ROWS_MAX = 200
"""In one page."""
COUNTED_MAX = 1000
"""No list is counted further."""
CLOSING_DAYS = 7
"""A window counts as closing from so many days before its last day. [D]"""

_sql = Queries("projections", "sql/work_list.sql")


class ListedStatus(StrEnum):
    """A permit's status, or its card's."""

    IN_FORCE = "in_force"
    USE_SUSPENDED = "use_suspended"
    ENDED = "ended"
    VOIDED = "voided"
    REPORTED_LOST = "reported_lost"
    """The card, of a permit that has not ended."""
    WAITING_FOR_COLLECTION = "waiting_for_collection"
    """The card in use was made and not collected; of a permit that has not ended."""


class EndorsementWindow(StrEnum):
    OPEN = "open"
    """It is open today."""
    CLOSING = "closing"
    """It is open, and closes within :data:`CLOSING_DAYS`."""
    OVERDUE = "overdue"
    """It has closed without an endorsement: the permit's use is suspended."""


class NotAPlace(ValueError):
    """No place of this list."""


class Place(NamedTuple):
    """A permit's place in its list's order."""

    at: date | datetime
    permit_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which of a station's permits: those to which all of it applies."""

    station: str
    today: date
    status: ListedStatus | None = None
    window: EndorsementWindow | None = None
    updated_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A permit in a list; the electronic track's facts are among its facts."""

    facts: Facts
    place: Place
    updated_at: datetime
    card_due_on: date
    card_delivered_on: date | None


@dataclass(frozen=True, slots=True)
class WorkPage:
    """A page of a list. ``next_place`` is where the next one begins; ``quarantined`` are the
    numbers of permits on this page whose rows are incomplete, and left out."""

    as_of_position: int
    head: int
    permits: Sequence[Listed]
    quarantined: Sequence[str]
    next_place: Place | None
    counts: Mapping[str, int]
    """Of the station's lists, each up to :data:`COUNTED_MAX`; empty after the first page."""


class _List(NamedTuple):
    """A query, and where its order begins."""

    query: LiteralString
    start: Place


_FIRST_INSTANT, _LAST_INSTANT = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_DUE = _List(_sql.due, Place(date.min, ""))
_OVERDUE = _List(_sql.overdue, Place(date.max, ""))
_WAITING = _List(_sql.waiting, Place(date.min, ""))
_LOST = _List(_sql.lost, Place(_LAST_INSTANT, ""))
_ENDED = _List(_sql.ended, Place(_LAST_INSTANT, ""))
_UPDATED = _List(_sql.updated, Place(_LAST_INSTANT, ""))


class WorkListReader:
    """Borrows a connection for each read."""

    def __init__(self, pool: ReadPool) -> None:
        self._pool = pool

    async def page(self, selection: Selection, before: Place | None, rows_max: int) -> WorkPage:
        """The next page of a list.

        Raises:
            NotAPlace: ``before`` is a place of another list.
            Unavailable
        """
        chosen = _list(selection)
        if before and type(before.at) is not type(chosen.start.at):
            raise NotAPlace
        rows_max = min(rows_max, ROWS_MAX)
        parameters = _parameters(selection) | {
            "place": (before or chosen.start).at,
            "number": (before or chosen.start).permit_number,
            "rows_max": rows_max,
        }
        queries = [chosen.query] if _is_possible(selection) else []
        counted = [] if before else [_sql.counts]
        positions, found = await of_one_instant(self._pool, [*queries, *counted], parameters)
        rows = found[0] if queries else []
        return WorkPage(
            *positions,
            permits=[_listed(row) for row in rows if not row["is_quarantined"]],
            quarantined=[row["permit_number"] for row in rows if row["is_quarantined"]],
            next_place=_place(rows[-1]) if len(rows) == rows_max else None,
            counts=found[-1][0] if counted else {},
        )


def _list(selection: Selection) -> _List:
    """The list whose order and index fit; what it does not choose by is left out row by row."""
    status, window = selection.status, selection.window
    if window is EndorsementWindow.OVERDUE or status is ListedStatus.USE_SUSPENDED:
        return _OVERDUE
    if window or status is ListedStatus.IN_FORCE:
        return _DUE
    match status:
        case ListedStatus.WAITING_FOR_COLLECTION:
            return _WAITING
        case ListedStatus.REPORTED_LOST:
            return _LOST
        case ListedStatus.ENDED | ListedStatus.VOIDED:
            return _ENDED
        case _:
            return _UPDATED


_WHILE_OPEN = {None, ListedStatus.REPORTED_LOST, ListedStatus.WAITING_FOR_COLLECTION}
_POSSIBLE: Mapping[EndorsementWindow | None, Collection[ListedStatus | None]] = {
    None: {None, *ListedStatus},
    EndorsementWindow.OPEN: {*_WHILE_OPEN, ListedStatus.IN_FORCE},
    EndorsementWindow.CLOSING: {*_WHILE_OPEN, ListedStatus.IN_FORCE},
    EndorsementWindow.OVERDUE: {*_WHILE_OPEN, ListedStatus.USE_SUSPENDED},
}


def _is_possible(selection: Selection) -> bool:
    """Whether a permit can have this status in this window; what has ended has none."""
    return selection.status in _POSSIBLE[selection.window]


def _parameters(selection: Selection) -> dict[str, object]:
    status, today = selection.status, selection.today
    tomorrow, open_last = today + ONE_DAY, last_anniversary_open_on(today)
    closing_last = min(open_last, tomorrow + timedelta(days=CLOSING_DAYS))
    match selection.window:
        case EndorsementWindow.OPEN:
            first, last = tomorrow, open_last
        case EndorsementWindow.CLOSING:
            first, last = tomorrow, closing_last
        case _ if _list(selection) is _OVERDUE:
            first, last = date.min, today
        case _:
            first, last = tomorrow, date.max
    is_waiting = status is ListedStatus.WAITING_FOR_COLLECTION
    is_lost = status is ListedStatus.REPORTED_LOST
    return {
        "station": selection.station,
        "first": first,
        "last": last,
        "card_status": "reported_lost" if is_lost else "issued" if is_waiting else None,
        "is_waiting": is_waiting,
        "ended": (End.VOIDED if status is ListedStatus.VOIDED else End.ENDED).value,
        "updated_since": selection.updated_since or _FIRST_INSTANT,
        "today": today,
        "tomorrow": tomorrow,
        "open_last": open_last,
        "closing_last": closing_last,
        "counted_max": COUNTED_MAX,
    }


def _place(row: Mapping[str, Any]) -> Place:
    return Place(row["place"], row["permit_number"])


def _listed(row: Mapping[str, Any]) -> Listed:
    return Listed(
        facts=facts_in(row),
        place=_place(row),
        updated_at=row["updated_at"].astimezone(UTC),
        card_due_on=row["card_due_on"],
        card_delivered_on=row["card_delivered_on"],
    )
