"""What the counter for identity cards receives, as OpenAPI shows it."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, Field

from domain.id_cards.collection import CollectedBy
from domain.id_cards.materials import Material
from domain.id_cards.stages import Stage
from domain.id_cards.submission import CollectionMethod
from domain.standing import PersonalData


class AdviceAnswer(BaseModel):
    """A recommendation, which prevents nothing."""

    code: str
    material: Material
    detail: str


class CollectionMethodAnswer(BaseModel):
    method: CollectionMethod


class IdCardApplicationAnswer(BaseModel):
    """An application, without the person."""

    receipt_number: Annotated[str, Field(examples=["7Q2M9K4T8XW57Q2M"])]
    holder_id: str = Field(description="whose key seals what is personal; for an erasure")
    version: int
    stage: Stage
    accepted_on: date
    accepted_by: str | None
    hukou_province: str
    due_date: date
    due_date_provisional: bool = Field(
        description="some days on the way are not published yet; the final date comes by itself"
    )
    fee_yuan: int
    card_term_years: int | None = Field(description="null: long-term")
    collection: CollectionMethodAnswer
    collected_by: CollectedBy | None
    advice: list[AdviceAnswer]
    personal_data: PersonalData
    as_of_position: int


class ApplicantAnswer(BaseModel):
    name: str
    sex: str
    ethnicity: str
    birth_date: date
    citizen_id_number: str


class IdCardFileAnswer(IdCardApplicationAnswer):
    """The same with the person; null where ``personal_data`` is not ``held``."""

    applicant: ApplicantAnswer | None
    return_reason: str | None


class ProgressAnswer(BaseModel):
    """Progress, for anyone with the receipt number; without personal data."""

    receipt_number: str
    stage: Stage
    stage_since: date
    due_date: date
    due_date_provisional: bool
    as_of_position: int


class AtWorkAnswer(BaseModel):
    receipt_number: str
    stage: Stage
    stage_since: date
    accepted_on: date
    accepted_by: str | None
    due_date: date
    due_date_provisional: bool
    days_left: int = Field(description="until the due date; below 0: overdue")
    collection: CollectionMethod
    restricted: bool


class WorkListAnswer(BaseModel):
    applications: list[AtWorkAnswer] = Field(description="the first 100")
    found: int = Field(description="how many there are")


class WorkAnswer(BaseModel):
    """Today's work list."""

    today: date
    station: str
    overdue: WorkListAnswer
    due_soon: WorkListAnswer
    waiting_for_collection: WorkListAnswer
    as_of_position: int


class IdCardCountsAnswer(BaseModel):
    """The number of all applications, by stage."""

    stages: dict[str, int]
    due_date_provisional: int
    as_of_position: int
