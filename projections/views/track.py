"""What the rows of both tracks share, and how events change it.

The face is encrypted in the table, and empty once its holder is erased. It is decrypted before an
event that changes it.

Rows are changed in place: a projector that catches up folds tens of thousands of events a second,
and a copy of a row costs more than all the rest that is done to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from domain.events import (
    AddressChanged,
    End,
    HolderErased,
    HolderRestricted,
    HolderRestrictionLifted,
    IdentityCorrected,
    PermitCancelled,
    PermitEndorsed,
    PermitEvent,
    PermitIssued,
    PermitVoided,
)
from domain.personal import ERASED

from .face import AnyFace, Face

CHANGES_FACE = (AddressChanged, IdentityCorrected)
"""Events before which the face has to be decrypted."""


class RowMissing(Exception):
    """An event of a permit that has no row in the view."""


class RowOutOfOrder(Exception):
    """An event that is not the next one after the row's version."""


@dataclass(slots=True, kw_only=True)
class TrackRow:
    """One permit on one track: the person, the home, the term. Columns by these names.

    ``portrait_version`` is the version of the event that brought the portrait.
    """

    permit_number: str
    holder_id: str
    version: int
    face: AnyFace
    portrait_version: int | None
    division: str
    issuing_authority: str | None
    issued_on: date
    anchor: date
    years: int
    endorsements: int
    ended: str | None
    restricted: bool
    erased: bool


Row = TypeVar("Row", bound=TrackRow)


def begin(row_type: type[Row], event: PermitIssued, **own: Any) -> Row:
    """A permit's first row on a track; ``own`` are the fields that only this track has."""
    face = Face.of(event)
    has_portrait = isinstance(face, Face) and face.portrait is not None
    return row_type(
        permit_number=event.originator_id,
        holder_id=event.holder_id,
        version=event.originator_version,
        face=face,
        portrait_version=event.originator_version if has_portrait else None,
        division=event.residence.division,
        issuing_authority=event.station,
        issued_on=event.anchor,
        anchor=event.anchor,
        years=event.years,
        endorsements=event.years - 1,
        ended=None,
        restricted=False,
        erased=False,
        **own,
    )


def advance(row: Row | None, event: PermitEvent) -> Row:
    """Apply an event to the fields that both tracks share.

    Raises:
        RowMissing, RowOutOfOrder: the view has lost a row or an event.
    """
    if row is None:
        raise RowMissing
    if event.originator_version != row.version + 1:
        raise RowOutOfOrder
    row.version = event.originator_version
    match event:
        case PermitEndorsed():
            row.anchor = event.anchor
            row.years = event.years
            row.endorsements += 1
        case AddressChanged():
            face = _opened(row)
            row.division = event.residence.division
            row.face = face.moved(event.residence.address) if face else ERASED
        case IdentityCorrected():
            row.face = event.corrected(_opened(row) or ERASED)
        case PermitCancelled():
            row.ended = End.ENDED.value
        case PermitVoided():
            row.ended = End.VOIDED.value
        case HolderRestricted():
            row.restricted = True
        case HolderRestrictionLifted():
            row.restricted = False
        case HolderErased():
            row.face = ERASED
            row.portrait_version = None
            row.ended = row.ended or End.ENDED.value
            row.restricted = False
            row.erased = True
        case _:
            pass
    return row


def _opened(row: TrackRow) -> Face | None:
    """The row's face, decrypted before; ``None`` where its key is destroyed."""
    assert row.face is ERASED or isinstance(row.face, Face)  # noqa: S101  see CHANGES_FACE
    return None if row.face is ERASED else row.face
