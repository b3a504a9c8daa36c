"""What the counter sends for a first identity card; the domain checks the rules."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, StrictBool

from api.http.fields import (
    CitizenNumber,
    Date,
    Ethnicity,
    Printable,
    RequestBody,
    Sex,
    Text,
    code,
)
from api.permits.schemas import GuardianBody
from domain.id_cards.application import REASON_LENGTH_MAX
from domain.id_cards.collection import CollectedBy, Collection
from domain.id_cards.materials import Material
from domain.id_cards.people import Applicant
from domain.id_cards.submission import CollectionMethod, Submission
from domain.person import Guardian

MATERIALS_MAX = 20
Materials = Annotated[
    list[Material],
    Field(max_length=MATERIALS_MAX, examples=[["household_register", "employment_proof"]]),
]
Yes = Annotated[StrictBool, Field(examples=[True])]
No = Annotated[StrictBool, Field(examples=[False])]


class ApplicantBody(RequestBody):
    """The applicant, as in the household register."""

    name: Annotated[Text, Field(examples=["欧阳测试"])]
    sex: Sex
    ethnicity: Ethnicity
    birth_date: Annotated[Date, Field(examples=["1990-01-01"])]
    citizen_id_number: CitizenNumber
    hukou_province: Annotated[
        str,
        BeforeValidator(code, str | int),
        Field(max_length=8, examples=["31"], description="by the household register (GB/T 2260)"),
        Printable,
    ]

    def applicant(self) -> Applicant:
        return Applicant(
            self.name, self.sex, self.ethnicity, self.birth_date, self.citizen_id_number
        )


class CollectionMethodBody(RequestBody):
    method: Annotated[CollectionMethod, Field(examples=["in_person"])]


class IdCardApplicationBody(RequestBody):
    """An application for a first identity card (首次申领居民身份证)."""

    applicant: ApplicantBody
    materials: Materials
    proofs_without_photo: Annotated[
        list[Material] | None, Field(max_length=MATERIALS_MAX, examples=[[]])
    ] = None
    guardian: GuardianBody | None = None
    guardian_relation_registered: Annotated[
        StrictBool | None,
        Field(description="as in the household register; true, if left out", examples=[True]),
    ] = None
    commitment_signed: Yes
    ever_held_id_card: No
    temporary_card_requested: Annotated[StrictBool | None, Field(examples=[False])] = None
    collection: CollectionMethodBody

    def submission(self) -> Submission:
        guardian = self.guardian
        return Submission(
            applicant=self.applicant.applicant(),
            hukou_province=self.applicant.hukou_province,
            materials=frozenset(self.materials),
            proofs_without_photo=frozenset(self.proofs_without_photo or ()),
            guardian=Guardian(guardian.name, guardian.citizen_id_number) if guardian else None,
            guardian_relation_registered=self.guardian_relation_registered is not False,
            commitment_signed=self.commitment_signed,
            ever_held_id_card=self.ever_held_id_card,
            temporary_card_requested=bool(self.temporary_card_requested),
            collection=self.collection.method,
        )


class ReturnBody(RequestBody):
    """Why the police of the household's place sent the application back."""

    reason: Annotated[
        str,
        Field(min_length=1, max_length=REASON_LENGTH_MAX, examples=["照片与户籍档案不符"]),
        Printable,
    ]


class AgentBody(GuardianBody):
    """The person who collects for the applicant, by the identity card that was shown."""

    id_card_shown: StrictBool = True


class IdCardCollectionBody(RequestBody):
    """What was done before the card was handed over; omitted steps were not done."""

    by: CollectedBy
    receipt_shown: StrictBool = False
    details_checked: StrictBool = False
    fingerprint_checked: StrictBool = False
    signed: StrictBool = False
    agent: AgentBody | None = None

    def collection(self) -> Collection:
        agent = self.agent
        shown = agent is not None and agent.id_card_shown
        return Collection(
            by=self.by,
            receipt_shown=self.receipt_shown,
            details_checked=self.details_checked,
            fingerprint_checked=self.fingerprint_checked,
            signed=self.signed,
            agent=Guardian(agent.name, agent.citizen_id_number) if agent and shown else None,
        )
