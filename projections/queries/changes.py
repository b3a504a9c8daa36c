"""Notifies watchers of a permit that it was changed or checked: one statement for all of them.

Changes are noticed as soon as the views have moved. Checks move no view and notify no one: while a
permit is watched, the head of their log is read once a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import structlog
from psycopg.rows import DictRow, dict_row

from ledger.database.named_sql import Queries
from ledger.errors import Unavailable
from ledger.eventlog.reads import read_rows

from .background import BackgroundTask
from .permits import ReadPool
from .waiting import ViewPosition

ROUND_S_MIN = 0.05
"""Between two rounds, however fast the views move."""
CHECKS_POLL_S = 1.0

_sql = Queries("projections", "sql/live.sql")
_log = structlog.get_logger(__name__)


class Mark(NamedTuple):
    """The permit's version, and the position of its last check (0 where there is none)."""

    version: int
    checked: int


class Watch:
    """One watcher of one permit; ``mark`` is ``None`` until the first round."""

    def __init__(self, permit_number: str, changed: Callable[[], None]) -> None:
        self.permit_number = permit_number
        self.mark: Mark | None = None
        self._changed = changed

    def update(self, mark: Mark) -> None:
        if mark != self.mark:
            self.mark = mark
            self._changed()


class PermitChanges(BackgroundTask):
    """Owns one task while it is entered; all belongs to its event loop."""

    def __init__(self, pool: ReadPool, views: ViewPosition) -> None:
        self._pool = pool
        self._views = views
        self._watches: set[Watch] = set()
        self._is_watched = asyncio.Event()
        self._is_new = False

    @contextmanager
    def watching(self, permit_number: str, changed: Callable[[], None]) -> Iterator[Watch]:
        """``changed`` is called soon after each change or check, and once at first.

        Watch first and read then, so that no change in between is missed.
        """
        watch = Watch(permit_number, changed)
        self._watches.add(watch)
        self._is_new = True
        self._is_watched.set()
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    async def run(self) -> None:
        """Do a round each time that views or checks have moved, while a permit is watched."""
        seen = (-1, -1)
        while True:
            await self._is_watched.wait()
            if not self._watches:
                self._is_watched.clear()
                continue
            if not self._is_new:
                await self._views.moved(seen[0], CHECKS_POLL_S)
            try:
                seen = await self._round(seen)
            except Unavailable:
                _log.debug("changes not read")
            await asyncio.sleep(ROUND_S_MIN)

    async def _round(self, seen: tuple[int, int]) -> tuple[int, int]:
        """Read the marks and notify; returns the positions of views and checks before that."""
        views = self._views.position
        [head] = await self._rows(_sql.checks_head)
        now = (views, head["position"])
        if now == seen and not self._is_new:
            return seen
        self._is_new = False
        numbers = list({watch.permit_number for watch in self._watches})
        rows = await self._rows(_sql.marks, permit_numbers=numbers)
        marks = {row["permit_number"]: Mark(row["version"], row["checked"]) for row in rows}
        for watch in list(self._watches):
            if mark := marks.get(watch.permit_number):
                watch.update(mark)
        return now

    async def _rows(self, query: str, **parameters: object) -> list[DictRow]:
        return await read_rows(self._pool, query, parameters, dict_row)
