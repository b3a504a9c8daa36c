"""Taking permits out of quarantine: their rows are made from the log once more.

The projector waits meanwhile, so that whoever is released has missed nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import structlog

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.errors import UnknownPermit
from projections.projector.folding import Records
from projections.projector.opening import EventOpener, Page
from projections.projector.quarantine import FailedEvent, parked, release, retried_in_vain
from projections.projector.writing import ONE_ROWS_FAULT
from projections.views.view import View

from .refold import Refolder

_sql = Queries("projections", "sql/refold.sql")
_position_sql = Queries("projections", "sql/position.sql")
_log = structlog.get_logger(__name__)


class NotQuarantined(UnknownPermit):
    """No such permit is in quarantine."""


@dataclass(frozen=True, slots=True)
class Retried:
    """What came of it. ``reason`` says why a permit that was not released stands still, at
    ``position``; ``as_of_position`` is how far the views are."""

    permit_number: str
    released: bool
    as_of_position: int
    position: int | None = None
    reason: str | None = None


class Retrier:
    """One thread's."""

    def __init__(self, views: Sequence[View[Any]], opener: EventOpener) -> None:
        self._views = views
        self._opener = opener
        self._refolder = Refolder(views, opener)

    def retry(self, connection: Connection, permit_number: str) -> Retried:
        """Fold all of its events up to where the views are, and release it if all can be applied.
        Otherwise its rows go as far as they can, in step, and it stays.

        Raises:
            NotQuarantined
            Unavailable, psycopg.OperationalError: nothing was changed.
        """
        with connection.transaction():
            connection.execute(_sql.prepare_retry)
            until = cast("tuple[int]", connection.execute(_position_sql.lock).fetchone())[0]
            if not parked(connection, [permit_number]):
                raise NotQuarantined
            poison = self._make_anew(connection, permit_number, until)
            if poison:
                retried_in_vain(connection, poison)
            else:
                release(connection, permit_number)
            connection.execute(_position_sql.notify, [until])
        if poison:
            _log.warning("retried in vain", reason=poison.reason)
            return Retried(permit_number, False, until, poison.position, poison.reason)
        _log.info("permit released")
        return Retried(permit_number, True, until)

    def _make_anew(
        self, connection: Connection, permit_number: str, until: int
    ) -> FailedEvent | None:
        page = self._refolder.read(connection, [permit_number], until)
        refolded = self._refolder.fold(page, permit_number)
        try:
            self._write(connection, permit_number, refolded.rows)
        except ONE_ROWS_FAULT:
            return self._write_step_by_step(connection, permit_number, page)
        return refolded.poison

    def _write_step_by_step(
        self, connection: Connection, permit_number: str, page: Page
    ) -> FailedEvent | None:
        """Up to the event whose rows the database refuses."""
        self._write(connection, permit_number, [None] * len(self._views))
        for n, event in enumerate(page.stored):
            refolded = self._refolder.fold(page, permit_number, events=n + 1)
            if refolded.poison:
                return refolded.poison
            try:
                self._write(connection, permit_number, refolded.rows)
            except ONE_ROWS_FAULT as error:
                return self._refolder.poison(event, error)
        return None

    def _write(self, connection: Connection, permit_number: str, rows: Records) -> None:
        """In all views or in none."""
        with connection.transaction():
            for view, record in zip(self._views, rows, strict=True):
                if record is None:
                    query = _sql.delete.replace("{table}", view.table).replace("{key}", view.key)
                    connection.execute(cast("Any", query), [permit_number])
                else:
                    view.save(connection, [record])
