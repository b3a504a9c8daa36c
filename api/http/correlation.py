"""The id that links a request to its log lines and its events."""

from __future__ import annotations

import re

from domain import citizen_id
from ledger.crypto import randomness

HEADER = "X-Correlation-ID"
_PLAIN = re.compile(r"(?!eyJ)[A-Za-z0-9_.:-]{1,64}")
_UUID = re.compile(
    r"(?=.*[a-f])[0-9a-f]{8}-?[0-9a-f]{4}-?[1-8][0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}",
    re.IGNORECASE,
)


_VARIANTS = "89ab"


def is_fit(text: str) -> bool:
    """Return whether an id is safe in logs and events: short, plain, no token, no citizen number.

    About one UUID in five hundred has eighteen digits in a row by chance. It is accepted: with a
    letter in it, and its version and variant in place, it is not a citizen number.
    """
    if not _PLAIN.fullmatch(text):
        return False
    if _UUID.fullmatch(text):
        return True
    return not (citizen_id.LIKENESS.search(text) or citizen_id.is_in(text))


def correlation_id(given: str) -> str:
    """Return the caller's id if it is safe, else a new one: a UUID of version 4 without hyphens."""
    if given and is_fit(given):
        return given
    drawn = randomness.source.take(16)
    text = drawn.hex()
    return f"{text[:12]}4{text[13:16]}{_VARIANTS[drawn[8] & 3]}{text[17:]}"
