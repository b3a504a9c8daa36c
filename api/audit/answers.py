"""What investigators receive, as OpenAPI shows it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.checks.answers import OwnCheckAnswer
from api.permits.answers import PermitAnswer
from domain.standing import ElectronicStatus, PermitStatus, PersonalData, PhysicalStatus
from domain.verification import Outcome, Reason

Withheld = Annotated[
    Literal["erased", "restricted", "not_disclosed"] | None,
    Field(
        description="why what is personal is null: the key was destroyed, or may not be used; or"
        " it was not asked for, in evidence"
    ),
]


class ChangeAnswer(BaseModel):
    """One fact of the permit, before the event and after it, both read on the day of the event."""

    model_config = ConfigDict(populate_by_name=True)

    field: Annotated[str, Field(examples=["physical.status"])]
    before: Any = Field(alias="from")
    after: Any = Field(alias="to")
    personal: bool
    withheld: Withheld = None


class EventAnswer(BaseModel):
    """One event. Unreadable fields are null; `reason` has the cause."""

    position: int = Field(description="in the log")
    version: int = Field(description="in the permit's own history; for `after`")
    type: Annotated[str, Field(examples=["permit.card-reported-lost.v2"])]
    readable: bool
    reason: str | None
    recorded_at: datetime | None
    true_from: datetime | None
    actor: str | None
    station: str | None
    policy_version: str | None
    correlation_id: str | None
    facts: dict[str, Any] | None = Field(description="the event's other fields")
    changes: list[ChangeAnswer] | None = Field(
        description="null where the event, or one before it, can't be read"
    )
    withheld: Withheld
    details: str | None = Field(
        None,
        description="canonical JSON, whose SHA-256 is the commitment of the event's entry in the"
        " transparency log; of an event recorded before there were commitments, the entry itself",
    )
    stored: str | None = Field(
        None,
        description="the stored bytes, with `disclose`: their SHA-256 is in the details; what is"
        " personal in them is encrypted",
    )
    disclosures: list[str] | None = Field(
        None,
        description='with `disclose`: the opened fields, each as `["salt","name",value]`, whose'
        " SHA-256 is among `sealed.digests` of the stored bytes; null where there are no such"
        " proofs, as of events recorded before there were any",
    )


class HistoryAnswer(BaseModel):
    permit_number: str
    events: list[EventAnswer]
    missing_versions: list[int] = Field(description="of events that are not in the log any more")
    next_after: int | None = Field(description="`after` of the next page; null at the end")
    as_of_position: int


class ApplicationHistoryAnswer(BaseModel):
    receipt_number: str
    events: list[EventAnswer]
    missing_versions: list[int]
    next_after: int | None = Field(description="`after` of the next page; null at the end")
    as_of_position: int


class IdentityAnswer(BaseModel):
    name: str
    sex: str
    ethnicity: str
    birth_date: date
    citizen_id_number: str
    hukou_address: str
    portrait: str | None = Field(description="SHA-256 of the picture, hex")


class HomeAnswer(BaseModel):
    division: str
    address: str | None


class StateAnswer(PermitAnswer):
    """A permit as it was at ``at``, as known at ``known_at``; ``version`` is the newest of the
    events that it is made of, ``as_of_position`` the permit's last event that was known."""

    at: datetime
    known_at: datetime
    known_version: int
    issued_on: date
    issuing_authority: str | None
    identity: IdentityAnswer | None
    residence: HomeAnswer
    identity_stale: bool
    withheld: Withheld
    uncertain: list[str] = Field(description="fields that went with the holder's key")


class BandAnswer(BaseModel):
    """The state of both tracks from ``since`` until the next band."""

    since: datetime
    until: datetime | None
    status: PermitStatus
    card_serial: int
    physical: PhysicalStatus
    physical_effective: bool
    electronic: ElectronicStatus
    electronic_effective: bool


class MarkAnswer(BaseModel):
    """An event on both axes."""

    position: int
    version: int
    type: str
    recorded_at: datetime
    true_from: datetime


class TimelineAnswer(BaseModel):
    permit_number: str
    now: datetime
    known_at: datetime
    bands: list[BandAnswer]
    marks: list[MarkAnswer]
    next_after: int | None = Field(description="`after` of the next marks; null at the end")
    as_of_position: int


class TodayAnswer(BaseModel):
    """The same check, with what is known today about its instant."""

    outcome: Outcome
    reason: Reason | None
    fields: list[str] = Field(description="shown then, and others today")
    because: list[int] = Field(description="positions of the events that make the difference")


class AuditedCheckAnswer(OwnCheckAnswer):
    """A check; `today` is null where it can't be established any more."""

    differs: bool | None
    relied_on: bool = Field(description="answered effective, and voided afterwards")
    today: TodayAnswer | None


class UnreadableCheckAnswer(BaseModel):
    """A recorded check that can't be decrypted."""

    position: int
    readable: Literal[False] = False


class ChecksAnswer(BaseModel):
    permit_number: str
    checks: list[AuditedCheckAnswer | UnreadableCheckAnswer]
    next_before: int | None = Field(description="`before` of the next page; null at the end")
    as_of_position: int


class ReadAnswer(BaseModel):
    """An audit read."""

    position: int
    read_id: UUID
    read_at: datetime
    reader: str
    case: str | None
    what: str
    subject: str | None
    parameters: dict[str, str]
    outcome: Literal["answered", "refused", "unknown", "invalid", "unavailable", "failed"]
    correlation_id: str


class ReadsAnswer(BaseModel):
    reads: list[ReadAnswer]
    unreadable: list[int] = Field(description="positions of records that can't be read")
    next_before: int | None = Field(description="`before` of the next page; null at the end")


class HolderAnswer(BaseModel):
    """The state of a holder's personal data, and all permits that the holder ever had."""

    holder_id: str
    permit_numbers: list[str]
    personal_data: PersonalData
    as_of_position: int


class WaitingErasureAnswer(HolderAnswer):
    """A request to erase that waits for another officer; ``approvals`` has who asked."""

    approvals: list[str]
    expires_at: datetime


class ErasureRequestAnswer(BaseModel):
    """A request to erase that waits for a second officer; ``approvals`` has who asked."""

    holder_id: str
    permit_numbers: list[str]
    legal_basis: str
    case: str
    approvals: list[str]
    expires_at: datetime


class ErasureRequestsAnswer(BaseModel):
    """``unreadable`` are permits or applications whose requests can't be read."""

    requests: list[ErasureRequestAnswer]
    unreadable: list[str]


class DestroyedAnswer(BaseModel):
    """What an erasure destroyed; ``holder_key`` is the commitment to the key (SHA-256)."""

    holder_key: str
    search_index: bool
    portraits: bool
    views: bool


class ErasureAnswer(HolderAnswer):
    """The certificate of an erasure."""

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
