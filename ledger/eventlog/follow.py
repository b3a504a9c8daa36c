"""Reading the log forward, for as long as someone wants to: the one way to do it.

Woken by NOTIFY, and looking by itself as well: a lost notification costs a poll, never an event. A
lost connection is opened again, with growing and jittered pauses.
:mod:`ledger.eventlog.follow_async` is the same for asyncio.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from threading import Event
from typing import cast

from eventsourcing.persistence import Notification

from ledger.database.connections import CHANNEL, Connection, connect
from ledger.database.named_sql import Queries
from ledger.database.retry import OUTAGES, Outage
from ledger.errors import LogBehind

from .log_cursor import PAGE_EVENTS_MAX, LogCursor

APPLICATION_NAME = "permit-ledger follow"
STOP_CHECK_S = 0.1
LOCK_WAIT_S = 2
POSITION_MAX = 2**63 - 1

LISTEN = f"SET lock_timeout = '{LOCK_WAIT_S}s'; LISTEN {CHANNEL}"
"""Before the first read, so that whatever is not read is heard of. A table that somebody locks
counts as an outage: nobody would hear a stop while waiting for it."""

_sql = Queries("ledger", "sql/queries.sql")


def follow(
    database_url: str,
    *,
    after: int,
    stop: Event,
    topics: Sequence[str] = (),
    page_events_max: int = PAGE_EVENTS_MAX,
) -> Generator[list[Notification], None, None]:
    """Pages of events with positions above ``after``, in order, each event once, until ``stop``.

    A page is never empty; it ends with the event that brings it to ``page_events_max`` or 4 MiB.
    Owns one connection while it is iterated, and no thread. A stop is heard within a tenth of a
    second, while connecting within 5 s, while a lock is waited for within 2 s.

    For some ``topics`` the log is looked through in windows, each once; where nothing was found
    is not told, so whoever starts again looks again from the last event it was given.

    Follow the primary: a stand-by refuses, and is tried again until it is promoted. One that has
    lost the last commits of the old primary is ``LogBehind``.

    Raises:
        LogGap, LogBehind: the log is not the one that was read so far; nothing is skipped.
        psycopg.Error: whatever waiting does not mend, such as a missing schema or privilege.
    """
    cursor, outage = LogCursor(after, topics, page_events_max=page_events_max), Outage()
    while not stop.is_set():
        try:
            with connect(database_url, application_name=APPLICATION_NAME) as connection:
                connection.execute(LISTEN)
                pause_s = 0.0
                while True:
                    wait_for_notification(connection, stop, pause_s)
                    if stop.is_set():
                        return
                    found = connection.execute(_sql.follow_log, cursor.window, binary=True)
                    page = take(cursor, found.fetchall())
                    outage.is_over()
                    if page:
                        yield page
                    pause_s = cursor.pause_s
        except OUTAGES as error:
            stop.wait(outage.pause_s(error))


def wait_for_notification(connection: Connection, stop: Event, timeout_s: float) -> None:
    """Return when something was notified, when it is time to look anyway, or when to stop.

    Forgets what was notified so far: the read that comes next sees it. Otherwise a follower that
    is always behind would collect notifications without end.
    """
    waited_s = 0.0
    while not stop.is_set():
        slice_s = min(STOP_CHECK_S, timeout_s - waited_s)
        waited_s += slice_s
        if list(connection.notifies(timeout=slice_s, stop_after=1)) or waited_s >= timeout_s:
            return


def take(cursor: LogCursor, rows: Sequence[tuple[object, ...]]) -> list[Notification]:
    """The page in the rows of ``follow_log``; the cursor has moved over it.

    Raises:
        LogGap, LogBehind
    """
    if not rows:
        raise LogBehind("The log has no head.")
    page = [notification(row[1:]) for row in rows if row[1] is not None]
    cursor.take(cast("int", rows[0][0]), page)
    return page


def notification(row: tuple[object, ...]) -> Notification:
    """A row of the log, its columns in the order of ``select_log``."""
    position, stream, version, topic, state = cast("tuple[int, str, int, str, bytes]", row)
    return Notification(stream, version, topic, state, id=position)
