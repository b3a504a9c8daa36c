"""Due dates past the published calendar become final when it is extended.

A new release brings the next year's working days. The API then goes through the provisional dates
once, in the background; ``settle-due-dates`` does the same by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

import structlog

from domain.calendar import WorkdayCalendar, due_date
from domain.context import CommandContext
from domain.policy import Policy
from ledger.commands.id_cards import IdCardCommands
from ledger.commands.ledger import PermitLedger
from ledger.commands.runner import Command
from ledger.database.connections import Connection, connect
from ledger.database.named_sql import Queries
from ledger.errors import LedgerError
from ledger.eventlog.log_access import complete

ACTOR = "calendar"
PAGE_ROWS_MAX = 500

_sql = Queries("projections", "sql/id_card_reading.sql")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Settled:
    """``final`` are those whose date is final from now on; ``provisional`` still depend on
    unpublished days; ``failed`` could not be decided, which is logged."""

    final: int = 0
    provisional: int = 0
    failed: int = 0

    def __str__(self) -> str:
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"{self.final:,} due dates are final now, {self.provisional:,} provisional{failed}"


def settle_due_dates(
    ledger: PermitLedger,
    database_url: str,
    workdays: WorkdayCalendar,
    policy: Policy,
    at: datetime,
) -> Settled:
    """Set every provisional due date that can be final by now. Safe to run again, and several times
    at once.

    Raises:
        Unavailable, psycopg.OperationalError: some may be done; run it again.
    """
    commands = IdCardCommands(
        ledger.access, ledger.event_mapper, blind_index=ledger.blind_index, workdays=workdays
    )
    command = Command(CommandContext(ACTOR, None, "settle-due-dates", at, policy))
    final = provisional = failed = 0
    with connect(database_url, application_name="permit-ledger due dates") as connection:
        for receipt_number, accepted_on in _provisional(connection):
            due = due_date(accepted_on, policy.id_cards.due_working_days, workdays)
            if due.provisional:
                provisional += 1
                continue
            try:
                complete(commands.settle_due_date(receipt_number, command))
                final += 1
            except LedgerError as error:
                _log.error("due date not set", error=type(error).__name__)
                failed += 1
    if final or failed:
        _log.info("due dates set")
    return Settled(final, provisional, failed)


def _provisional(connection: Connection) -> Iterator[tuple[str, date]]:
    """Page by page, in the order of their numbers, so that each comes once."""
    after = ""
    while True:
        parameters = {"after": after, "rows_max": PAGE_ROWS_MAX}
        rows = connection.execute(_sql.provisional, parameters).fetchall()
        yield from cast("list[tuple[str, date]]", rows)
        if len(rows) < PAGE_ROWS_MAX:
            return
        after = cast("tuple[str, date]", rows[-1])[0]
