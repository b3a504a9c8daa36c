"""What verifiers send."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictInt

from api.http.fields import Challenge, Printable, RequestBody, Scenario
from domain.application import CARD_SERIAL_MAX


class ChallengeBody(RequestBody):
    scenario: Scenario


class PhysicalCheckBody(RequestBody):
    """A check of a card by what is printed on it."""

    scenario: Scenario
    track: Literal["physical"]
    permit_number: Annotated[str, Field(max_length=64, examples=["84G7ZWYRD6Z1"]), Printable]
    card_serial: Annotated[StrictInt, Field(ge=1, le=CARD_SERIAL_MAX)]
    card_code: (
        Annotated[
            str,
            Field(
                max_length=32,
                description="the code on the card's face; the policy says from when it is required",
                examples=["7KQ2M94Z"],
            ),
            Printable,
        ]
        | None
    ) = None


class ElectronicCheckBody(RequestBody):
    """A check of the code that a phone shows live."""

    scenario: Scenario
    track: Literal["electronic"]
    code: Annotated[str, Field(max_length=512, examples=["3ZQ8K5V0N1C7W2RXG4T9J6MEHA"]), Printable]
    challenge: Annotated[
        Challenge | None, Field(description="the one that the code is to answer")
    ] = None


CheckBody = Annotated[PhysicalCheckBody | ElectronicCheckBody, Field(discriminator="track")]

BATCH_CHECKS_MAX = 100


class CheckBatchBody(RequestBody):
    """Checks of cards, such as those of one checkpoint; a live code is checked by itself."""

    checks: Annotated[list[PhysicalCheckBody], Field(min_length=1, max_length=BATCH_CHECKS_MAX)]
