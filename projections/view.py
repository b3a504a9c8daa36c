"""A view: a table with one row a permit, and the function that folds an event into the row.

What a row shows of a person is sealed in the table; it is opened for the events that change it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar, cast

import orjson
from psycopg import Connection
from psycopg.rows import class_row

from domain.events import PermitEvent
from domain.personal import ERASED
from ledger.blind_index import BlindIndex
from ledger.holder_keys import Keys, require
from ledger.named_sql import Queries

from . import electronic, physical
from .face import Face, SealedFace
from .search import SearchEntry, SearchView
from .track import CHANGES_FACE, TrackRow


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

    def apply(self, connection: Connection[Any], events: Iterable[PermitEvent], keys: Keys) -> None:
        """Fold a page of events, in order, in two statements: load what is touched, write it.

        ``keys`` are those of the holders whose details the events hold.

        Raises:
            SealBroken: a face in the table can't be opened; nothing was written.
        """
        events = list(events)
        touched = list({event.originator_id for event in events})
        before = self._load(connection, touched)
        rows: dict[str, Row] = dict(before)
        for event in events:
            row = rows.get(event.originator_id)
            if isinstance(event, CHANGES_FACE) and isinstance(row, TrackRow):
                row = cast("Row", self._opened(row, keys))
            row = self.evolve(row, event)
            if row is not None:
                rows[event.originator_id] = row
        changed = [row for number, row in rows.items() if row != before.get(number)]
        if changed:
            columns = [self._columns(row, keys) for row in changed]
            connection.execute(self._sql.save, [orjson.dumps(columns).decode()])

    def _load(self, connection: Connection[Any], numbers: list[str]) -> dict[str, Row]:
        with connection.cursor(row_factory=class_row(self.row_type)) as cursor:
            rows = cursor.execute(self._sql.load, [numbers]).fetchall()
        return {row.permit_number: _with_face(row) for row in rows}

    def _opened(self, row: TrackRow, keys: Keys) -> TrackRow:
        if not isinstance(row.face, SealedFace):
            return row
        key = require(keys, row.holder_id)
        face = ERASED if key is ERASED else row.face.open(key, self.name, row.permit_number)
        return replace(row, face=face)

    def _columns(self, row: Row, keys: Keys) -> dict[str, object]:
        """The row as the table has it."""
        columns = {field.name: getattr(row, field.name) for field in fields(cast("Any", row))}
        if isinstance(row, TrackRow):
            columns["face"] = self._box(row, keys)
        return columns

    def _box(self, row: TrackRow, keys: Keys) -> str | None:
        face = row.face
        if isinstance(face, Face):
            key = require(keys, row.holder_id)
            face = ERASED if key is ERASED else face.seal(key, self.name, row.permit_number)
        return None if face is ERASED else f"\\x{face.box.hex()}"


def _with_face(row: Row) -> Row:
    """A loaded row, whose ``face`` is still the column's bytes."""
    if not isinstance(row, TrackRow):
        return row
    return cast("Row", replace(row, face=SealedFace.of(cast("bytes | None", row.face))))


def all_views(blind_index: BlindIndex) -> list[View[Any]]:
    """Every view that shares the one position."""
    return [
        View("physical", physical.PhysicalPermit, physical.evolve),
        View("electronic", electronic.ElectronicPermit, electronic.evolve),
        View("search", SearchEntry, SearchView(blind_index).evolve),
    ]
