"""Reading the log forward in asyncio; see :mod:`ledger.eventlog.follow`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from eventsourcing.persistence import Notification

from ledger.database.connections import AsyncConnection, connect_async
from ledger.database.named_sql import Queries
from ledger.database.retry import OUTAGES, Outage

from .follow import APPLICATION_NAME, LISTEN, take
from .log_cursor import PAGE_EVENTS_MAX, LogCursor

_sql = Queries("ledger", "sql/queries.sql")


async def follow_async(
    database_url: str,
    *,
    after: int,
    topics: Sequence[str] = (),
    page_events_max: int = PAGE_EVENTS_MAX,
) -> AsyncGenerator[list[Notification], None]:
    """What :func:`ledger.eventlog.follow.follow` gives, without end: cancel the task, or close it.

    Whoever may be cancelled between two pages closes it itself, and with it the connection::

        async with aclosing(follow_async(url, after=position)) as pages:
            async for page in pages:

    Raises:
        LogGap, LogBehind: the log is not the one that was read so far; nothing is skipped.
        psycopg.Error: whatever waiting does not mend, such as a missing schema or privilege.
    """
    cursor, outage = LogCursor(after, topics, page_events_max=page_events_max), Outage()
    while True:
        try:
            async with await connect_async(
                database_url, application_name=APPLICATION_NAME
            ) as connection:
                await connection.execute(LISTEN)
                pause_s = 0.0
                while True:
                    await _wait_for_notification(connection, pause_s)
                    found = await connection.execute(_sql.follow_log, cursor.window, binary=True)
                    page = take(cursor, await found.fetchall())
                    outage.is_over()
                    if page:
                        yield page
                    pause_s = cursor.pause_s
        except OUTAGES as error:
            await asyncio.sleep(outage.pause_s(error))


async def _wait_for_notification(connection: AsyncConnection, timeout_s: float) -> None:
    """Return when something was notified, or when it is time to look anyway; all is forgotten."""
    async for _ in connection.notifies(timeout=timeout_s, stop_after=1):
        pass
