"""Types of fields that request bodies share. A value's meaning is checked in the domain."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from domain import text as typed

_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
FIRST_DATE, LAST_DATE = date(1900, 1, 1), date(2100, 1, 1)


class RequestBody(BaseModel):
    """An object with the fields named here and no others."""

    model_config = ConfigDict(extra="forbid")


def code(value: Any) -> Any:
    """Accept a code of a national standard as a number as well."""
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
"""As typed: the domain validates it."""
Sex = Annotated[
    str, BeforeValidator(code, str | int), Field(max_length=8, examples=["1"]), Printable
]
Ethnicity = Annotated[
    str, BeforeValidator(_ethnicity, str | int), Field(max_length=8, examples=["01"]), Printable
]

Scenario = Annotated[str, Field(max_length=100, examples=["patrol_inspection"]), Printable]
Challenge = Annotated[
    str, BeforeValidator(_code_typed, str), Field(pattern=r"^[0-9]{8}$", examples=["40718263"])
]


class Empty(RequestBody):
    """No fields."""
