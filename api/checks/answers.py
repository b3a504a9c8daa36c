"""What verifiers and holders receive about checks, as OpenAPI shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.http.problems import Problem
from domain.verification import CardCode, Outcome, Reason, Track


class CheckAnswer(BaseModel):
    """The outcome of a check; ``permit`` has the scenario's fields when effective, else nothing."""

    check_id: UUID
    outcome: Outcome
    reason: Reason | None
    track: Track
    scenario: str
    permit: dict[str, Any]
    checked_at: datetime
    as_of_position: int
    receipt: str = Field(description="compact JWS, typ permit-check-receipt+jwt")


class RefusedCheckAnswer(Problem):
    """Why a check of a batch was not answered: nothing follows from it for the permit."""

    retry_after_s: int | None = Field(description="seconds, where it may be sent again")


class CheckBatchAnswer(BaseModel):
    """One answer for each check, in their order; a problem where there was none."""

    checks: list[CheckAnswer | RefusedCheckAnswer]


class VerifierCheckAnswer(BaseModel):
    """A check, for the account that made it; ``permit`` is in the answer of the check alone."""

    position: int = Field(description="among all checks; for `before`")
    check_id: UUID
    checked_at: datetime
    permit_number: str | None = Field(
        description="null where the answer did not name the permit: of a code that was not live"
    )
    track: Track
    scenario: str
    outcome: Outcome
    reason: Reason | None
    as_of_position: int


class VerifierChecksAnswer(BaseModel):
    checks: list[VerifierCheckAnswer]
    unreadable: list[int] = Field(description="positions of records that can't be read")
    next_before: int | None = Field(description="`before` of the next page; null at the end")


class RemoteCheckAnswer(CheckAnswer):
    """The outcome of a check beside a remote database; ``permit`` has ``valid_until`` and
    ``card_serial`` when effective. Only the central ledger knows whose the card is."""

    as_of_position: int = Field(description="the newest event there, among those of its partition")
    remote: Literal[True]
    stale_s: float | None = Field(
        description="age of the views in seconds; null: never in step, or not read"
    )
    personal_data: Literal["held_centrally"]


class ChallengeAnswer(BaseModel):
    """Digits that the verifier shows, for the holder to type."""

    challenge: Annotated[str, Field(examples=["40718263"])]
    expires_at: datetime


class OwnCheckAnswer(BaseModel):
    """A check, for the holder; erased fields are null."""

    position: int = Field(description="among all checks; for `before`")
    check_id: UUID
    checked_at: datetime
    permit_number: str | None
    track: Track
    scenario: str
    outcome: Outcome
    reason: Reason | None
    as_of_position: int
    verifier: str | None = Field(description="the account that checked")
    fields: list[str] | None = Field(description="what was shown, by name")
    card_serial: int | None
    card_code: CardCode | None = Field(
        description="of a card: whether the code on its face was right, wrong or missing; null if"
        " none was brought and none was needed"
    )
    device: str | None = Field(description="thumbprint of the phone whose code it was")


class OwnChecksAnswer(BaseModel):
    checks: list[OwnCheckAnswer]
    unreadable: list[int] = Field(description="positions of records that can't be read")
    next_before: int | None = Field(description="`before` of the next page; null at the end")


class ReceiptAnswer(BaseModel):
    check_id: UUID
    receipt: str = Field(description="compact JWS, typ permit-check-receipt+jwt")
