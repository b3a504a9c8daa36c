"""What callers receive about permits, as OpenAPI shows it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from domain.standing import ElectronicStatus, PermitStatus, PersonalData, PhysicalStatus

from .recorded import What


class WindowAnswer(BaseModel):
    opens: date
    closes: date


class PhysicalAnswer(BaseModel):
    card_serial: int
    status: PhysicalStatus
    effective: bool


class ElectronicAnswer(BaseModel):
    status: ElectronicStatus
    card_serial: int
    effective: bool
    devices: int


class PermitAnswer(BaseModel):
    """A permit, both tracks."""

    permit_number: Annotated[str, Field(examples=["84G7ZWYRD6Z1"])]
    holder_id: str
    version: int
    status: PermitStatus
    anchor: date
    valid_from: date
    valid_until: date
    endorsement_window: WindowAnswer
    endorsements: int
    personal_data: PersonalData = Field(description="restricted: kept, not used; erased: gone")
    physical: PhysicalAnswer
    electronic: ElectronicAnswer
    as_of_position: int


class DeviceAnswer(BaseModel):
    """A phone that can show the permit."""

    device: str = Field(description="the key's thumbprint (RFC 7638)")
    bound_at: datetime


class DevicesAnswer(BaseModel):
    """The holder's phones, the oldest first."""

    permit_number: str
    devices: list[DeviceAnswer]
    as_of_position: int


class LogEntryAnswer(BaseModel):
    """What the transparency log has of one event."""

    position: int
    version: int = Field(description="in the permit's own history; for `after`")
    type: str
    details: str = Field(
        description="canonical JSON, whose SHA-256 is the commitment of the event's entry; of an"
        " event recorded before there were commitments, the entry itself"
    )
    leaf_hash: str = Field(description="of the entry, SHA-256 in hex: SHA-256(00 ‖ entry)")


class LogEntriesAnswer(BaseModel):
    permit_number: str
    entries: list[LogEntryAnswer]
    next_after: int | None = Field(description="`after` of the next page; null at the end")
    as_of_position: int


class PermitsAnswer(BaseModel):
    permits: list[PermitAnswer]
    as_of_position: int


class ListedPermitAnswer(PermitAnswer):
    """A permit in a station's work list."""

    updated_at: datetime = Field(description="when its last event was recorded")
    card_due_on: date
    card_delivered_on: date | None


class WorkListCountsAnswer(BaseModel):
    """Sizes of the station's lists; none is counted beyond 1,000."""

    open: int
    closing: int
    overdue: int
    waiting_for_collection: int


class WorkListAnswer(BaseModel):
    """A page of a station's permits."""

    station: str
    today: date
    permits: list[ListedPermitAnswer]
    quarantined: list[str] = Field(
        description="permits of this page that can't be read: an operator has to act"
    )
    counts: WorkListCountsAnswer | None = Field(description="on the first page only")
    next_before: str | None = Field(description="`before` of the next page; null at the end")
    as_of_position: int


class ResidenceAnswer(BaseModel):
    division: str
    address: str | None


class FaceAnswer(BaseModel):
    """One track by itself, with every field of the card's face; personal fields are null where
    ``personal_data`` is not ``held``."""

    permit_number: str
    holder_id: str
    version: int
    permit_status: PermitStatus
    personal_data: PersonalData
    name: str | None
    sex: str | None
    ethnicity: str | None
    birth_date: date | None
    citizen_id_number: str | None
    portrait: str | None = Field(description="base64")
    hukou_address: str | None
    residence: ResidenceAnswer
    issuing_authority: str | None
    issued_on: date
    anchor: date
    valid_from: date
    valid_until: date
    endorsements: int
    card_serial: int
    effective: bool
    as_of_position: int


class PhysicalFaceAnswer(FaceAnswer):
    status: PhysicalStatus
    identity_stale: bool
    card_due_on: date
    card_delivered_on: date | None
    updated_at: datetime = Field(description="when the permit's last event was recorded")
    card_code: str | None = Field(
        None, description="the code to print on the card's face; for registrars only"
    )


class ElectronicFaceAnswer(FaceAnswer):
    status: ElectronicStatus
    devices: int


class DisplayCodeAnswer(BaseModel):
    """A live code; it is good for one check, until ``expires_at``."""

    code: Annotated[str, Field(examples=["3ZQ8K5V0N1C7W2RXG4T9J6MEHA"])]
    issued_at: datetime
    expires_at: datetime
    refresh_after_s: int = Field(description="when to request the next one")
    url: str = Field(description="content of the QR code, in upper case")
    qr_svg: str | None = Field(description="null if the service's address is too long for one")


class RegistrarReadAnswer(BaseModel):
    """A read at a counter: of a permit, of an application for an identity card."""

    position: int = Field(description="among all registrars' reads; for `before`")
    read_at: datetime
    subject: str = Field(description="the permit's number, or the application's")
    what: What
    station: str
    reader: str = Field(description="the account that read")


class RegistrarReadsAnswer(BaseModel):
    reads: list[RegistrarReadAnswer]
    unreadable: list[int] = Field(description="positions of records that can't be read")
    next_before: int | None = Field(description="`before` of the next page; null at the end")
