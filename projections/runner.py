"""Keeps the views: reads the log page by page and writes rows and position in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event
from typing import Any, cast

import psycopg
import structlog
from eventsourcing.persistence import Notification, StoredEvent

from domain.events import PermitEvent
from ledger.backoff import Backoff
from ledger.database import Connection, connect
from ledger.errors import LedgerError
from ledger.follow import follow
from ledger.holder_keys import HolderKeys, Keys, WrappedKey, wrapped_keys_in
from ledger.mapper import EventMapper, OrjsonTranscoder, holders_of
from ledger.named_sql import Queries

from .view import View

_sql = Queries("projections", "sql/position.sql")
_ledger_sql = Queries("ledger", "sql/queries.sql")
_log = structlog.get_logger(__name__)


class Overtaken(Exception):
    """Another projector has moved the views past this page."""


class Projector:
    """Owns one connection to write with, and one more inside :func:`follow` to read with.

    Several may run: the position's row lock lets one at a time move the views, and who comes late
    sees it and reads on from there. A page that can't be applied holds every view where it is, in
    step with each other and visibly behind the log.
    """

    def __init__(
        self, database_url: str, views: Sequence[View[Any]], keys: HolderKeys, stop: Event
    ) -> None:
        self._database_url = database_url
        self._keys = keys
        self._views = views
        self._stop = stop
        self._mapper = EventMapper(OrjsonTranscoder())

    def run(self) -> None:
        """Follow the log until asked to stop, through lost connections and restarts."""
        backoff = Backoff(self._stop)
        while not self._stop.is_set():
            try:
                with connect(self._database_url, application_name="permit-ledger project") as conn:
                    for page in follow(self._database_url, after=position(conn), stop=self._stop):
                        self.apply(conn, page)
                        backoff.reset()
            except Overtaken:
                continue
            except psycopg.OperationalError as error:
                _log.warning("database out of reach", error=type(error).__name__)
                backoff.pause()
            except Exception as error:  # noqa: BLE001  standing still beats ending: it can be seen
                _log.error("views stand still", reason=_describe(error))
                backoff.pause()

    def apply(self, connection: Connection, page: Sequence[Notification]) -> None:
        """Fold one page into every view.

        Raises:
            Overtaken: the views are not just before the page; nothing was written.
            UnreadableEvent, SealBroken, KeyUnusable, Unavailable: nothing was written.
        """
        events, keys = self._opened(connection, page)
        reached = page[-1].id
        with connection.transaction():
            row = connection.execute(_sql.lock).fetchone()
            if row != (page[0].id - 1,):
                raise Overtaken
            for view in self._views:
                view.apply(connection, events, keys)
            connection.execute(_sql.move, [reached])
        connection.execute(_sql.notify, [reached])

    def _opened(
        self, connection: Connection, page: Sequence[StoredEvent]
    ) -> tuple[list[PermitEvent], Keys]:
        """The events, and the keys of everybody who is in them."""

        def stored(holder_ids: list[str]) -> list[WrappedKey]:
            rows = connection.execute(_ledger_sql.select_holder_keys, {"holder_ids": holder_ids})
            return wrapped_keys_in(rows.fetchall())

        sealed = [self._mapper.parse(event) for event in page]
        keys = self._keys.of(holders_of(sealed), stored)
        return self._mapper.open(sealed, keys), keys


def _describe(error: Exception) -> str:
    """What is wrong, without what the event holds."""
    return error.detail if isinstance(error, LedgerError) else type(error).__name__


def position(connection: Connection) -> int:
    """The log's position that the views have reached."""
    return cast("tuple[int]", connection.execute(_sql.select).fetchone())[0]
