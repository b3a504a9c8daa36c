"""Waiting until the views have reached a position: woken by the projector, not by sleeping."""

from __future__ import annotations

import asyncio
from typing import LiteralString

import psycopg
import structlog
from psycopg.rows import scalar_row

from ledger.database.connections import connect_async
from ledger.database.named_sql import Queries

from .background import BackgroundTask

VIEWS_CHANNEL: LiteralString = "permit_ledger_views"
EVENTS_PER_S_MAX = 50_000
"""No projector applies so many: a position that is further off than this is not waited for."""
POLL_S = 1.0
RECONNECT_S = 0.5

_sql = Queries("projections", "sql/position.sql")
_log = structlog.get_logger(__name__)


class ViewPosition(BackgroundTask):
    """The views' position, as it moves; owns one connection and one task while it is entered.

    What it knows may be behind the truth for a moment, never ahead of it.
    """

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._position = 0
        self._moved = asyncio.Condition()

    async def wait_for(self, position: int, timeout_s: float) -> bool:
        """Whether the views had ``position`` within ``timeout_s`` seconds.

        Views that are too far behind to get there, as after an import, are not waited for.
        """
        if self._position >= position:
            return True
        if position - self._position > timeout_s * EVENTS_PER_S_MAX:
            return False
        try:
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(lambda: self._position >= position)
        except TimeoutError:
            return False
        return True

    @property
    def position(self) -> int:
        """The views' last known position."""
        return self._position

    async def moved(self, since: int, timeout_s: float) -> bool:
        """Wait until the views are not at ``since``; returns whether they were within the
        timeout."""
        try:
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(lambda: self._position != since)
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        while True:
            try:
                await self._listen()
            except psycopg.OperationalError as error:
                _log.warning("database out of reach", error=type(error).__name__)
                await asyncio.sleep(RECONNECT_S)

    async def _listen(self) -> None:
        async with await connect_async(
            self._database_url, application_name="permit-ledger positions"
        ) as connection:
            await connection.execute(f"LISTEN {VIEWS_CHANNEL}")
            while True:
                cursor = connection.cursor(row_factory=scalar_row)
                [reached] = await (await cursor.execute(_sql.select)).fetchall()
                await self._reached(reached)
                async for notification in connection.notifies(timeout=POLL_S):
                    if not notification.payload.isdecimal():
                        break  # not the projector's: read the position again
                    await self._reached(int(notification.payload))

    async def _reached(self, position: int) -> None:
        """Set the position; it moves back where a database was replaced."""
        if position != self._position:
            self._position = position
            async with self._moved:
                self._moved.notify_all()
