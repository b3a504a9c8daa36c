"""What callers send. Shapes and bounds are checked here; what a value may mean, in the domain."""

from __future__ import annotations

import base64
import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    model_validator,
)

from domain import text as typed
from domain.application import CARD_SERIAL_MAX, Application
from domain.data_protection import Order
from domain.device import FaceMatch
from domain.events import CancellationReason, CardPresented, ReplacementReason
from domain.person import Guardian, Identity, Residence
from ledger.crypto.portraits import SIZE_BYTES_MAX, Portrait

APPROVALS_MAX = 10
BASE64_LENGTH_MAX = (SIZE_BYTES_MAX + 2) // 3 * 4
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
FIRST_DATE, LAST_DATE = date(1900, 1, 1), date(2100, 1, 1)


class RequestBody(BaseModel):
    """An object with the fields named here and no others."""

    model_config = ConfigDict(extra="forbid")


def code(value: Any) -> Any:
    """A code of a national standard may come as a number as well."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _ethnicity(value: Any) -> Any:
    text = code(value)
    if not isinstance(text, str):
        return text
    text = typed.code(text)
    return text.zfill(2) if text.isascii() else text


def _code_typed(value: Any) -> Any:
    return typed.code(value) if isinstance(value, str) else value


def _printable(text: str) -> str:
    if unseen := typed.unseen(text):
        raise ValueError(unseen)
    return text


def _iso_date(value: Any) -> Any:
    if isinstance(value, date):
        return value
    if not (isinstance(value, str) and _ISO_DATE.fullmatch(value)):
        raise ValueError("a date is expected, as in 2026-01-05")
    return value


def _within_bounds(day: date) -> date:
    if day < FIRST_DATE:
        raise ValueError(f"a date from {FIRST_DATE.year} on is expected")
    if day >= LAST_DATE:
        raise ValueError(f"a date before {LAST_DATE.year} is expected")
    return day


Printable = AfterValidator(_printable)
Text = Annotated[str, Field(max_length=400), Printable]
Date = Annotated[date, BeforeValidator(_iso_date, str), AfterValidator(_within_bounds)]
CitizenNumber = Annotated[str, Field(max_length=40, examples=["990000199001010017"])]
"""Whatever was typed: what is wrong with a number is for the domain to say."""
Sex = Annotated[
    str, BeforeValidator(code, str | int), Field(max_length=8, examples=["1"]), Printable
]
Ethnicity = Annotated[
    str, BeforeValidator(_ethnicity, str | int), Field(max_length=8, examples=["01"]), Printable
]


def _picture(text: str) -> Portrait:
    try:
        image = base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error, and another one for what is not ASCII
        raise ValueError("base64 is expected (RFC 4648 §4)") from None
    return Portrait.of(image)


def _is_picture(text: str) -> str:
    _picture(text)
    return text


PictureText = Annotated[str, Field(max_length=BASE64_LENGTH_MAX), AfterValidator(_is_picture)]


class Empty(RequestBody):
    """Nothing to say."""


class HolderBody(RequestBody):
    """The person, as on the card's face."""

    name: Annotated[Text, Field(examples=["欧阳测试"])]
    sex: Sex
    ethnicity: Ethnicity
    birth_date: Annotated[Date, Field(examples=["1990-01-01"])]
    citizen_id_number: CitizenNumber
    hukou_address: Annotated[Text, Field(examples=["安徽省合肥市蜀山区示例路1号"])]
    portrait: Annotated[
        PictureText | None, Field(description="JPEG or PNG, base64, at most 64 KiB decoded")
    ] = None

    def picture(self) -> Portrait | None:
        return None if self.portrait is None else _picture(self.portrait)


class GuardianBody(RequestBody):
    """The guardian or agent, with an own number."""

    name: Text
    citizen_id_number: CitizenNumber


class ResidenceBody(RequestBody):
    """A division of the province (GB/T 2260) and an address in it."""

    division: Annotated[str, Field(max_length=40, examples=["320211"]), Printable]
    address: Annotated[Text, Field(examples=["滨湖区示例新村8号101室"])]

    def residence(self) -> Residence:
        return Residence(self.division, self.address)


class IssueBody(RequestBody):
    """An application for a residence permit (申领居住证)."""

    holder: HolderBody
    residence: ResidenceBody
    residence_registered_on: Annotated[Date | None, Field(examples=["2025-01-15"])] = None
    ground: Annotated[
        str | None,
        Field(
            max_length=40, examples=["employment"], description="employment, dwelling, schooling"
        ),
    ] = None
    issued_on: Annotated[Date | None, Field(description="today, if left out")] = None
    guardian: GuardianBody | None = None

    def application(self, today: date) -> Application:
        holder, guardian = self.holder, self.guardian
        return Application(
            identity=Identity(
                name=holder.name,
                sex=holder.sex,
                ethnicity=holder.ethnicity,
                birth_date=holder.birth_date,
                citizen_id_number=holder.citizen_id_number,
                hukou_address=holder.hukou_address,
            ),
            residence=self.residence.residence(),
            residence_registered_on=self.residence_registered_on,
            ground=self.ground,
            issued_on=self.issued_on or today,
            guardian=Guardian(guardian.name, guardian.citizen_id_number) if guardian else None,
        )


