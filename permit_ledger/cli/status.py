"""``permit-ledger status``: positions and problems of all roles on one screen."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, cast

import orjson
from rich.markup import escape
from rich.table import Table

from ledger.database.connections import Connection, connect
from ledger.database.named_sql import Queries
from permit_ledger.bootstrap.cli_context import database
from permit_ledger.bootstrap.witness_policy import witness_policy
from permit_ledger.settings import Settings
from transparency.logs import LOGS
from transparency.store import TreeStore
from transparency.witness.witnesses import cosigned_last

from .remote_status import RemoteStatus, add_feed, read_feed_status

_sql = Queries("permit_ledger", "sql/status.sql")


QUARANTINE_ROWS_MAX = 5


@dataclass(frozen=True, slots=True)
class Standstill:
    """A permit in quarantine."""

    permit_number: str
    reason: str


@dataclass(frozen=True, slots=True)
class RelayStatus:
    """``starts`` counts the relay's starts, those after a failure included; ``stopped`` is the
    reason why nothing is sent until an operator acts."""

    position: int
    lag_events: int
    starts: int
    stopped: str | None


@dataclass(frozen=True, slots=True)
class Tree:
    """A log's tree: its number of entries, and why it stopped signing, if it did."""

    name: str
    size: int
    stopped: str | None


@dataclass(frozen=True, slots=True)
class WitnessSight:
    """What a witness of the policy cosigned last of a log: a tree of ``size`` leaves, and how many
    seconds ago; ``None`` if nothing is known."""

    witness: str
    log: str
    size: int | None
    age_s: int | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """The position of the statistics published last, and how many records could not be counted.
    ``lag_events`` is of the log of events, ``lag_checks`` of that of checks."""

    position: int
    lag_events: int
    lag_checks: int
    parked: int


@dataclass(frozen=True, slots=True)
class Status:
    """Positions are of the log; ``lag_events`` is how far the views are behind. ``quarantine``
    names the first few quarantined permits. ``relay`` is ``None`` if none has ever run, ``feed`` if
    the views follow the database's own log."""

    quarantine: list[Standstill]
    trees: list[Tree]
    witnesses: list[WitnessSight]
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
    statistics: Statistics | None
    """``None`` if none are published on this machine."""
    feed: RemoteStatus | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_status(settings: Settings) -> Status:
    with database(settings) as database_url, connect(database_url) as connection:
        row = connection.execute(_sql.status).fetchone()
        relayed = connection.execute(_sql.relay).fetchone()
        trees = connection.execute(_sql.trees).fetchall()
        feed = read_feed_status(connection)
        parked = connection.execute(_sql.quarantine, [QUARANTINE_ROWS_MAX]).fetchall()
        witnesses = _sights(settings, connection)
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
        trees=[Tree(*one) for one in cast("list[tuple[str, int, str | None]]", trees)],
        witnesses=witnesses,
        relay=_relay_status(log, cast("tuple[int, int, str | None] | None", relayed)),
        statistics=_statistics(settings, log, checks),
        feed=feed,
    )


def _sights(settings: Settings, connection: Connection) -> list[WitnessSight]:
    found = []
    for witness in witness_policy(settings).witnesses:
        for log in LOGS.values():
            store = TreeStore(connection, log.name)
            size, at = cosigned_last(store, witness.key, log.origin(settings.origin))
            age_s = max(round(time.time() - at), 0)
            cosigned = (size, age_s) if size else (None, None)
            found.append(WitnessSight(witness.key.name, log.name, *cosigned))
    return found


def _sight_text(sight: WitnessSight) -> str:
    if sight.size is None or sight.age_s is None:
        return "nothing cosigned yet"
    return f"{sight.size:,} cosigned {sight.age_s:,} s ago"


def _relay_status(log: int, row: tuple[int, int, str | None] | None) -> RelayStatus | None:
    if row is None:
        return None
    position, starts, stopped = row
    return RelayStatus(position, log - position, starts, stopped)


def _statistics(settings: Settings, log: int, checks: int) -> Statistics | None:
    try:
        stats = orjson.loads((settings.published_dir / "live.json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    position, of_checks = stats["as_of_position"], stats["as_of_checks"]
    return Statistics(position, log - position, checks - of_checks, stats["parked"])


def status_table(status: Status) -> Table:
    """The screen."""
    table = Table(title="permit ledger · 居住证账本", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(justify="right")
    lag = "in step" if status.lag_events == 0 else f"{status.lag_events:,} events behind"
    if feed := status.feed:
        add_feed(table, feed)
    else:
        table.add_row("log position", f"{status.log_position:,}")
        table.add_row("views position", f"{status.views_position:,} ({lag})")
    if relay := status.relay:
        lag = f"{relay.lag_events:,} events behind" if relay.lag_events else "in step"
        table.add_row("relay position", f"{relay.position:,} ({lag})")
        if relay.stopped:
            table.add_row("  stopped", escape(relay.stopped))
    if published := status.statistics:
        lag = f"{published.lag_events:,} events behind" if published.lag_events else "in step"
        table.add_row("statistics position", f"{published.position:,} ({lag})")
        if published.parked:
            table.add_row("  records that can't be counted", f"{published.parked:,}")
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
    for sight in status.witnesses:
        table.add_row(f"{escape(sight.witness)}, {sight.log}", _sight_text(sight))
    return table
