"""The projector: reads the log page by page and writes rows and position in one transaction."""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Event
from typing import Any

import structlog
from eventsourcing.persistence import Notification
from psycopg.rows import scalar_row

from ledger.database.connections import Connection
from ledger.database.leader import Lease, run_as_leader
from ledger.database.named_sql import Queries
from ledger.database.retry import Outage
from ledger.errors import LedgerError
from projections.views.view import View

from .pages import EventOpener, Page, pages_after
from .quarantine import FailedEvent, log_quarantined, put_in_quarantine
from .writing import ROW_ERRORS, ViewWriter

LEASE = Lease(lock=0x76696577, application_name="permit-ledger project", poll_s=0.25)  # "view"
STALLED_S = 1.5
"""A leader that has not moved the views for so long, though there are events, is passed by."""

_sql = Queries("projections", "sql/position.sql")
_log = structlog.get_logger(__name__)


class Overtaken(Exception):
    """Another projector has moved the views past this page."""


class Projector:
    """Owns one connection to write with, and a thread that reads ahead.

    Several may run: one leads, the others take over. The lease only keeps them from disturbing each
    other; that each page is applied once follows from the lock on the position's row, which every
    writer takes and compares. So a follower may pass by a leader that is frozen.

    An event that cannot be read or applied puts its permit in quarantine (:mod:`.quarantine`). An
    error that is not one permit's holds all views where they are, in step and visibly behind the
    log, and the page is tried again.
    """

    def __init__(
        self, database_url: str, views: Sequence[View[Any]], opener: EventOpener, stop: Event
    ) -> None:
        self._database_url = database_url
        self._opener = opener
        self._writer = ViewWriter(views, opener.describe)
        self._stop = stop
        self._leader = _LeaderWatch()

    def run(self) -> None:
        """Keep the views until ``stop`` is set, through lost connections and restarts."""
        run_as_leader(
            self._database_url,
            LEASE,
            lambda connection, outage: self._follow(connection, outage, until=None),
            self._stop,
            prepare=self._prepare,
            stand_by=self._stand_by,
            report=_report,
        )

    def apply(self, connection: Connection, stored: Sequence[Notification]) -> None:
        """Open a page and fold it into every view.

        Raises:
            Overtaken: the views are not just before the page; nothing was written.
            QuarantineFull, Unavailable, psycopg.Error: nothing was written.
        """
        self._apply(connection, self._opener.open(connection, stored))

    def _prepare(self, connection: Connection) -> None:
        connection.execute(_sql.prepare)
        self._leader = _LeaderWatch()

    def _stand_by(self, connection: Connection, outage: Outage) -> None:
        """Pass by a leader that does not move, until the views are where the log ends now."""
        reached, head = progress(connection)
        if self._leader.is_stalled(reached, head):
            _log.warning("leader is stalled, stepping in")
            self._follow(connection, outage, until=head)

    def _follow(self, connection: Connection, outage: Outage, *, until: int | None) -> None:
        """Apply pages from the views' position on, until another projector overtakes, or the views
        have reached ``until``."""
        with pages_after(
            self._database_url, self._opener, position(connection), self._stop
        ) as pages:
            for page in pages:
                if page is None:
                    continue
                try:
                    self._apply(connection, page)
                except Overtaken:
                    return
                outage.is_over()
                if until is not None and page.until >= until:
                    return

    def _apply(self, connection: Connection, page: Page) -> None:
        try:
            failed = self._write(connection, page, careful=False)
        except ROW_ERRORS:
            failed = self._write(connection, page, careful=True)
        log_quarantined(failed)

    def _write(self, connection: Connection, page: Page, *, careful: bool) -> list[FailedEvent]:
        """Write rows, quarantine and position, or nothing."""
        with connection.transaction():
            if connection.execute(_sql.lock).fetchone() != (page.before,):
                raise Overtaken
            failed = self._writer.write(connection, page, careful=careful)
            put_in_quarantine(connection, failed)
            connection.execute(_sql.move, {"before": page.before, "until": page.until})
            connection.execute(_sql.notify, [page.until])
        return failed


class _LeaderWatch:
    """Measures for how long the leader has not moved the views."""

    def __init__(self) -> None:
        self._position = -1
        self._since_s = time.monotonic()

    def is_stalled(self, position: int, head: int) -> bool:
        """Whether there have been events to apply, and none was applied, for a while."""
        if position != self._position or position >= head:
            self._position, self._since_s = position, time.monotonic()
        return time.monotonic() - self._since_s > STALLED_S


def _report(error: Exception) -> None:
    """Log the error's kind, and nothing of the event's content."""
    reason = error.detail if isinstance(error, LedgerError) else type(error).__name__
    _log.error("views are held", reason=reason)


def position(connection: Connection) -> int:
    """The log's position that the views have reached."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return int(cursor.execute(_sql.select).fetchall()[0])


def lock_position(connection: Connection) -> int:
    """The same, and keep the views there until the transaction ends."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return int(cursor.execute(_sql.lock).fetchall()[0])


def progress(connection: Connection) -> tuple[int, int]:
    """The views' position and the log's head."""
    [(reached, head)] = connection.execute(_sql.progress).fetchall()
    return int(reached), int(head)  # type: ignore[call-overload]
