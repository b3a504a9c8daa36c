"""The physical track (实体居住证): the card in use, and whether it is lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

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


@dataclass(slots=True, kw_only=True)
class PhysicalPermit(TrackRow):
    """A row of ``views.physical_permits``."""

    card_serial: int
    card_status: str
    identity_stale: bool
    card_due_on: date
    card_delivered_on: date | None
    updated_at: datetime
    """When the last event was recorded."""


def evolve(row: PhysicalPermit | None, event: PermitEvent) -> PhysicalPermit:
    """The row after one more event, changed in place; a permit begins with :class:`PermitIssued`.

    Raises:
        RowMissing, RowOutOfOrder
    """
    if isinstance(event, PermitIssued):
        return begin(
            PhysicalPermit,
            event,
            card_serial=event.card_serial,
            card_status=CardStatus.ISSUED.value,
            identity_stale=False,
            card_due_on=event.card_due_on,
            card_delivered_on=None,
            updated_at=event.timestamp,
        )
    row = advance(row, event)
    row.updated_at = event.timestamp
    match event:
        case CardReissued() | CardReplaced():
            row.card_serial = event.card_serial
            row.card_status = CardStatus.ISSUED.value
            row.identity_stale = False
            row.card_due_on = event.card_due_on
            row.card_delivered_on = None
        case CardReportedLost():
            row.card_status = CardStatus.REPORTED_LOST.value
        case LossLifted():
            row.card_status = CardStatus.ISSUED.value
        case CardDelivered():
            row.card_delivered_on = event.delivered_on
        case IdentityCorrected() if event.may_outdate_card:
            row.identity_stale = True
        case HolderErased():
            row.identity_stale = False
        case _:
            pass
    return row
