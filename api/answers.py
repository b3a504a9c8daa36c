"""What callers get back, as OpenAPI shows it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from domain.standing import ElectronicStatus, PermitStatus, PhysicalStatus
from domain.verification import Outcome, Reason, Track


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
    physical: PhysicalAnswer
    electronic: ElectronicAnswer
    as_of_position: int


class PermitsAnswer(BaseModel):
    permits: list[PermitAnswer]
    as_of_position: int


class ResidenceAnswer(BaseModel):
    division: str
    address: str


class FaceAnswer(BaseModel):
    """One track by itself, with every field of the card's face."""

    permit_number: str
    holder_id: str
    version: int
    permit_status: PermitStatus
    name: str
    sex: str
    ethnicity: str
    birth_date: date
    citizen_id_number: str
    portrait: str | None = Field(description="base64")
    hukou_address: str
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


class ElectronicFaceAnswer(FaceAnswer):
    status: ElectronicStatus
    devices: int


class CheckAnswer(BaseModel):
    """What a check came to; ``permit`` holds the scenario's fields when effective, else nothing."""

    check_id: UUID
    outcome: Outcome
    reason: Reason | None
    track: Track
    scenario: str
    permit: dict[str, Any]
    checked_at: datetime
    as_of_position: int
    receipt: str = Field(description="compact JWS, typ permit-check-receipt+jwt")


class Readiness(BaseModel):
    ready: bool
    log_position: int
    views_position: int
    lag_events: int
