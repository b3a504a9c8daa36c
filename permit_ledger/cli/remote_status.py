"""The state of remote views, for the status screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from rich.markup import escape
from rich.table import Table

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from projections.remote.source import remote_source_of, remote_state

BAD_ROWS_MAX = 5

_sql = Queries("projections", "sql/remote.sql")


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record of the topic that was not an event: its place, and what is wrong with it."""

    partition: int
    offset: int
    reason: str
    permit_number: str | None


@dataclass(frozen=True, slots=True)
class RemoteStatus:
    """``stale_s``: seconds since the views held all events of the ledger; ``asked_ago_s``: seconds
    since the broker reported its end offsets; ``None`` for never. ``bad_records`` counts all of
    them, ``newest_bad_records`` names a few."""

    source: str
    topic: str
    position: int
    behind_records: int
    stale_s: float | None
    asked_ago_s: float | None
    bad_records: int
    newest_bad_records: list[BadRecord]


def read_feed_status(connection: Connection) -> RemoteStatus | None:
    """``None`` if the views follow the database's own log."""
    feed = remote_source_of(connection)
    if feed is None:
        return None
    state = remote_state(connection)
    bad = connection.execute(_sql.bad_records, [BAD_ROWS_MAX]).fetchall()
    return RemoteStatus(
        source=feed.source,
        topic=feed.topic,
        position=state.position,
        behind_records=state.behind_records,
        stale_s=state.stale_s,
        asked_ago_s=state.asked_ago_s,
        bad_records=state.bad_records,
        newest_bad_records=[
            BadRecord(*one) for one in cast("list[tuple[int, int, str, str | None]]", bad)
        ],
    )


def add_feed(table: Table, feed: RemoteStatus) -> None:
    """The rows for the screen."""
    table.add_row("fed from", escape(f"{feed.topic} of {feed.source}"))
    table.add_row("as of position", f"{feed.position:,}")
    table.add_row("all of it held", _seconds(feed.stale_s))
    table.add_row("broker asked", _seconds(feed.asked_ago_s))
    table.add_row("bad records", f"{feed.bad_records:,}")
    for bad in feed.newest_bad_records:
        whose = f", permit {bad.permit_number}" if bad.permit_number else ""
        place = f"  partition {bad.partition} offset {bad.offset}{whose}"
        table.add_row(escape(place), escape(bad.reason))


def _seconds(age_s: float | None) -> str:
    return "never" if age_s is None else f"{age_s:,.1f} s ago"
