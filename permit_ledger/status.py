"""How far everything is, on one screen."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, cast

from rich.markup import escape
from rich.table import Table

from ledger.database import Connection, connect
from ledger.named_sql import Queries
from ledger.tree.logs import LOGS
from ledger.tree.store import TreeStore
from ledger.tree.witnesses import cosigned_last

from .settings import Settings
from .witness_policy import witness_policy
from .workbench import database

_sql = Queries("permit_ledger", "sql/status.sql")


QUARANTINE_ROWS_MAX = 5


@dataclass(frozen=True, slots=True)
class Standstill:
    """A permit in quarantine."""

    permit_number: str
    reason: str


@dataclass(frozen=True, slots=True)
class Tree:
    """A log's tree: how many entries it has, and why it signs no more, if so."""

    name: str
    size: int
    stopped: str | None


@dataclass(frozen=True, slots=True)
class WitnessSight:
    """What a witness of the policy has cosigned of a log last: a tree of ``size`` leaves, so many
    seconds ago; ``None``: nothing that is known of."""

    witness: str
    log: str
    size: int | None
    age_s: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """Positions are of the log; ``lag_events`` is what the views have yet to see. ``quarantine``
    names the first few of the permits in it."""

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

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_status(settings: Settings) -> Status:
    with database(settings) as database_url, connect(database_url) as connection:
        row = connection.execute(_sql.status).fetchone()
        trees = connection.execute(_sql.trees).fetchall()
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
    )


def _sights(settings: Settings, connection: Connection) -> list[WitnessSight]:
    found = []
    for witness in witness_policy(settings).witnesses:
        for log in LOGS.values():
            store = TreeStore(connection, log.name)
            size, at = cosigned_last(store, witness.key, log.origin(settings.origin))
            age_s = max(round(time.time() - at), 0)
            told = (size, age_s) if size else (None, None)
            found.append(WitnessSight(witness.key.name, log.name, *told))
    return found


def _sight_text(sight: WitnessSight) -> str:
    if sight.size is None or sight.age_s is None:
        return "nothing cosigned yet"
    return f"{sight.size:,} cosigned {sight.age_s:,} s ago"


def status_table(status: Status) -> Table:
    """The screen."""
    table = Table(title="permit ledger · 居住证账本", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(justify="right")
    lag = "in step" if status.lag_events == 0 else f"{status.lag_events:,} events behind"
    table.add_row("log position", f"{status.log_position:,}")
    table.add_row("views position", f"{status.views_position:,} ({lag})")
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
