"""A view: a table with one row a stream, and the function that folds an event into the row.

Personal data is encrypted in the table, and decrypted for the events that change it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from operator import attrgetter
from typing import Any, Generic, LiteralString, Protocol, TypeVar, cast

import orjson
from psycopg.rows import dict_row

from domain.aggregate import StreamType
from domain.personal import ERASED
from domain.stream_types import PERMITS, of_topic
from ledger.crypto.blind_index import BlindIndex
from ledger.crypto.holder_keys import Keys, require
from ledger.database.connections import Connection
from ledger.database.named_sql import Queries

from . import electronic, physical
from .face import Face, SealedFace
from .generation import Generation
from .search import SearchEntry, SearchView
from .track import TrackRow

Record = dict[str, object]
"""A row as its table has it, by column."""


class ViewRow(Protocol):
    """A dataclass with the columns of its table, the key among them."""

    @property
    def __dataclass_fields__(self) -> dict[str, Any]: ...


Row = TypeVar("Row", bound=ViewRow)


@dataclass(frozen=True)
class View(Generic[Row]):
    """A view. ``evolve(row, event)`` returns the row to write after the event, or ``None`` for
    none; it may change the row that it is given. ``reads_rows``: whether it uses that row at all.

    A view is of one stream type, whose streams' names are in the column ``key``; events of others
    only move its position.
    """

    name: str
    table: str
    row_type: type[Row]
    evolve: Callable[[Row | None, Any], Row | None]
    reads_rows: bool = True
    stream_type: StreamType = PERMITS
    key: LiteralString = "permit_number"

    def follows(self, topic: str) -> bool:
        """Whether an event of this topic is of the view's stream type. An unknown topic concerns
        every view."""
        stream_type = of_topic(topic)
        return stream_type is None or stream_type is self.stream_type

    def query(self, name: str, generation: Generation = Generation.LIVE) -> LiteralString:
        """A query of this view's own file, on the table of one generation."""
        text = getattr(self._sql, name)
        return cast("LiteralString", text.replace("{generation}", generation))

    def load(
        self,
        connection: Connection,
        numbers: Sequence[str],
        generation: Generation = Generation.LIVE,
    ) -> dict[str, Row]:
        """Load the rows of these numbers; the caller may change them."""
        with connection.cursor(binary=True, row_factory=dict_row) as cursor:
            found = cursor.execute(self.query("load", generation), [list(numbers)]).fetchall()
        return {record[self.key]: self.row(record) for record in found}

    def row(self, record: dict[str, Any]) -> Row:
        """Make a row from the columns of the table."""
        if self._has_face:
            record["face"] = SealedFace.of(record["face"])
        return self.row_type(**record)

    def open_face(self, row: Row | None, keys: Keys) -> None:
        """Decrypt a row's face, before an event that changes it (:data:`~.track.CHANGES_FACE`).

        ``keys`` are those of the holders whose data the event holds.

        Raises:
            SealBroken, KeyUnusable
        """
        if isinstance(row, TrackRow) and isinstance(row.face, SealedFace):
            key = require(keys, row.holder_id)
            row.face = ERASED if key is ERASED else row.face.open(key, self.name, row.permit_number)

    def record(self, row: Row, keys: Keys) -> Record:
        """The row as the table has it, its face encrypted.

        Raises:
            KeyUnusable: the face is open, and its holder has no key.
        """
        names, values = self._columns
        record: Record = dict(zip(names, values(row), strict=True))
        if isinstance(row, TrackRow):
            record["face"] = self._ciphertext(row, keys)
        return record

    def save(
        self,
        connection: Connection,
        records: Sequence[Record],
        generation: Generation = Generation.LIVE,
    ) -> None:
        """Insert or update rows in one statement."""
        if records:
            connection.execute(
                self.query("save", generation), [orjson.dumps(records, default=_hex).decode()]
            )

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the table's columns."""
        return self._columns[0]

    @cached_property
    def _columns(self) -> tuple[tuple[str, ...], Callable[[Row], tuple[object, ...]]]:
        names = tuple(field.name for field in fields(cast("Any", self.row_type)))
        return names, attrgetter(*names)

    @cached_property
    def _has_face(self) -> bool:
        return issubclass(self.row_type, TrackRow)

    @cached_property
    def _sql(self) -> Queries:
        return Queries("projections", f"sql/{self.name}.sql")

    def _ciphertext(self, row: TrackRow, keys: Keys) -> bytes | None:
        face = row.face
        if isinstance(face, Face):
            key = require(keys, row.holder_id)
            face = ERASED if key is ERASED else face.seal(key, self.name, row.permit_number)
        return None if face is ERASED else face.ciphertext


def _hex(value: object) -> str:
    """Bytes as PostgreSQL reads them out of JSON."""
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    raise TypeError(type(value).__name__)


PHYSICAL = View("physical", "physical_permits", physical.PhysicalPermit, physical.evolve)
ELECTRONIC = View(
    "electronic", "electronic_permits", electronic.ElectronicPermit, electronic.evolve
)


def permit_views(blind_index: BlindIndex) -> list[View[Any]]:
    """Those of the permits."""
    search = SearchView(blind_index)
    return [
        PHYSICAL,
        ELECTRONIC,
        View("search", "permit_search", SearchEntry, search.evolve, reads_rows=False),
    ]
