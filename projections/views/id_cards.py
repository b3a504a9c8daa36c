"""First identity cards: each application's progress, and when its card is due.

A row holds nothing of the applicant, so it may be shown to anyone who has the receipt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from domain.calendar import shanghai_date
from domain.id_cards.events import (
    ApplicantErased,
    ApplicantRestricted,
    ApplicantRestrictionLifted,
    ApplicationAccepted,
    DueDateSet,
    IdCardEvent,
)
from domain.id_cards.stages import Stage
from domain.stream_types import ID_CARDS

from .track import RowMissing, RowOutOfOrder
from .view import View


@dataclass(slots=True, kw_only=True)
class IdCardRow:
    """A row of ``views.id_card_applications``. ``accepted_by`` is the station; ``stage_since`` the
    legal date of the event that led to the stage."""

    receipt_number: str
    holder_id: str
    version: int
    stage: str
    stage_since: date
    accepted_on: date
    accepted_by: str | None
    hukou_province: str
    collection: str
    due_date: date
    due_date_provisional: bool
    restricted: bool
    erased: bool


def evolve(row: IdCardRow | None, event: IdCardEvent) -> IdCardRow:
    """The row after one more event, changed in place.

    Raises:
        RowMissing, RowOutOfOrder: the view has lost something; no row is made of guesses.
    """
    on = shanghai_date(event.timestamp)
    if isinstance(event, ApplicationAccepted):
        if event.originator_version != 1:
            raise RowOutOfOrder
        return _begin(event, on)
    if row is None:
        raise RowMissing
    if event.originator_version != row.version + 1:
        raise RowOutOfOrder
    row.version = event.originator_version
    if event.STAGE is not None:
        row.stage, row.stage_since = event.STAGE.value, on
    match event:
        case DueDateSet():
            row.due_date, row.due_date_provisional = event.due_date, False
        case ApplicantRestricted():
            row.restricted = True
        case ApplicantRestrictionLifted():
            row.restricted = False
        case ApplicantErased():
            if Stage(row.stage).is_open:
                row.stage, row.stage_since = Stage.WITHDRAWN.value, on
            row.restricted, row.erased = False, True
        case _:
            pass
    return row


def _begin(event: ApplicationAccepted, on: date) -> IdCardRow:
    return IdCardRow(
        receipt_number=event.originator_id,
        holder_id=event.holder_id,
        version=event.originator_version,
        stage=Stage.ACCEPTED.value,
        stage_since=on,
        accepted_on=event.accepted_on,
        accepted_by=event.station,
        hukou_province=event.hukou_province,
        collection=event.collection.value,
        due_date=event.due_date,
        due_date_provisional=event.due_date_provisional,
        restricted=False,
        erased=False,
    )


VIEW = View(
    "id_cards",
    "id_card_applications",
    IdCardRow,
    evolve,
    stream_type=ID_CARDS,
    key="receipt_number",
)
