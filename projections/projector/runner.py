"""Keeps the views: reads the log page by page and writes rows and position in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event
from typing import Any, cast

import psycopg
import structlog
from eventsourcing.persistence import Notification
from psycopg.errors import IdleInTransactionSessionTimeout

from ledger.database.backoff import Backoff
from ledger.database.connections import Connection, connect
from ledger.database.named_sql import Queries
from ledger.errors import LedgerError, Unavailable
from projections.views.view import View

from .leadership import POLL_S, StandStill, try_to_lead
from .opening import EventOpener, Page
from .page_reader import PageReader
from .quarantine import FailedEvent, park, tell
from .writing import ONE_ROWS_FAULT, ViewWriter

_sql = Queries("projections", "sql/position.sql")
_log = structlog.get_logger(__name__)


class Overtaken(Exception):
    """Another projector has moved the views past this page."""


class Projector:
    """Owns one connection to write with, and those of its :class:`~.page_reader.PageReader`.

    Several may run: one leads, the others wait to take over. The position's row lock decides who
    moves the views, whoever leads; who comes late sees it and reads on from there. What can't be
    read or applied parks its permit (:mod:`.quarantine`); what is nobody's own fault holds all
    views where they are, in step and visibly behind the log, and is tried again.
    """

    def __init__(
        self, database_url: str, views: Sequence[View[Any]], opener: EventOpener, stop: Event
    ) -> None:
        self._database_url = database_url
        self._opener = opener
        self._writer = ViewWriter(views, opener.describe)
        self._stop = stop
        self._backoff = Backoff(stop)

    def run(self) -> None:
        """Keep the views until asked to stop, through lost connections and restarts."""
        while not self._stop.is_set():
            try:
                with connect(self._database_url, application_name="permit-ledger project") as conn:
                    conn.execute(_sql.prepare)
                    self._take_turns(conn)
            except Overtaken:
                continue
            except (
                psycopg.OperationalError,
                IdleInTransactionSessionTimeout,
                Unavailable,
            ) as error:
                _log.warning("database out of reach", error=type(error).__name__)
                self._backoff.pause()
            except Exception as error:  # noqa: BLE001  standing still beats ending: it can be seen
                _log.error("views stand still", reason=_describe(error))
                self._backoff.pause()

    def apply(self, connection: Connection, stored: Sequence[Notification]) -> None:
        """Open a page and fold it into every view.

        Raises:
            Overtaken: the views are not just before the page; nothing was written.
            QuarantineFull, Unavailable, psycopg.Error: nothing was written.
        """
        self._apply(connection, self._opener.open(connection, stored))

    def _take_turns(self, connection: Connection) -> None:
        """Lead, or wait for the leader's end."""
        stand_still = StandStill()
        while not self._stop.is_set():
            if try_to_lead(connection):
                self._follow(connection, until=None)
            elif stand_still.lasts(connection):
                _log.warning("leader stands still, stepping in")
                head = cast("tuple[int, int]", connection.execute(_sql.progress).fetchone())[1]
                self._follow(connection, until=head)
            else:
                self._stop.wait(POLL_S)

    def _follow(self, connection: Connection, *, until: int | None) -> None:
        """Apply pages from where the views are, for good or until they have this position."""
        with PageReader(
            self._database_url, self._opener, after=position(connection), stop=self._stop
        ) as pages:
            for page in pages:
                self._apply(connection, page)
                self._backoff.reset()
                if until is not None and page.until >= until:
                    return

    def _apply(self, connection: Connection, page: Page) -> None:
        try:
            poison = self._write(connection, page, careful=False)
        except ONE_ROWS_FAULT:
            poison = self._write(connection, page, careful=True)
        tell(poison)

    def _write(self, connection: Connection, page: Page, *, careful: bool) -> list[FailedEvent]:
        """Rows, quarantine and position, or nothing."""
        with connection.transaction():
            if connection.execute(_sql.lock).fetchone() != (page.before,):
                raise Overtaken
            poison = self._writer.write(connection, page, careful=careful)
            park(connection, poison)
            connection.execute(_sql.move, [page.until])
            connection.execute(_sql.notify, [page.until])
        return poison


def _describe(error: Exception) -> str:
    """What is wrong, without what the event holds."""
    return error.detail if isinstance(error, LedgerError) else type(error).__name__


def position(connection: Connection) -> int:
    """The log's position that the views have reached."""
    return cast("tuple[int]", connection.execute(_sql.select).fetchone())[0]
