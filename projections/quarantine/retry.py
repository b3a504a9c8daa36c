"""Releasing permits from quarantine: their rows are made from the log again.

The projector waits meanwhile, so that a permit that is released has missed no event.
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
from projections.projector.pages import EventOpener, Page
from projections.projector.quarantine import (
    FailedEvent,
    quarantined,
    record_failed_retry,
    release,
)
from projections.projector.runner import lock_position
from projections.projector.writing import ROW_ERRORS
from projections.views.view import View

from .refold import Refolder

_sql = Queries("projections", "sql/refold.sql")
_position_sql = Queries("projections", "sql/position.sql")
_log = structlog.get_logger(__name__)


class NotQuarantined(UnknownPermit):
    """No such permit is in quarantine."""


@dataclass(frozen=True, slots=True)
class Retried:
    """The outcome of a retry. ``as_of_position`` is the views' position.

    For a permit that was not released, ``reason`` says why its event at ``position`` failed.
    """

    permit_number: str
    released: bool
    as_of_position: int
    position: int | None = None
    reason: str | None = None


class Retrier:
    """Retries quarantined permits. Use it in one thread at a time."""

    def __init__(self, views: Sequence[View[Any]], opener: EventOpener) -> None:
        self._views = views
        self._opener = opener
        self._refolder = Refolder(views, opener)

    def retry(self, connection: Connection, permit_number: str) -> Retried:
        """Fold all of the permit's events up to the views' position, and release it if all of them
        can be applied. Otherwise its rows go as far as they can, in step, and it stays.

        Raises:
            NotQuarantined
            Unavailable, psycopg.OperationalError: nothing was changed.
        """
        with connection.transaction():
            connection.execute(_sql.prepare_retry)
            until = lock_position(connection)
            if not quarantined(connection, [permit_number]):
                raise NotQuarantined
            failed = self._refold(connection, permit_number, until)
            if failed:
                record_failed_retry(connection, failed)
            else:
                release(connection, permit_number)
            connection.execute(_position_sql.notify, [until])
        if failed:
            _log.warning("retry failed", reason=failed.reason)
            return Retried(permit_number, False, until, failed.position, failed.reason)
        _log.info("permit released")
        return Retried(permit_number, True, until)

    def _refold(self, connection: Connection, permit_number: str, until: int) -> FailedEvent | None:
        page = self._refolder.read(connection, [permit_number], until)
        refolded = self._refolder.fold(page, permit_number)
        try:
            self._write(connection, permit_number, refolded.rows)
        except ROW_ERRORS:
            return self._write_event_by_event(connection, permit_number, page)
        return refolded.failed

    def _write_event_by_event(
        self, connection: Connection, permit_number: str, page: Page
    ) -> FailedEvent | None:
        """Write rows up to the event whose rows the database refuses."""
        self._write(connection, permit_number, [None] * len(self._views))
        for n, event in enumerate(page.stored):
            refolded = self._refolder.fold(page, permit_number, events=n + 1)
            if refolded.failed:
                return refolded.failed
            try:
                self._write(connection, permit_number, refolded.rows)
            except ROW_ERRORS as error:
                return self._refolder.failed_event(event, error)
        return None

    def _write(self, connection: Connection, permit_number: str, rows: Records) -> None:
        """Write the rows of all views, or none."""
        with connection.transaction():
            for view, record in zip(self._views, rows, strict=True):
                if record is None:
                    query = _sql.delete.replace("{table}", view.table).replace("{key}", view.key)
                    connection.execute(cast("Any", query), [permit_number])
                else:
                    view.save(connection, [record])
