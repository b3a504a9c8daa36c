"""Instants as other systems write them: RFC 3339, and no other form of ISO 8601."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

FRACTION_DIGITS_MAX = 30
"""Digits of a second's fraction that are read; those after the sixth are cut off."""

_INSTANT = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})[Tt](?P<minute>\d{2}:\d{2}):(?P<second>\d{2})"
    rf"(?:\.(?P<fraction>\d{{1,{FRACTION_DIGITS_MAX}}}))?(?P<offset>[Zz]|[+-]\d{{2}}:\d{{2}})",
    re.ASCII,
)
_LEAP_SECOND = "60"
_LAST_MINUTE = 23, 59


class NotAnInstant(ValueError):
    """The text is not an instant with a date, a time and an offset."""

    def __init__(self) -> None:
        super().__init__("an instant is expected, as in 2026-03-01T12:00:00+08:00")


def instant_of(text: str) -> datetime:
    """Read an RFC 3339 instant; the result keeps the offset that the text has.

    Digits after the microseconds are cut off, not rounded. A leap second (``:60``, in the last
    minute of a UTC day) is the first second of the next day, as in POSIX time. ``24:00`` is not
    part of RFC 3339 (§5.6).

    Raises:
        NotAnInstant: another form, no offset, or no such date or time.
    """
    if not (found := _INSTANT.fullmatch(text)):
        raise NotAnInstant
    is_leap_second = found["second"] == _LEAP_SECOND
    second = "59" if is_leap_second else found["second"]
    fraction = f".{found['fraction'][:6]:0<6}" if found["fraction"] else ""
    offset = found["offset"].upper().replace("Z", "+00:00")
    try:
        instant = datetime.fromisoformat(
            f"{found['date']}T{found['minute']}:{second}{fraction}{offset}"
        )
        return _after_leap_second(instant) if is_leap_second else instant
    except (ValueError, OverflowError):
        raise NotAnInstant from None


def is_instant(text: str) -> bool:
    """Whether :func:`instant_of` can read it."""
    try:
        instant_of(text)
    except NotAnInstant:
        return False
    return True


def _after_leap_second(instant: datetime) -> datetime:
    offset = instant.utcoffset() or timedelta()
    utc = instant - offset
    if (utc.hour, utc.minute) != _LAST_MINUTE:
        raise ValueError("leap seconds are at the end of a UTC day (RFC 3339 §5.7)")
    return instant.replace(microsecond=0) + timedelta(seconds=1)
