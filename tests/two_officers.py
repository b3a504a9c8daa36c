"""An erasure by two officers: one asks, the other approves."""

from dataclasses import replace
from datetime import date

from domain.data_protection import Order
from ledger.commands.blocking import BlockingLedger
from ledger.commands.runner import Command
from ledger.eventlog.idempotency import Answer

OFFICERS = ["officer-1", "officer-2"]


def by(officer: str, command: Command) -> Command:
    """The same command of this officer."""
    return replace(command, context=replace(command.context, actor=officer))


def erase(
    ledger: BlockingLedger, holder_id: str, order: Order, until: date, command: Command
) -> Answer:
    """The second officer's answer; an idempotency key is the second one's."""
    asks, approves = OFFICERS
    ledger.holders.erase(holder_id, order, until, by(asks, replace(command, key=None)))
    return ledger.holders.erase(holder_id, order, until, by(approves, command))
