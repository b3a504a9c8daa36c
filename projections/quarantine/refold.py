"""A permit's rows of every view, from the log alone: as they have to be at a position.

Nothing that the views hold is used, so the rows can repair a view, or prove it wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eventsourcing.persistence import Notification

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.eventlog.follow import notification
from projections.projector.folding import Folder, Records
from projections.projector.pages import EventOpener, Page
from projections.projector.quarantine import FailedEvent
from projections.views.view import View

_sql = Queries("projections", "sql/quarantine.sql")


@dataclass(frozen=True, slots=True)
class Refolded:
    """A permit's rows, view by view; ``None`` where the log results in none.

    Where an event cannot be applied (``failed``), the rows go as far as the one before it.
    """

    rows: Records
    stored: Sequence[Notification]
    failed: FailedEvent | None


class Refolder:
    """Refolds permits for some views. Use it in one thread at a time, as its opener."""

    def __init__(self, views: Sequence[View[Any]], opener: EventOpener) -> None:
        self._views = views
        self._opener = opener
        self._folder = Folder(views, opener.describe)

    def at(
        self, connection: Connection, permit_numbers: Sequence[str], position: int
    ) -> dict[str, Refolded]:
        """Refold each of these permits from its events up to ``position`` (inclusive).

        Raises:
            Unavailable: keys are out of reach for the moment.
        """
        page = self.read(connection, permit_numbers, position)
        return self._fold(page, page.by_permit, permit_numbers)

    def read(self, connection: Connection, permit_numbers: Sequence[str], position: int) -> Page:
        """Read and open the permits' events up to ``position``, permit by permit in their order."""
        rows = connection.execute(
            _sql.events, {"permit_numbers": list(permit_numbers), "until": position}
        )
        return self._opener.open(connection, [notification(row) for row in rows])

    def fold(self, page: Page, permit_number: str, *, events: int | None = None) -> Refolded:
        """Fold the page's one permit, from all of its events or the first few."""
        mine = {permit_number: list(range(len(page.stored)))[:events]} if page.stored else {}
        return self._fold(page, mine, [permit_number])[permit_number]

    def failed_event(self, stored: Notification, error: Exception) -> FailedEvent:
        """Describe an event whose rows the database refuses, for the quarantine."""
        return self._folder.failed_event(stored, error)

    def _fold(
        self, page: Page, mine: dict[str, list[int]], permit_numbers: Sequence[str]
    ) -> dict[str, Refolded]:
        folded = self._folder.fold(page, mine, lambda _number: self._no_rows())
        failed = {one.permit_number: one for one in folded.failed}
        return {
            number: Refolded(
                rows=folded.records.get(number) or self._no_rows(),
                stored=[page.stored[n] for n in mine.get(number, ())],
                failed=failed.get(number),
            )
            for number in permit_numbers
        }

    def _no_rows(self) -> list[Any]:
        return [None] * len(self._views)
