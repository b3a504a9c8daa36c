"""What the rows of both tracks have in common, and how events change it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeVar

from domain.events import (
    AddressChanged,
    End,
    IdentityCorrected,
    PermitCancelled,
    PermitEndorsed,
    PermitEvent,
    PermitIssued,
    PermitVoided,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRow:
    """One permit on one track: the person, the home, the term. Columns by these names."""

    permit_number: str
    holder_id: str
    version: int
    name: str
    sex: str
    ethnicity: str
    birth_date: date
    citizen_id_number: str
    hukou_address: str
    portrait: str | None
    division: str
    address: str
    issuing_authority: str | None
    issued_on: date
    anchor: date
    years: int
    endorsements: int
    ended: str | None


Row = TypeVar("Row", bound=TrackRow)


def begin(row_type: type[Row], event: PermitIssued, **own: Any) -> Row:
    """The row with which a permit begins on a track; ``own`` are the fields that only it has."""
    identity = event.identity
    return row_type(
        permit_number=event.originator_id,
        holder_id=event.holder_id,
        version=event.originator_version,
        name=identity.name,
        sex=identity.sex,
        ethnicity=identity.ethnicity,
        birth_date=identity.birth_date,
        citizen_id_number=identity.citizen_id_number,
        hukou_address=identity.hukou_address,
        portrait=identity.portrait,
        division=event.residence.division,
        address=event.residence.address,
        issuing_authority=event.station,
        issued_on=event.anchor,
        anchor=event.anchor,
        years=event.years,
        endorsements=event.years - 1,
        ended=None,
        **own,
    )


def advance(row: Row, event: PermitEvent) -> Row:
    """The row after an event, as far as both tracks share it."""
    return replace(row, version=event.originator_version, **_shared_changes(row, event))


def _shared_changes(row: TrackRow, event: PermitEvent) -> dict[str, Any]:
    match event:
        case PermitEndorsed():
            return {
                "anchor": event.anchor,
                "years": event.years,
                "endorsements": row.endorsements + 1,
            }
        case AddressChanged():
            return {"division": event.residence.division, "address": event.residence.address}
        case IdentityCorrected():
            return {
                "name": event.name or row.name,
                "citizen_id_number": event.citizen_id_number or row.citizen_id_number,
                "hukou_address": event.hukou_address or row.hukou_address,
            }
        case PermitCancelled():
            return {"ended": End.ENDED.value}
        case PermitVoided():
            return {"ended": End.VOIDED.value}
        case _:
            return {}
