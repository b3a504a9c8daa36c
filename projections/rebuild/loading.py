"""Filling a view's next generation: permit by permit from the log, each row written once.

The log is read in the order of its permits, in ranges of permit numbers; several processes share
the ranges. Nothing is looked up and nothing is written twice, whatever the length of a life.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any, cast

from eventsourcing.persistence import Notification
from psycopg import sql

from domain.printed_number import ALPHABET
from ledger.database.connections import Connection, connect
from ledger.database.named_sql import Queries
from ledger.eventlog.follow import notification
from projections.projector.folding import Folder
from projections.projector.opening import EventOpener
from projections.projector.quarantine import FailedEvent
from projections.projector.writing import not_quarantined
from projections.views.generation import Generation
from projections.views.view import Record, View

CHUNK_EVENTS = 2_000
IN_PROCESS_EVENTS_MAX = 20_000
"""Starting processes takes longer than so few events."""
LONG_LOG_EVENTS = 200_000

Range = tuple[str | None, str | None]
"""Permit numbers from the first, that one among them, to before the second; ``None``: no bound."""
Parts = tuple[list[View[Any]], EventOpener]

_sql = Queries("projections", "sql/generations.sql")


@dataclass(frozen=True, slots=True)
class Source:
    """Whatever a process of its own needs; ``parts`` makes views and an opener, and can be sent."""

    database_url: str
    parts: Callable[[], Parts]
    view: str
    until: int


@dataclass(slots=True)
class Loaded:
    """What went in; ``poison`` are the permits whose rows are not whole."""

    permits: int
    events: int
    poison: list[FailedEvent]

    def add(self, other: Loaded) -> None:
        self.permits += other.permits
        self.events += other.events
        self.poison += other.poison


def load(source: Source, events: int, workers: int, progress: Callable[[int, int], None]) -> Loaded:
    """Fill ``views_next``, with processes where it pays; ``events`` is about how many there are.

    Raises:
        Unavailable, psycopg.Error: the table is not whole.
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
    """Ranges of about equal size, since permit numbers are drawn; one, where the database sorts
    them in another order than we do."""
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
        self._types = dict(
            cast(
                "list[tuple[str, str]]",
                self._writing.execute(
                    _sql.columns, [f"{Generation.NEXT}.{self._view.table}"]
                ).fetchall(),
            )
        )

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
                # COPY would cut a number down to its column's size: what a row can't hold is left
                # out by the quarantine, not by the database.
                mine = not_quarantined(self._reading, page)
                folded = self._folder.fold(page, mine, lambda _number: [None])
                records = [row for [row] in folded.records.values() if row is not None]
                self._copy(records)
                loaded.add(Loaded(len(records), len(stored), folded.poison))
        return loaded

    def _whole_permits(self, within: Range) -> Iterator[list[Notification]]:
        """Chunks of the range, none of which ends within a permit."""
        lower, upper = within
        with self._reading.cursor("permits", binary=True) as cursor:
            cursor.itersize = CHUNK_EVENTS
            cursor.execute(
                _sql.permits_in_range, {"until": self._until, "lower": lower, "upper": upper}
            )
            chunk: list[Notification] = []
            for event in map(notification, cast("Iterable[tuple[object, ...]]", cursor)):
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
"""The one of a process that loads; it ends with the process."""


def _open_loader(source: Source) -> None:
    Thread(target=_end_with_parent, name="parent", daemon=True).start()
    _loaders.append(_Loader(source))


def _end_with_parent() -> None:
    """A rebuild that is killed leaves nobody who would go on filling the next one's table."""
    if parent := parent_process():
        parent.join()
        os._exit(1)


def _load(within: Range) -> Loaded:
    return _loaders[0].load(within)
