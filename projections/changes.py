"""Telling whoever watches a permit that it has changed, at one statement for all who watch."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import structlog
from psycopg.rows import DictRow, dict_row

from ledger.async_reads import read_rows
from ledger.errors import Unavailable
from ledger.named_sql import Queries

from .reading import ReadPool
from .waiting import ViewPosition

ROUND_S_MIN = 0.05
"""Between two looks, however fast the views move."""
WAIT_S = 5.0

_sql = Queries("projections", "sql/live.sql")
_log = structlog.get_logger(__name__)


class PermitChanges:
    """Owns one task while it is entered; the task owns the versions that were last seen."""

    def __init__(self, pool: ReadPool, views: ViewPosition) -> None:
        self._pool = pool
        self._views = views
        self._watchers: dict[str, list[Callable[[], None]]] = {}
        self._versions: dict[str, int] = {}
        self._somebody = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @contextmanager
    def watching(self, permit_number: str, changed: Callable[[], None]) -> Iterator[None]:
        """``changed`` is called soon after each change of the permit, and at times without one.

        Watch first and read then: what happens in between is told.
        """
        watchers = self._watchers.setdefault(permit_number, [])
        watchers.append(changed)
        self._somebody.set()
        try:
            yield
        finally:
            watchers.remove(changed)
            if not watchers:
                self._watchers.pop(permit_number, None)
                self._versions.pop(permit_number, None)

    async def _look(self) -> None:
        """A round for each time that the views have moved, while somebody watches."""
        seen = -1
        while True:
            await self._somebody.wait()
            if not self._watchers:
                self._somebody.clear()
                continue
            moved = await self._views.moved(seen, WAIT_S)
            at = self._views.position
            if moved and await self._tell():
                seen = at
            await asyncio.sleep(ROUND_S_MIN)

    async def _tell(self) -> bool:
        numbers = list(self._watchers)
        try:
            rows: list[DictRow] = await read_rows(
                self._pool, _sql.versions, {"permit_numbers": numbers}, dict_row
            )
        except Unavailable:
            _log.debug("changes not read")
            return False
        for row in rows:
            number, version = row["permit_number"], row["version"]
            if self._versions.get(number) != version:
                self._versions[number] = version
                for changed in self._watchers.get(number, ()):
                    changed()
        return True
