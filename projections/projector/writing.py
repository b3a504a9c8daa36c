"""Writing a page into some views of one generation, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import DataError, IntegrityError
from psycopg.errors import ProgramLimitExceeded

from domain.stream_types import ERASURES
from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from projections.views.generation import Generation
from projections.views.view import View

from .folding import Folder, Records, Rows
from .pages import Describe, Page
from .quarantine import FailedEvent, quarantined

ROW_ERRORS = (DataError, IntegrityError, ProgramLimitExceeded)
"""PostgreSQL's errors for a row that it cannot hold. Any other error (a missing table or
privilege, a server that stops) is not one permit's."""

_sql = Queries("projections", "sql/generations.sql")


def not_quarantined(connection: Connection, page: Page) -> dict[str, list[int]]:
    """The indexes of the events to be folded, by permit: of a quarantined permit, those before the
    event that it is quarantined for."""
    mine = page.by_permit
    for number, position in quarantined(connection, mine).items():
        mine[number] = [n for n in mine[number] if page.stored[n].id < position]
        if not mine[number]:
            del mine[number]
    return mine


class ViewWriter:
    """Folds a page into the rows of its permits, with a few statements a view."""

    def __init__(
        self,
        views: Sequence[View[Any]],
        describe: Describe,
        generation: Generation = Generation.LIVE,
    ) -> None:
        self._views = views
        self._generation = generation
        self._folder = Folder(views, describe)

    def write(
        self, connection: Connection, page: Page, *, careful: bool = False
    ) -> list[FailedEvent]:
        """Write a page; returns the events that failed. Their permits' rows stay as they were
        before them.

        Args:
            careful: find the permits whose rows the database refuses, at the price of savepoints.
                Without it such a row is an error, which aborts the transaction.

        Raises:
            Unavailable, psycopg.Error: the transaction must not be committed.
        """
        mine = not_quarantined(connection, page)
        folded = self._folder.fold(page, mine, self._rows_before(connection, page, mine))
        if careful:
            folded.failed += self._save_each(connection, folded.records, page, mine)
        else:
            self._save(connection, folded.records.values())
        if self._generation is Generation.LIVE:
            self._forget_elsewhere(connection, page)
        return folded.failed

    def _rows_before(self, connection: Connection, page: Page, mine: dict[str, list[int]]) -> Any:
        """Load the rows of all permits that begin before the page at once; a second request for a
        permit's rows loads them again."""
        views, generation = self._views, self._generation
        begun = [
            (number, first.topic)
            for number, places in mine.items()
            if (first := page.stored[places[0]]).originator_version > 1
        ]
        loaded = []
        for view in views:
            numbers = [number for number, topic in begun if view.follows(topic)]
            is_read = view.reads_rows and numbers
            loaded.append(view.load(connection, numbers, generation) if is_read else {})
        given: set[str] = set()

        def fresh(number: str) -> Rows:
            if number in given:
                return [
                    view.load(connection, [number], generation).get(number)
                    if view.reads_rows
                    else None
                    for view in views
                ]
            given.add(number)
            return [rows.get(number) for rows in loaded]

        return fresh

    def _save(self, connection: Connection, all_records: Iterable[Records]) -> None:
        all_records = list(all_records)
        for n, view in enumerate(self._views):
            view.save(
                connection,
                [record for records in all_records if (record := records[n]) is not None],
                self._generation,
            )

    def _save_each(
        self,
        connection: Connection,
        records: dict[str, Records],
        page: Page,
        mine: dict[str, list[int]],
    ) -> list[FailedEvent]:
        """Write each permit's rows or none; halve the page until the failing ones are found."""
        if not records:
            return []
        try:
            with connection.transaction():
                self._save(connection, records.values())
        except ROW_ERRORS as error:
            numbers = list(records)
            if len(numbers) == 1:
                return [self._folder.failed_event(page.stored[mine[numbers[0]][0]], error)]
            middle = len(numbers) // 2
            halves = (numbers[:middle], numbers[middle:])
            return [
                failed
                for half in halves
                for failed in self._save_each(
                    connection, {number: records[number] for number in half}, page, mine
                )
            ]
        return []

    def _forget_elsewhere(self, connection: Connection, page: Page) -> None:
        """Erase permits from builds that are kept, which do not follow the log."""
        erased = [e.originator_id for e in page.events if isinstance(e, ERASURES)]
        if erased:
            connection.execute(_sql.forget, [erased])
