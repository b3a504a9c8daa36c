"""Instants as callers write them (RFC 3339)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from .schemas import FIRST_DATE, LAST_DATE

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_LOST_PLUS = re.compile(r" (?=[0-9]{2}:[0-9]{2}$)")


def _rfc_3339(value: Any) -> Any:
    """A plus sign that nobody has escaped comes as a space (application/x-www-form-urlencoded)."""
    text = _LOST_PLUS.sub("+", value) if isinstance(value, str) else value
    if not (isinstance(text, str) and _INSTANT.fullmatch(text)):
        raise ValueError("an instant is expected, as in 2026-03-01T12:00:00+08:00")
    return text


def _within_bounds(instant: datetime) -> datetime:
    if not FIRST_DATE.year <= instant.year < LAST_DATE.year:
        raise ValueError(f"an instant from {FIRST_DATE.year} to {LAST_DATE.year - 1} is expected")
    return instant


Instant = Annotated[AwareDatetime, BeforeValidator(_rfc_3339, str), AfterValidator(_within_bounds)]
