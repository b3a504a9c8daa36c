"""A permit's rows of every view, from the log alone: what they have to be at a position.

Nothing that the views hold goes into them, so that they can mend a view, or find it wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from eventsourcing.persistence import Notification

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from projections.projector.folding import Folder, Records
from projections.projector.opening import EventOpener, Page
from projections.projector.quarantine import FailedEvent
from projections.views.view import View

_sql = Queries("projections", "sql/quarantine.sql")


@dataclass(frozen=True, slots=True)
class Refolded:
    """``rows`` are whole, view by view, ``None`` where the log makes none. Where an event can't be
    applied they go as far as the one before it, and ``poison`` says which it is."""

    rows: Records
    stored: Sequence[Notification]
    poison: FailedEvent | None


class Refolder:
    """Of all views; one thread's, as its opener is."""

    def __init__(self, views: Sequence[View[Any]], opener: EventOpener) -> None:
        self._views = views
        self._opener = opener
        self._folder = Folder(views, opener.describe)

    def at(
        self, connection: Connection, permit_numbers: Sequence[str], position: int
    ) -> dict[str, Refolded]:
        """Each of these permits, from its events up to ``position``, that one among them.

        Raises:
            Unavailable: keys are out of reach for the moment.
        """
        page = self.read(connection, permit_numbers, position)
        return self._fold(page, page.by_permit, permit_numbers)

    def read(self, connection: Connection, permit_numbers: Sequence[str], position: int) -> Page:
        """Their events up to ``position``, opened; permit by permit, each in its order."""
        rows = connection.execute(
            _sql.events, {"permit_numbers": list(permit_numbers), "until": position}
        )
        return self._opener.open(connection, [_notification(row) for row in rows])

    def fold(self, page: Page, permit_number: str, *, events: int | None = None) -> Refolded:
        """A page's one permit, from all of its events or the first few."""
        mine = {permit_number: list(range(len(page.stored)))[:events]} if page.stored else {}
        return self._fold(page, mine, [permit_number])[permit_number]

    def poison(self, stored: Notification, error: Exception) -> FailedEvent:
        """What is put on record of an event whose rows the database refuses."""
        return self._folder.poison(stored, error)

    def _fold(
        self, page: Page, mine: dict[str, list[int]], permit_numbers: Sequence[str]
    ) -> dict[str, Refolded]:
        folded = self._folder.fold(page, mine, lambda _number: self._nothing())
        poison = {one.permit_number: one for one in folded.poison}
        return {
            number: Refolded(
                rows=folded.records.get(number) or cast("Records", self._nothing()),
                stored=[page.stored[n] for n in mine.get(number, ())],
                poison=poison.get(number),
            )
            for number in permit_numbers
        }

    def _nothing(self) -> list[Any]:
        return [None] * len(self._views)


def _notification(row: tuple[object, ...]) -> Notification:
    position, stream, version, topic, state = cast("tuple[int, str, int, str, bytes]", row)
    return Notification(
        id=position, originator_id=stream, originator_version=version, topic=topic, state=state
    )
