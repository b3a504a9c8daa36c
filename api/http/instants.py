"""Instants as callers write them (RFC 3339)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from domain.instants import NotAnInstant, instant_of

from .fields import FIRST_DATE, LAST_DATE

_LOST_PLUS = re.compile(r" (?=[0-9]{2}:[0-9]{2}$)")


def with_plus(text: str) -> str:
    """Restore a plus sign that the caller has not escaped in a query: it arrives as a space
    (application/x-www-form-urlencoded)."""
    return _LOST_PLUS.sub("+", text)


def _instant(value: Any) -> datetime:
    if not isinstance(value, str):
        raise NotAnInstant
    return instant_of(value)


def _instant_in_query(value: Any) -> datetime:
    return _instant(with_plus(value) if isinstance(value, str) else value)


def _within_bounds(instant: datetime) -> datetime:
    if not FIRST_DATE.year <= instant.year < LAST_DATE.year:
        raise ValueError(f"an instant from {FIRST_DATE.year} to {LAST_DATE.year - 1} is expected")
    return instant


_Schema = WithJsonSchema({"type": "string", "format": "date-time"})
Instant = Annotated[datetime, BeforeValidator(_instant), AfterValidator(_within_bounds), _Schema]
QueryInstant = Annotated[
    datetime, BeforeValidator(_instant_in_query), AfterValidator(_within_bounds), _Schema
]
