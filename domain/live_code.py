"""The form of a live code (亮证码): of its text alone, and of the address that a phone shows."""

from __future__ import annotations

import re

from . import printed_number

ALPHABET = printed_number.ALPHABET
"""Crockford's base 32: upper case, so that a QR code holds it in little space."""
LENGTH = 26
"""130 random bits, all of which count: no other text is the same code."""

_SHOWN = re.compile(
    rf"(?:https?://[^/\s?#]+/v/)?[{ALPHABET}]{{{LENGTH}}}", re.IGNORECASE | re.ASCII
)


def is_shown_in(text: str) -> bool:
    """Return whether a text has the form of a live code, alone or in its address. The host is not
    compared: behind a proxy the service may have several."""
    return bool(_SHOWN.fullmatch(text))
