"""Which commands a permit's state allows on a day, for those who choose one.

A command may still be refused: by the district it is given in, by what is given with it.
"""

from __future__ import annotations

from enum import StrEnum

from .standing import PersonalData, Standing


class PermitCommand(StrEnum):
    """A registrar's command on a permit; the names of :class:`domain.permit.Permit`'s methods."""

    ENDORSE = "endorse"
    REPORT_LOSS = "report_loss"
    LIFT_LOSS = "lift_loss"
    REISSUE = "reissue"
    REPLACE = "replace"
    DELIVER_CARD = "deliver_card"
    CHANGE_ADDRESS = "change_address"
    CORRECT_IDENTITY = "correct_identity"
    CANCEL = "cancel"
    VOID = "void"


_ALWAYS = (
    PermitCommand.CHANGE_ADDRESS,
    PermitCommand.CORRECT_IDENTITY,
    PermitCommand.CANCEL,
    PermitCommand.VOID,
)


def possible_commands(standing: Standing) -> list[PermitCommand]:
    """Return the commands that change something and are not refused by the permit's state."""
    facts = standing.facts
    if facts.end is not None or facts.personal_data is not PersonalData.HELD:
        return []  # P11, D1
    if facts.card.is_lost:  # P9, P14, P15
        return [PermitCommand.LIFT_LOSS, PermitCommand.REISSUE, *_ALWAYS]
    possible = [PermitCommand.REPORT_LOSS, PermitCommand.REPLACE, *_ALWAYS]
    if facts.card.delivered_on is None:
        possible.insert(0, PermitCommand.DELIVER_CARD)
    if standing.today >= standing.endorsement_window.opens:  # P6, P10
        possible.insert(0, PermitCommand.ENDORSE)
    return possible
