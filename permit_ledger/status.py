"""How far everything is, on one screen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, cast

from rich.markup import escape
from rich.table import Table

from ledger.database import connect
from ledger.named_sql import Queries

from .settings import Settings
from .workbench import database

_sql = Queries("permit_ledger", "sql/status.sql")


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
class Status:
    """Positions are of the log; ``lag_events`` is what the views have yet to see. ``quarantine``
    names the first few of the permits in it. ``relay`` is ``None`` where none has ever run."""

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

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_status(settings: Settings) -> Status:
    with database(settings) as database_url, connect(database_url) as connection:
        row = connection.execute(_sql.status).fetchone()
        relayed = connection.execute(_sql.relay).fetchone()
        trees = connection.execute(_sql.trees).fetchall()
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
        trees=[Tree(*one) for one in cast("list[tuple[str, int, str | None]]", trees)],
    )


def _relay_status(log: int, row: tuple[int, int, str | None] | None) -> RelayStatus | None:
    if row is None:
        return None
    position, starts, stopped = row
    return RelayStatus(position, log - position, starts, stopped)


def status_table(status: Status) -> Table:
    """The screen."""
    table = Table(title="permit ledger · 居住证账本", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(justify="right")
    lag = "in step" if status.lag_events == 0 else f"{status.lag_events:,} events behind"
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
