"""What callers send about permits. Shapes and bounds are checked here, the rules in the domain."""

from __future__ import annotations

import base64
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    StrictFloat,
    Tag,
    model_validator,
)

from api.http.fields import (
    Challenge,
    CitizenNumber,
    Date,
    Ethnicity,
    Printable,
    RequestBody,
    Sex,
    Text,
)
from api.http.tokens import TOKEN_LENGTH_MAX
from domain.application import Application
from domain.device import FaceMatch
from domain.events import CancellationReason, CardPresented, ReplacementReason
from domain.person import Guardian, Identity, Residence
from ledger.crypto.portraits import SIZE_BYTES_MAX, Portrait

BASE64_LENGTH_MAX = (SIZE_BYTES_MAX + 2) // 3 * 4


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


class HolderBody(RequestBody):
    """The person, as on the card's face."""

    name: Annotated[Text, Field(examples=["欧阳测试"])]
    sex: Sex
    ethnicity: Ethnicity
    birth_date: Annotated[Date, Field(examples=["1990-01-01"])]
    citizen_id_number: CitizenNumber
    hukou_address: Annotated[Text, Field(examples=["安徽省合肥市蜀山区示例路1号"])]
    portrait: Annotated[
        PictureText | None,
        Field(description="JPEG or PNG, base64, at most 64 KiB decoded; only its pixels are kept"),
    ] = None

    def picture(self) -> Portrait | None:
        return None if self.portrait is None else _picture(self.portrait)


class GuardianBody(RequestBody):
    """The guardian or agent, with their own number."""

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
    """Since when the card is missing, if the holder knows."""

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
    """The result of a live-portrait comparison, by the caller's word."""

    provider: Annotated[
        str, Field(min_length=1, max_length=100, examples=["national-identity"]), Printable
    ]
    score: Annotated[StrictFloat, Field(ge=0, le=100, allow_inf_nan=False, examples=[0.97])]
    matched: StrictBool

    def face_match(self) -> FaceMatch:
        return FaceMatch.unsigned(self.provider, self.score, matched=self.matched)


class AssertedFaceMatchBody(RequestBody):
    """The same, signed by the face provider: see docs/sign-in.md."""

    assertion: Annotated[
        str,
        Field(min_length=1, max_length=TOKEN_LENGTH_MAX, description="a JWT of the face provider"),
        Printable,
    ]


def _kind_of_face_match(value: Any) -> str:
    return "signed" if isinstance(value, dict) and "assertion" in value else "unsigned"


GivenFaceMatch = Annotated[
    Annotated[AssertedFaceMatchBody, Tag("signed")] | Annotated[FaceMatchBody, Tag("unsigned")],
    Discriminator(_kind_of_face_match),
]


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
    face_match: Annotated[
        GivenFaceMatch | None,
        Field(
            description="left out where the sign-in has compared the face; unsigned in development"
            " mode only"
        ),
    ] = None
    device_key: DeviceKeyBody


class DeviceRevocationBody(RequestBody):
    device: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9_-]{43}$", description="the key's thumbprint (RFC 7638)")
    ]


class DisplayCodeBody(RequestBody):
    """The verifier's challenge, if there is one."""

    challenge: Challenge | None = None
