"""The commands that a permit's state allows are those that then change something."""

from datetime import date

import pytest

from domain.errors import DomainError
from domain.events import CancellationReason, CardPresented, ReplacementReason
from domain.permit import Permit
from domain.person import Residence
from domain.possible import PermitCommand, possible_commands
from domain.standing import Facts, Standing
from tests.domain.scenario import (
    FINDING,
    HOME,
    cancelled,
    delivered,
    endorsed,
    given,
    holder_erased,
    holder_restricted,
    issued,
    loss_lifted,
    loss_reported,
    on,
    reissued,
    replaced,
    voided,
)

ISSUED, IN_WINDOW, OVERDUE = date(2026, 1, 5), date(2026, 12, 20), date(2027, 3, 1)
EARLY = date(2026, 6, 1)
PASTS = {
    "issued": [],
    "delivered": [delivered(EARLY)],
    "lost": [loss_reported(EARLY)],
    "lost after its delivery": [delivered(EARLY), loss_reported(EARLY)],
    "found": [loss_reported(EARLY), loss_lifted(EARLY)],
    "reissued": [loss_reported(EARLY), reissued(EARLY)],
    "replaced": [delivered(EARLY), replaced(EARLY)],
    "endorsed": [endorsed(IN_WINDOW, ISSUED, 2)],
    "restricted": [holder_restricted(EARLY)],
    "cancelled": [cancelled(EARLY)],
    "voided": [voided(EARLY)],
    "erased": [holder_erased(EARLY, date(2026, 7, 6))],
}
COMMANDS = {
    PermitCommand.ENDORSE: lambda permit, c: permit.endorse(CardPresented.CARD, c),
    PermitCommand.REPORT_LOSS: lambda permit, c: permit.report_loss(c),
    PermitCommand.LIFT_LOSS: lambda permit, c: permit.lift_loss(c),
    PermitCommand.REISSUE: lambda permit, c: permit.reissue(c),
    PermitCommand.REPLACE: lambda permit, c: permit.replace(
        ReplacementReason.DAMAGED, old_card_returned=True, context=c
    ),
    PermitCommand.DELIVER_CARD: lambda permit, c: permit.deliver_card(c),
    PermitCommand.CHANGE_ADDRESS: lambda permit, c: permit.change_address(
        Residence(HOME.division, "蠡湖大道2号"), c.today, c
    ),
    PermitCommand.CORRECT_IDENTITY: lambda permit, c: permit.correct_identity(
        name="欧阳改名", context=c
    ),
    PermitCommand.CANCEL: lambda permit, c: permit.cancel(CancellationReason.MOVED_AWAY, c),
    PermitCommand.VOID: lambda permit, c: permit.void(FINDING, c),
}


def changes(past: list, command: PermitCommand, today: date) -> bool:
    permit: Permit = given(issued(ISSUED), *past).aggregate
    try:
        COMMANDS[command](permit, on(today))
    except DomainError:
        return False
    return bool(permit.pending_events)


@pytest.mark.parametrize("today", [EARLY, IN_WINDOW, OVERDUE], ids=["early", "window", "overdue"])
@pytest.mark.parametrize("past", PASTS.values(), ids=PASTS)
def test_what_is_possible_is_what_changes_something(past, today):
    """All but the delivery of a card that is reported lost, which is found first."""
    permit = given(issued(ISSUED), *past).aggregate
    possible = possible_commands(Standing(Facts.of(permit), today))
    expected = {command for command in PermitCommand if changes(past, command, today)}
    if permit.card.is_lost:
        expected.discard(PermitCommand.DELIVER_CARD)

    assert expected == set(possible)
    assert len(possible) == len(set(possible))
