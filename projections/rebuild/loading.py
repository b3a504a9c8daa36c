"""Filling a view's next generation: permit by permit from the log, each row written once.

The log is read in the order of its permits, in ranges of permit numbers, which several processes
share. However long a permit's history is, no row is read, and none is written twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from eventsourcing.persistence import Notification
from psycopg import sql
from psycopg.rows import tuple_row

from domain.printed_number import ALPHABET
from ledger.database.connections import Connection, connect
from ledger.database.named_sql import Queries
from ledger.database.rows import rows
from ledger.eventlog.follow import notification
from ledger.processes.parent import exit_with_parent
from projections.projector.folding import Folder
from projections.projector.pages import EventOpener
from projections.projector.quarantine import FailedEvent
from projections.projector.writing import not_quarantined
from projections.views.generation import Generation
from projections.views.view import Record, View

CHUNK_EVENTS = 2_000
IN_PROCESS_EVENTS_MAX = 20_000
"""Starting processes takes longer than so few events."""
LONG_LOG_EVENTS = 200_000

Range = tuple[str | None, str | None]
"""Permit numbers from the first (inclusive) to the second (exclusive); ``None``: no bound."""
Parts = tuple[list[View[Any]], EventOpener]

_sql = Queries("projections", "sql/generations.sql")


@dataclass(frozen=True, slots=True)
class Source:
    """What a worker process needs; ``parts`` makes views and an opener, and can be pickled."""

    database_url: str
    parts: Callable[[], Parts]
    view: str
    until: int


@dataclass(slots=True)
class Loaded:
    """How much was loaded; ``failed`` are the events of permits whose rows are incomplete."""

    permits: int
    events: int
    failed: list[FailedEvent]

    def add(self, other: Loaded) -> None:
        self.permits += other.permits
        self.events += other.events
        self.failed += other.failed


def load(source: Source, events: int, workers: int, progress: Callable[[int, int], None]) -> Loaded:
    """Fill ``views_next``, by several processes where that is faster.

    Args:
        events: about how many there are.

    Raises:
        Unavailable, psycopg.Error: the table is incomplete.
    """
    total = Loaded(0, 0, [])
    with connect(source.database_url, application_name="permit-ledger rebuild") as connection:
        ranges = _ranges(connection, events)
    if workers == 1 or events <= IN_PROCESS_EVENTS_MAX:
        with _Loader(source) as loader:
            for each in ranges:
                total.add(loader.load(each))
                progress(total.events, events)
        return total
    with ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=_open_loader, initargs=(source,)
    ) as pool:
        for done in as_completed([pool.submit(_load, each) for each in ranges]):
            total.add(done.result())
            progress(total.events, events)
    return total


def _ranges(connection: Connection, events: int) -> list[Range]:
    """Ranges of about equal size, since permit numbers are random; a single one where the database
    sorts them in another order than Python does."""
    bounds = [*ALPHABET[1:]]
    if events > LONG_LOG_EVENTS:
        bounds = [one + other for one in ALPHABET for other in ALPHABET][1:]
    if connection.execute(_sql.is_ascending, {"bounds": bounds}).fetchone() != (True,):
        return [(None, None)]
    return list(zip([None, *bounds], [*bounds, None], strict=True))


class _Loader:
    """Owns one connection to read with and one to write with."""

    def __init__(self, source: Source) -> None:
        views, self._opener = source.parts()
        self._view = next(view for view in views if view.name == source.view)
        self._folder = Folder([self._view], self._opener.describe)
        self._until = source.until
        self._reading = connect(source.database_url, application_name="permit-ledger rebuild")
        self._writing = connect(source.database_url, application_name="permit-ledger rebuild")
        self._writing.execute("SET synchronous_commit = off")
        columns = rows(self._writing, _sql.columns, [f"{Generation.NEXT}.{self._view.table}"])
        self._types = {column: type_name for column, type_name in columns}  # noqa: C416  typed so

    def __enter__(self) -> _Loader:
        return self

    def __exit__(self, *_: object) -> None:
        self._reading.close()
        self._writing.close()

    def load(self, within: Range) -> Loaded:
        loaded = Loaded(0, 0, [])
        with self._reading.transaction(), self._writing.transaction():
            for stored in self._whole_permits(within):
                page = self._opener.open(self._reading, stored)
                # COPY would truncate a number to its column's size: what a row cannot hold is left
                # out by the quarantine, not by the database.
                mine = not_quarantined(self._reading, page)
                folded = self._folder.fold(page, mine, lambda _number: [None])
                records = [row for [row] in folded.records.values() if row is not None]
                self._copy(records)
                loaded.add(Loaded(len(records), len(stored), folded.failed))
        return loaded

    def _whole_permits(self, within: Range) -> Iterator[list[Notification]]:
        """Chunks of the range, each of whole permits."""
        lower, upper = within
        with self._reading.cursor("permits", row_factory=tuple_row, binary=True) as cursor:
            cursor.itersize = CHUNK_EVENTS
            cursor.execute(
                _sql.permits_in_range, {"until": self._until, "lower": lower, "upper": upper}
            )
            chunk: list[Notification] = []
            for event in map(notification, cursor):
                if not self._view.follows(event.topic):
                    continue
                if len(chunk) >= CHUNK_EVENTS and event.originator_id != chunk[-1].originator_id:
                    yield chunk
                    chunk = []
                chunk.append(event)
            if chunk:
                yield chunk

    def _copy(self, records: Sequence[Record]) -> None:
        columns = self._view.columns
        into = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            sql.Identifier(Generation.NEXT, self._view.table),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
        )
        with self._writing.cursor() as cursor, cursor.copy(into) as copy:
            copy.set_types([self._types[column] for column in columns])
            for record in records:
                copy.write_row([record[column] for column in columns])


_loaders: list[_Loader] = []
"""The worker process's own; it ends with the process."""


def _open_loader(source: Source) -> None:
    # Else a rebuild that is killed would leave processes that fill the next one's table.
    exit_with_parent()
    _loaders.append(_Loader(source))


def _load(within: Range) -> Loaded:
    return _loaders[0].load(within)
