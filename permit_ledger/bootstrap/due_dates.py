"""Due dates past the published calendar become final when it is extended.

A new release brings the next year's working days. The API then goes through the provisional dates
once, in the background; ``settle-due-dates`` does the same by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime

import structlog
from psycopg.rows import args_row

from domain.calendar import WorkdayCalendar, due_date
from domain.context import CommandContext
from domain.policy import Policy
from ledger.commands.id_cards import IdCardCommands
from ledger.commands.runner import Command
from ledger.database.named_sql import Queries
from ledger.errors import LedgerError
from ledger.eventlog.reads import Pool, read_rows

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


async def settle_due_dates(
    commands: IdCardCommands,
    pool: Pool,
    workdays: WorkdayCalendar,
    policy: Policy,
    at: datetime,
) -> Settled:
    """Make every provisional due date final whose days the calendar has. Safe to run again, and
    several times at once.

    Raises:
        Unavailable: some may be done; run it again.
    """
    command = Command(CommandContext(ACTOR, None, "settle-due-dates", at, policy))
    final = provisional = failed = 0
    async for receipt_number, accepted_on in _provisional(pool):
        due = due_date(accepted_on, policy.id_cards.due_working_days, workdays)
        if due.provisional:
            provisional += 1
            continue
        try:
            await commands.settle_due_date(receipt_number, command)
            final += 1
        except LedgerError as error:
            _log.error("due date not set", error=type(error).__name__)
            failed += 1
    if final or failed:
        _log.info("due dates set")
    return Settled(final, provisional, failed)


async def _provisional(pool: Pool) -> AsyncIterator[tuple[str, date]]:
    """Page by page, in the order of their numbers, so that each is read once."""
    after = ""
    while True:
        parameters = {"after": after, "rows_max": PAGE_ROWS_MAX}
        rows = await read_rows(pool, _sql.provisional, parameters, args_row(_dated))
        for row in rows:
            yield row
        if len(rows) < PAGE_ROWS_MAX:
            return
        after, _ = rows[-1]


def _dated(receipt_number: str, accepted_on: date) -> tuple[str, date]:
    return receipt_number, accepted_on
