"""Counts the roll-ups again from all events and checks, beside the live ones; and repairs them.

The recount is a second file. Each page of subjects is one transaction of it with the place that was
reached, so that a recount that was stopped continues there; if events were added meanwhile, it
starts again. What differs is replaced in one transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from threading import Event
from typing import NamedTuple

from ledger.database.named_sql import Queries

from .rollups import (
    ROLLUPS,
    Cells,
    Check,
    Past,
    cells_of_check,
    cells_of_checked_permit,
    cells_of_subject,
)
from .sink import CHECKS, Sink, add, clear, layout, remove, rules, table_texts, transaction

FILE = "recount.sqlite"
CELLS_MAX = 100_000
"""So many are added in one transaction, and are in memory until then."""
PAGE_EVENTS = 1_000
PAGE_CHECKS = 5_000
PAGE_PERMITS = 500

_sql = Queries("consumers.analytics", "sql/recount.sql")

Progress = Callable[[str, int, int], None]
"""Called with what is counted, how much of it is done, and how much there is."""


class Difference(NamedTuple):
    """Cells of a roll-up that only one side has; a cell with another number is on both."""

    rollup: str
    live: int
    recounted: int


def recount(sink: Sink, progress: Progress, stop: Event | None = None) -> list[Difference] | None:
    """Count again and repair the roll-ups.

    Returns:
        What differed; ``None`` if it was stopped, to be continued by the next call.
    """
    stop = stop or Event()
    file = sink.folder / FILE
    with _attached(sink.connection, file):
        for count in (_subjects, _checks, _checked_permits):
            for what, done, of in count(sink):
                progress(what, done, of)
                if stop.is_set():
                    return None
        clear(sink.connection, "recount")
        differences = _differences(sink.connection)
        with transaction(sink.connection):
            for difference in differences:
                name = difference.rollup
                sink.connection.execute(f"DELETE FROM main.{name}")  # noqa: S608  our own names
                sink.connection.execute(f"INSERT INTO main.{name} SELECT * FROM recount.{name}")  # noqa: S608
            sink.connection.execute(_sql.keep_rules, [rules()])
    remove(file)
    return differences


Step = tuple[str, int, int]


def _subjects(sink: Sink) -> Iterator[Step]:
    connection, of = sink.connection, sink.vitals()["events"]
    while True:
        after, done, *_ = connection.execute(_sql.reached).fetchone()
        cells, counted = Cells(), 0
        while len(cells) < CELLS_MAX and (page := _page(sink, after)):
            for subject, past in page:
                cells.update(cells_of_subject(subject, past))
                counted += len(past)
            after = page[-1][0]
        if not counted:
            return
        with transaction(connection):
            add(connection, cells, "recount")
            connection.execute(_sql.reached_subject, [after, counted])
        yield "events", done + counted, of


def _page(sink: Sink, after: str) -> list[tuple[str, list[Past]]]:
    """Return the next subjects with all of their events."""
    found = sink.connection.execute(_sql.next_events, [after, PAGE_EVENTS]).fetchall()
    page = [
        (subject, [Past._make(row[1:]) for row in rows])
        for subject, rows in groupby(found, key=lambda row: str(row[0]))
    ]
    if len(found) == PAGE_EVENTS:  # the last one may go on
        last, _ = page.pop()
        page = page or [(last, sink.history(last))]
    return page


def _checks(sink: Sink) -> Iterator[Step]:
    connection, marks = sink.connection, sink.marks(CHECKS)
    of = marks[0].position if marks else 0
    while True:
        *_, after = connection.execute(_sql.reached).fetchone()
        page = connection.execute(_sql.next_checks, [after, PAGE_CHECKS]).fetchall()
        if not page:
            return
        cells = Cells()
        for row in page:
            cells.update(cells_of_check(Check._make(row)))
        with transaction(connection):
            add(connection, cells, "recount")
            connection.execute(_sql.reached_check, [page[-1][0]])
        yield "checks", page[-1][0], of


def _checked_permits(sink: Sink) -> Iterator[Step]:
    connection, done = sink.connection, 0
    [of] = connection.execute(_sql.count_checked_permits).fetchone()
    while True:
        _, _, after, _ = connection.execute(_sql.reached).fetchone()
        page = connection.execute(_sql.next_checked_permits, [after, PAGE_PERMITS]).fetchall()
        if not page:
            return
        cells = Cells()
        for (number,) in page:
            cells.update(cells_of_checked_permit(number, sink.checks_of(number)))
        with transaction(connection):
            add(connection, cells, "recount")
            connection.execute(_sql.reached_permit, [page[-1][0]])
        done += len(page)
        yield "checked permits", done, of


def _differences(connection: sqlite3.Connection) -> list[Difference]:
    found = []
    for name in ROLLUPS:
        here, there = (
            connection.execute(
                f"SELECT count(*) FROM (SELECT * FROM {one}.{name} EXCEPT"  # noqa: S608  our own names
                f" SELECT * FROM {other}.{name})"
            ).fetchone()[0]
            for one, other in (("main", "recount"), ("recount", "main"))
        )
        if here or there:
            found.append(Difference(name, here, there))
    return found


@contextmanager
def _attached(connection: sqlite3.Connection, file: Path) -> Iterator[None]:
    """The recount's file as the schema ``recount`` of the connection; a new one unless it counts
    the same events by the same rules."""
    [marks] = connection.execute(_sql.marks).fetchone()
    state = f"{layout()} {rules()}", marks
    _attach(connection, file)
    try:
        if _state(connection) != state:
            connection.execute("DETACH recount")
            remove(file)
            _attach(connection, file)
            with transaction(connection):
                for text in table_texts():
                    connection.execute(text.replace("CREATE TABLE ", "CREATE TABLE recount."))
                connection.execute(_sql.begin)
                connection.execute(_sql.start, state)
        yield
    finally:
        connection.execute("DETACH recount")


def _attach(connection: sqlite3.Connection, file: Path) -> None:
    file.touch(0o600)
    connection.execute("ATTACH ? AS recount", [str(file.resolve())])
    connection.execute("PRAGMA recount.journal_mode = WAL").fetchall()
    connection.execute("PRAGMA recount.synchronous = NORMAL")


def _state(connection: sqlite3.Connection) -> object:
    try:
        return connection.execute(_sql.state).fetchone()
    except sqlite3.OperationalError:  # it is empty
        return None
