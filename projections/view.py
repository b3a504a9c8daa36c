"""A view: a table with one row a permit, and the function that folds an event into the row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

import orjson
from psycopg import Connection
from psycopg.rows import class_row

from domain.events import PermitEvent
from ledger.blind_index import BlindIndex
from ledger.named_sql import Queries

from . import electronic, physical
from .search import SearchEntry, SearchView


class PermitRow(Protocol):
    @property
    def permit_number(self) -> str: ...


Row = TypeVar("Row", bound=PermitRow)


@dataclass(frozen=True)
class View(Generic[Row]):
    """``evolve(row, event)`` gives the row after the event; equal rows are not written."""

    name: str
    row_type: type[Row]
    evolve: Callable[[Row | None, PermitEvent], Row | None]

    @cached_property
    def _sql(self) -> Queries:
        return Queries("projections", f"sql/{self.name}.sql")

    def apply(self, connection: Connection[Any], events: Iterable[PermitEvent]) -> None:
        """Fold a page of events, in order, in two statements: load what is touched, write it."""
        events = list(events)
        touched = list({event.originator_id for event in events})
        with connection.cursor(row_factory=class_row(self.row_type)) as cursor:
            before = {row.permit_number: row for row in cursor.execute(self._sql.load, [touched])}
        rows: dict[str, Row] = dict(before)
        for event in events:
            row = self.evolve(rows.get(event.originator_id), event)
            if row is not None:
                rows[event.originator_id] = row
        changed = [row for number, row in rows.items() if row != before.get(number)]
        if changed:
            connection.execute(self._sql.save, [orjson.dumps(changed).decode()])


def all_views(blind_index: BlindIndex) -> list[View[Any]]:
    """Every view that shares the one position."""
    return [
        View("physical", physical.PhysicalPermit, physical.evolve),
        View("electronic", electronic.ElectronicPermit, electronic.evolve),
        View("search", SearchEntry, SearchView(blind_index).evolve),
    ]
