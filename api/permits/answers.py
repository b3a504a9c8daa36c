"""What callers get back, as OpenAPI shows it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from domain.standing import ElectronicStatus, PermitStatus, PersonalData, PhysicalStatus
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
    personal_data: PersonalData = Field(description="restricted: kept, not used; erased: gone")
    physical: PhysicalAnswer
    electronic: ElectronicAnswer
    as_of_position: int


class PermitsAnswer(BaseModel):
    permits: list[PermitAnswer]
    as_of_position: int


class ResidenceAnswer(BaseModel):
    division: str
    address: str | None


class FaceAnswer(BaseModel):
    """One track by itself, with every field of the card's face; what tells of the person is null
    where ``personal_data`` is not ``held``."""

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


class RemoteCheckAnswer(CheckAnswer):
    """What a check beside a remote database came to; ``permit`` holds ``valid_until`` and
    ``card_serial`` when effective: whose the card is, the central ledger knows alone."""

    as_of_position: int = Field(description="the newest event there, among those of its partition")
    remote: Literal[True]
    stale_s: float | None = Field(
        description="so long ago all that the ledger had was there; null: never, or not looked up"
    )
    personal_data: Literal["held_centrally"]


class RemoteReadiness(BaseModel):
    ready: bool
    as_of_position: int
    stale_s: float
    stale_s_max: int
    bad_records: int
    quarantined_permits: int


class ChallengeAnswer(BaseModel):
    """Digits that the checker shows, for the holder to type."""

    challenge: Annotated[str, Field(examples=["40718263"])]
    expires_at: datetime


class DisplayCodeAnswer(BaseModel):
    """A live code; it is dead once it was checked, and at ``expires_at`` at the latest."""

    code: Annotated[str, Field(examples=["3ZQ8K5V0N1C7W2RXG4T9J6MEHA"])]
    issued_at: datetime
    expires_at: datetime
    refresh_after_s: int = Field(description="then it is time to ask for the next one")
    url: str = Field(description="what the QR code holds: upper case throughout")
    qr_svg: str | None = Field(description="null where the service's address is too long for one")


class OwnCheckAnswer(BaseModel):
    """A check, as the holder sees it; what was erased is null."""

    position: int = Field(description="among all checks; for `before`")
    check_id: UUID
    checked_at: datetime
    permit_number: str | None
    track: Track
    scenario: str
    outcome: Outcome
    reason: Reason | None
    as_of_position: int
    verifier: str | None = Field(description="the account that looked")
    fields: list[str] | None = Field(description="what was shown, by name")
    card_serial: int | None
    device: str | None = Field(description="thumbprint of the phone whose code it was")


class OwnChecksAnswer(BaseModel):
    checks: list[OwnCheckAnswer]
    next_before: int | None = Field(description="`before` of the next page; null at the end")


class ReceiptAnswer(BaseModel):
    check_id: UUID
    receipt: str = Field(description="compact JWS, typ permit-check-receipt+jwt")


class Readiness(BaseModel):
    ready: bool
    log_position: int
    views_position: int
    lag_events: int


class QuarantinedAnswer(BaseModel):
    """A permit whose views stand still, and why; `trace` says where in the code, without values."""

    permit_number: str
    position: int = Field(description="the first that the views do not hold")
    version: int
    topic: str
    found_by: Literal["projector", "auditor"]
    reason: str
    trace: str
    parked_at: datetime
    retries: int
    retried_at: datetime | None
    events_waiting: int


class QuarantineAnswer(BaseModel):
    """At most 1,000 of them, by position."""

    permits: list[QuarantinedAnswer]
    as_of_position: int


class RetriedAnswer(BaseModel):
    """What a retry came to; in vain, `position` and `reason` say what stands in the way."""

    permit_number: str
    released: bool
    position: int | None
    reason: str | None
    as_of_position: int


class HolderAnswer(BaseModel):
    """How a holder's details stand, over all permits that the holder ever had."""

    holder_id: str
    permit_numbers: list[str]
    personal_data: PersonalData
    as_of_position: int


class DestroyedAnswer(BaseModel):
    """What an erasure has destroyed; ``holder_key`` is the commitment to the key (SHA-256)."""

    holder_key: str
    search_index: bool
    portraits: bool
    views: bool


class ErasureAnswer(HolderAnswer):
    """The certificate of an erasure, for the file and for the person."""

    erased_at: datetime
    legal_basis: str
    case: str
    approvals: list[str]
    destroyed: DestroyedAnswer
    backups_hold_key_until: date = Field(
        description="last day on which copies of the database made before may hold the key"
    )
    certificate: str = Field(
        description="the same, signed: compact JWS, typ erasure-certificate+jwt"
    )


class QuestionAnswer(BaseModel):
    """A table; ``None`` in it is a number that is withheld, or one that there is not."""

    columns: list[str]
    rows: list[list[Any]]
    rows_left_out: Annotated[int, Field(description="whose numbers are all withheld")]


class StatsAnswer(BaseModel):
    """The statistics for everybody; local counts below ``count_min`` are withheld."""

    as_of_position: Annotated[int, Field(description="of the log, of the newest event in it")]
    as_of_checks: Annotated[int, Field(description="of the log of checks")]
    recorded_at: Annotated[datetime | None, Field(description="of the newest event")]
    today: Annotated[date, Field(description="for which it was asked")]
    events: int
    parked: Annotated[int, Field(description="records that can't be counted")]
    count_min: int
    questions: dict[str, QuestionAnswer]
    charts: Annotated[
        dict[str, dict[str, dict[str, str]]],
        Field(description="chart, language, width: the name of its file"),
    ]
