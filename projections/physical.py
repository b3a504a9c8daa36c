"""The physical track (实体居住证): what the card in use says and whether it is lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from domain.card import CardStatus
from domain.events import (
    CardDelivered,
    CardReissued,
    CardReplaced,
    CardReportedLost,
    HolderErased,
    IdentityCorrected,
    LossLifted,
    PermitEvent,
    PermitIssued,
)

from .track import TrackRow, advance, begin


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicalPermit(TrackRow):
    """A row of ``views.physical_permits``."""

    card_serial: int
    card_status: str
    identity_stale: bool
    card_due_on: date
    card_delivered_on: date | None


def evolve(row: PhysicalPermit | None, event: PermitEvent) -> PhysicalPermit:
    """The row after one more event; a permit begins with :class:`PermitIssued`."""
    if isinstance(event, PermitIssued):
        return begin(
            PhysicalPermit,
            event,
            card_serial=event.card_serial,
            card_status=CardStatus.ISSUED.value,
            identity_stale=False,
            card_due_on=event.card_due_on,
            card_delivered_on=None,
        )
    assert row is not None  # noqa: S101  a stream starts with its first version
    row = advance(row, event)
    match event:
        case CardReissued() | CardReplaced():
            return replace(
                row,
                card_serial=event.card_serial,
                card_status=CardStatus.ISSUED.value,
                identity_stale=False,
                card_due_on=event.card_due_on,
                card_delivered_on=None,
            )
        case CardReportedLost():
            return replace(row, card_status=CardStatus.REPORTED_LOST.value)
        case LossLifted():
            return replace(row, card_status=CardStatus.ISSUED.value)
        case CardDelivered():
            return replace(row, card_delivered_on=event.delivered_on)
        case IdentityCorrected() if event.outdates_card:
            return replace(row, identity_stale=True)
        case HolderErased():
            return replace(row, identity_stale=False)
        case _:
            return row
