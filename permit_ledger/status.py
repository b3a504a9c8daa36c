"""How far everything is, on one screen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import cast

from rich.table import Table

from ledger.database import connect
from ledger.named_sql import Queries

from .settings import Settings
from .workbench import database

_sql = Queries("permit_ledger", "sql/status.sql")


@dataclass(frozen=True, slots=True)
class Status:
    """Positions are of the log; ``lag_events`` is what the views have yet to see."""

    log_position: int
    views_position: int
    lag_events: int
    permits: int
    permits_open: int
    electronic_claimed: int
    checks: int

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def read_status(settings: Settings) -> Status:
    with database(settings) as database_url, connect(database_url) as connection:
        row = connection.execute(_sql.status).fetchone()
    log, views, permits, permits_open, claimed, checks = cast("tuple[int, ...]", row)
    return Status(log, views, log - views, permits, permits_open, claimed, checks)


def status_table(status: Status) -> Table:
    """The screen."""
    table = Table(title="permit ledger · 居住证账本", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(justify="right")
    lag = "in step" if status.lag_events == 0 else f"{status.lag_events:,} events behind"
    table.add_row("log position", f"{status.log_position:,}")
    table.add_row("views position", f"{status.views_position:,} ({lag})")
    table.add_row("permits", f"{status.permits:,} ({status.permits_open:,} open)")
    table.add_row("electronic permits claimed", f"{status.electronic_claimed:,}")
    table.add_row("checks on record", f"{status.checks:,}")
    return table