class SearchBody(RequestBody):
    citizen_id_number: CitizenNumber


class EndorsementBody(RequestBody):
    card_presented: CardPresented


class LossReportBody(RequestBody):
    """Since when the card is missing, where its holder knows."""

    lost_on: Annotated[
        Date | None, Field(description="from the day of issue to today", examples=["2026-02-27"])
    ] = None


class ReplacementBody(RequestBody):
    reason: ReplacementReason
    old_card_returned: StrictBool


class AddressChangeBody(RequestBody):
    residence: ResidenceBody
    moved_on: Annotated[Date, Field(examples=["2026-03-01"])]


class IdentityCorrectionBody(RequestBody):
    """At least one field; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    name: Text | None = None
    citizen_id_number: CitizenNumber | None = None
    sex: Sex | None = None
    birth_date: Date | None = None
    hukou_address: Text | None = None

    @model_validator(mode="after")
    def _says_something(self) -> IdentityCorrectionBody:
        if all(value is None for _, value in self):
            raise ValueError("name at least one field to correct")
        return self


class CancellationBody(RequestBody):
    reason: CancellationReason


class VoidingBody(RequestBody):
    finding: Annotated[
        str, Field(min_length=1, max_length=2000, examples=["forged lease"]), Printable
    ]


class FaceMatchBody(RequestBody):
    """What the identity provider's live-portrait comparison said."""

    provider: Annotated[
        str, Field(min_length=1, max_length=100, examples=["national-identity"]), Printable
    ]
    score: Annotated[StrictFloat, Field(ge=0, le=100, allow_inf_nan=False, examples=[0.97])]
    matched: StrictBool

    def face_match(self) -> FaceMatch:
        return FaceMatch(self.provider, self.score, self.matched)


class DeviceKeyBody(BaseModel):
    """A public JWK on P-256; a private part is refused, other members are not kept."""

    model_config = ConfigDict(extra="allow")

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
    y: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]

    @model_validator(mode="before")
    @classmethod
    def _is_public(cls, value: Any) -> Any:
        if isinstance(value, dict) and "d" in value:
            raise ValueError("a private key must never leave the device: send the public part only")
        return value


class ClaimBody(RequestBody):
    """A claim of the electronic permit (申领电子居住证)."""

    confirmed: StrictBool = False
    face_match: FaceMatchBody | None = None
    device_key: DeviceKeyBody


class DeviceRevocationBody(RequestBody):
    device: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9_-]{43}$", description="the key's thumbprint (RFC 7638)")
    ]


class OrderBody(RequestBody):
    """On what legal basis, in which case: both stay in the log in the clear, without a name."""

    legal_basis: Annotated[Text, Field(examples=["个人信息保护法第四十七条"])]
    case: Annotated[Text, Field(examples=["2026-DP-17"])]

    def order(self) -> Order:
        return Order(self.legal_basis, self.case)


class ErasureBody(OrderBody):
    """The officers who approve, by their account names."""

    approvals: Annotated[
        list[Text], Field(max_length=APPROVALS_MAX, examples=[["officer-1", "officer-2"]])
    ]


Scenario = Annotated[str, Field(max_length=100, examples=["patrol_inspection"]), Printable]


Challenge = Annotated[
    str, BeforeValidator(_code_typed, str), Field(pattern=r"^[0-9]{8}$", examples=["40718263"])
]


class DisplayCodeBody(RequestBody):
    """What the checker shows, where it shows something."""

    challenge: Challenge | None = None


class ChallengeBody(RequestBody):
    scenario: Scenario


class PhysicalCheckBody(RequestBody):
    """A check of a card by what is printed on it."""

    scenario: Scenario
    track: Literal["physical"]
    permit_number: Annotated[str, Field(max_length=64, examples=["84G7ZWYRD6Z1"]), Printable]
    card_serial: Annotated[StrictInt, Field(ge=1, le=CARD_SERIAL_MAX)]


class ElectronicCheckBody(RequestBody):
    """A check of the code that a phone shows live."""

    scenario: Scenario
    track: Literal["electronic"]
    code: Annotated[str, Field(max_length=512, examples=["3ZQ8K5V0N1C7W2RXG4T9J6MEHA"]), Printable]
    challenge: Annotated[
        Challenge | None, Field(description="the one that the code is to answer")
    ] = None


CheckBody = Annotated[PhysicalCheckBody | ElectronicCheckBody, Field(discriminator="track")]
