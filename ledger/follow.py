"""Reading the log forward, for as long as someone wants to.

Woken by NOTIFY, and looking by itself as well: a lost notification costs a poll, never an event. A
lost connection is opened again, with growing and jittered pauses.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from threading import Event
from typing import cast

import psycopg
from eventsourcing.persistence import Notification

from .database import CHANNEL, Connection, connect
from .named_sql import Queries

PAGE_EVENTS_MAX = 500
POLL_S = 0.5
STOP_CHECK_S = 0.1
BACKOFF_FIRST_S = 0.05
BACKOFF_MAX_S = 5.0

_sql = Queries("ledger", "sql/queries.sql")
POSITION_MAX = 2**63 - 1


class Backoff:
    """Pauses that double up to a bound, each with jitter, until something works again."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._next_s = BACKOFF_FIRST_S

    def pause(self) -> None:
        """Wait, or return at once when asked to stop."""
        self._stop.wait(self._next_s * random.uniform(0.5, 1.0))  # noqa: S311  spreads load only
        self._next_s = min(self._next_s * 2, BACKOFF_MAX_S)

    def reset(self) -> None:
        self._next_s = BACKOFF_FIRST_S


def follow(
    database_url: str,
    *,
    after: int,
    stop: Event,
    topics: Sequence[str] = (),
    page_events_max: int = PAGE_EVENTS_MAX,
) -> Generator[list[Notification], None, None]:
    """Pages of events with positions above ``after``, in order, each event once, until ``stop``.

    A page is never empty. Owns one connection while it is iterated.
    """
    backoff = Backoff(stop)
    while not stop.is_set():
        try:
            with connect(database_url, application_name="permit-ledger follow") as connection:
                connection.execute(f"LISTEN {CHANNEL}")
                while not stop.is_set():
                    page = _page(connection, after, topics, page_events_max)
                    backoff.reset()
                    if page:
                        yield page
                        after = page[-1].id
                    else:
                        wait_for_notification(connection, stop)
        except psycopg.OperationalError:
            backoff.pause()


def wait_for_notification(connection: Connection, stop: Event, timeout_s: float = POLL_S) -> None:
    """Return when something was notified, when it is time to look anyway, or when to stop."""
    waited_s = 0.0
    while waited_s < timeout_s and not stop.is_set():
        for _ in connection.notifies(timeout=STOP_CHECK_S, stop_after=1):
            return
        waited_s += STOP_CHECK_S


def _page(
    connection: Connection, after: int, topics: Sequence[str], limit: int
) -> list[Notification]:
    rows = connection.execute(
        _sql.select_log_of_topics if topics else _sql.select_log,
        {"start": after + 1, "stop": POSITION_MAX, "limit": limit, "topics": list(topics)},
    ).fetchall()
    return [notification(row) for row in rows]


def notification(row: tuple[object, ...]) -> Notification:
    """A row of the log, its columns in the order of ``select_log``."""
    position, stream, version, topic, state = cast("tuple[int, str, int, str, bytes]", row)
    return Notification(stream, version, topic, state, id=position)
