"""How far everything is, on one screen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, cast

from rich.markup import escape
from rich.table import Table

from ledger.database import Connection, connect
from ledger.named_sql import Queries
from projections.feed import feed_of, feed_state

from .settings import Settings
from .workbench import database

_sql = Queries("permit_ledger", "sql/status.sql")
_feed_sql = Queries("projections", "sql/feed.sql")


QUARANTINE_ROWS_MAX = 5


@dataclass(frozen=True, slots=True)
class Standstill:
    """A permit in quarantine."""

    permit_number: str
    reason: str


@dataclass(frozen=True, slots=True)
class RelayStatus:
    """``starts`` counts the relay's beginnings, those after a failure too; ``stopped`` is why
    nothing is sent, where an operator has to look."""

    position: int
    lag_events: int
    starts: int
    stopped: str | None


@dataclass(frozen=True, slots=True)
class Tree:
    """A log's tree: how many entries it has, and why it signs no more, if so."""

    name: str
    size: int
    stopped: str | None


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record of the topic that was no event: where it is, and what is wrong with it."""

    partition: int
    offset: int
    reason: str
    permit_number: str | None


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """Views that are fed from Kafka. ``stale_s``: so long ago they held all that was on the topic;
    ``asked_ago_s``: so long ago the broker said where it ends; ``None`` for never. ``bad_records``
    counts them all, ``newest_bad_records`` names a few."""

    source: str
    topic: str
    position: int
    behind_records: int
    stale_s: float | None
    asked_ago_s: float | None
    bad_records: int
    newest_bad_records: list[BadRecord]


@dataclass(frozen=True, slots=True)
class Status:
    """Positions are of the log; ``lag_events`` is what the views have yet to see. ``quarantine``
    names the first few of the permits in it. ``relay`` is ``None`` where none has ever run,
    ``feed`` where the views are of the database's own log."""

    quarantine: list[Standstill]
    trees: list[Tree]
    log_position: int
    views_position: int
    lag_events: int
    permits: int
    permits_open: int
    electronic_claimed: int
    checks: int
    quarantined_permits: int
    audited_permits: int
    audit_differences: int
    relay: RelayStatus | None
    feed: FeedStatus | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_status(settings: Settings) -> Status:
    with database(settings) as database_url, connect(database_url) as connection:
        row = connection.execute(_sql.status).fetchone()
        relayed = connection.execute(_sql.relay).fetchone()
        trees = connection.execute(_sql.trees).fetchall()
        feed = _feed_status(connection)
        parked = connection.execute(_sql.quarantine, [QUARANTINE_ROWS_MAX]).fetchall()
    log, views, *others = cast("tuple[int, ...]", row)
    permits, permits_open, claimed, checks, quarantined, audited, differences = others
    standing_still = [Standstill(*one) for one in cast("list[tuple[str, str]]", parked)]
    return Status(
        log_position=log,
        views_position=views,
        lag_events=log - views,
        permits=permits,
        permits_open=permits_open,
        electronic_claimed=claimed,
        checks=checks,
        quarantined_permits=quarantined,
        audited_permits=audited,
        audit_differences=differences,
        quarantine=standing_still,
        relay=_relay_status(log, cast("tuple[int, int, str | None] | None", relayed)),
        feed=feed,
        trees=[Tree(*one) for one in cast("list[tuple[str, int, str | None]]", trees)],
    )


def _relay_status(log: int, row: tuple[int, int, str | None] | None) -> RelayStatus | None:
    if row is None:
        return None
    position, starts, stopped = row
    return RelayStatus(position, log - position, starts, stopped)


def _feed_status(connection: Connection) -> FeedStatus | None:
    feed = feed_of(connection)
    if feed is None:
        return None
    state = feed_state(connection)
    bad = connection.execute(_feed_sql.bad_records, [QUARANTINE_ROWS_MAX]).fetchall()
    return FeedStatus(
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


def status_table(status: Status) -> Table:
    """The screen."""
    table = Table(title="permit ledger · 居住证账本", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(justify="right")
    lag = "in step" if status.lag_events == 0 else f"{status.lag_events:,} events behind"
    if feed := status.feed:
        _add_feed(table, feed)
    else:
        table.add_row("log position", f"{status.log_position:,}")
        table.add_row("views position", f"{status.views_position:,} ({lag})")
    if relay := status.relay:
        lag = f"{relay.lag_events:,} events behind" if relay.lag_events else "in step"
        table.add_row("relay position", f"{relay.position:,} ({lag})")
        if relay.stopped:
            table.add_row("  stopped", escape(relay.stopped))
    for tree in status.trees:
        table.add_row(f"transparency log of {tree.name}", f"{tree.size:,}")
        if tree.stopped:
            table.add_row("  [red]stopped[/red]", escape(tree.stopped))
    table.add_row("permits", f"{status.permits:,} ({status.permits_open:,} open)")
    table.add_row("electronic permits claimed", f"{status.electronic_claimed:,}")
    table.add_row("checks on record", f"{status.checks:,}")
    differences = (
        f"{status.audit_differences:,} differed" if status.audit_differences else "all equal"
    )
    audited = (
        f"{status.audited_permits:,} ({differences})" if status.audited_permits else "none yet"
    )
    table.add_row("permits audited", audited)
    table.add_row("permits in quarantine", f"{status.quarantined_permits:,}")
    for one in status.quarantine:
        table.add_row(f"  {one.permit_number}", escape(one.reason))
    if status.quarantined_permits > len(status.quarantine):
        table.add_row("  …", "permit-ledger quarantine list")
    return table


def _add_feed(table: Table, feed: FeedStatus) -> None:
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
