"""Reading the log forward, without an end: the projector, the relay and the analytics follow it.

A follower is woken by NOTIFY, and also polls: a lost notification delays an event by one poll and
never loses it. A lost connection is opened again, with growing and jittered pauses.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import zip_longest
from threading import Event
from typing import cast

from eventsourcing.persistence import Notification

from ledger.database.connections import CHANNEL, Connection, connect
from ledger.database.named_sql import Queries
from ledger.database.retry import OUTAGES, Outage
from ledger.errors import LogBehind, LogGap

APPLICATION_NAME = "permit-ledger follow"
PAGE_EVENTS_MAX = 500
PAGE_BYTES_MAX = 4 * 1024 * 1024
POLL_S = 0.5
STOP_CHECK_S = 0.1
LOCK_WAIT_S = 2
POSITION_MAX = 2**63 - 1

LISTEN = f"SET lock_timeout = '{LOCK_WAIT_S}s'; LISTEN {CHANNEL}"
"""Before the first read, so that a commit after it is notified. A locked table counts as an outage,
since a stop would not be noticed while waiting for the lock."""

_sql = Queries("ledger", "sql/queries.sql")


def follow(
    database_url: str,
    *,
    after: int,
    stop: Event,
    page_events_max: int = PAGE_EVENTS_MAX,
    poll_s: float = POLL_S,
    stop_check_s: float = STOP_CHECK_S,
) -> Generator[list[Notification], None, None]:
    """Yield pages of events with positions above ``after``, in order, each event once.

    A page is never empty; it ends with the event that brings it to ``page_events_max`` or 4 MiB.
    The follower has one connection while it is iterated, and no thread. It ends within
    ``stop_check_s`` of a ``stop``; within 5 s while connecting, within 2 s while waiting for a
    lock. An event whose notification was lost is found within ``poll_s``.

    Follow the primary: a stand-by refuses, and is tried again until it is promoted. If it lacks the
    last commits of the old primary, the log is behind.

    Raises:
        LogGap, LogBehind: the log is not the one that was read so far; nothing is skipped.
        psycopg.Error: not an outage, such as a missing schema or privilege.
    """
    cursor, outage = LogCursor(after, page_events_max=page_events_max), Outage()
    while not stop.is_set():
        try:
            with connect(database_url, application_name=APPLICATION_NAME) as connection:
                connection.execute(LISTEN)
                pause_s = 0.0
                while True:
                    wait_for_notification(connection, stop, pause_s, stop_check_s)
                    if stop.is_set():
                        return
                    found = connection.execute(_sql.follow_log, cursor.window, binary=True)
                    page = take(cursor, found.fetchall())
                    outage.is_over()
                    if page:
                        yield page
                    pause_s = poll_s if cursor.pause_s else 0.0
        except OUTAGES as error:
            stop.wait(outage.pause_s(error))


def wait_for_notification(
    connection: Connection, stop: Event, timeout_s: float, stop_check_s: float = STOP_CHECK_S
) -> None:
    """Return after a notification, after the timeout, or on a stop.

    All notifications up to then are consumed, since the next read covers them: otherwise a follower
    with a lasting backlog would collect notifications without end.
    """
    waited_s = 0.0
    while not stop.is_set():
        slice_s = min(stop_check_s, timeout_s - waited_s)
        waited_s += slice_s
        if list(connection.notifies(timeout=slice_s, stop_after=1)) or waited_s >= timeout_s:
            return


def take(cursor: LogCursor, rows: Sequence[tuple[object, ...]]) -> list[Notification]:
    """Move the cursor over the rows of ``follow_log``; returns the page in them.

    Raises:
        LogGap, LogBehind
    """
    if not rows:
        raise LogBehind("The log has no head.")
    page = [notification(row[1:]) for row in rows if row[1] is not None]
    cursor.take(cast("int", rows[0][0]), page)
    return page


def notification(row: tuple[object, ...]) -> Notification:
    """A row of the log: position, stream, version, topic, state."""
    position, stream, version, topic, state = cast("tuple[int, str, int, str, bytes]", row)
    return Notification(stream, version, topic, state, id=position)


class LogCursor:
    """How far the log was read: what to ask for next, and whether the page is complete. No I/O.

    Raises ``ValueError`` for pages of no events.
    """

    def __init__(self, after: int, *, page_events_max: int = PAGE_EVENTS_MAX) -> None:
        if page_events_max < 1:
            raise ValueError("a page has at least one event")
        self.position = after
        self._page_events_max = page_events_max
        self._at_head = False

    @property
    def window(self) -> dict[str, object]:
        """The parameters of the next query."""
        return {
            "after": self.position,
            "until": self._until,
            "events_max": self._page_events_max,
            "bytes_max": PAGE_BYTES_MAX,
        }

    @property
    def pause_s(self) -> float:
        """Seconds to wait for a notification before the next query; 0 if there is more already."""
        return POLL_S if self._at_head else 0.0

    def take(self, head: int, page: Sequence[Notification]) -> None:
        """Move over the result of ``window``; ``head`` and ``page`` are of one snapshot.

        Raises:
            LogBehind: the log ends before what was read already.
            LogGap: a position is missing.
        """
        if head < self.position:
            raise LogBehind(
                f"The log ends at position {head} and was read up to {self.position} before."
            )
        reached = page[-1].id if self._is_full(page) else min(self._until, head)
        self._check_complete(page, reached)
        self.position = reached
        self._at_head = reached == head

    @property
    def _until(self) -> int:
        return self.position + self._page_events_max

    def _is_full(self, page: Sequence[Notification]) -> bool:
        """Whether the window may hold more events than the page has room for."""
        return (
            len(page) >= self._page_events_max
            or sum(len(event.state) for event in page) >= PAGE_BYTES_MAX
        )

    def _check_complete(self, page: Sequence[Notification], reached: int) -> None:
        found = [event.id for event in page]
        expected = range(self.position + 1, reached + 1)
        if found != list(expected):
            missing = next(n for n, id_ in zip_longest(expected, found) if n != id_)
            raise LogGap(f"The log has no event at position {missing}; its head is beyond.")
