"""Citizen identity numbers (公民身份号码), GB 11643.

Six digits of area, eight of birth, three of sequence (odd for men), one check character. Area codes
are not looked up: numbers keep the code of a county that has long been merged away.
"""

from __future__ import annotations

import re
from datetime import date
from operator import mul
from typing import NamedTuple

SYNTHETIC_AREA = "99"
_SHAPE = re.compile(r"[0-9]{17}[0-9X]")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_CHARACTERS = "10X98765432"

LIKENESS = re.compile(r"[0-9](?:[\s_.:/-]*[0-9]){16}[\s_.:/-]*[0-9Xx]")
"""What looks like a number anywhere in a text, however it is spelt or mistyped: somebody else's, or
nearly somebody's, is kept out of logs as well."""

MALE, FEMALE = "1", "2"


def check_character(first_17: str) -> str:
    """The 18th character for 17 digits (ISO 7064 MOD 11-2)."""
    total = sum(map(mul, map(int, first_17), _WEIGHTS))
    return _CHECK_CHARACTERS[total % 11]


def normalise(number: str) -> str:
    """Upper case: ``x`` is accepted, ``X`` is kept."""
    return number.upper()


class CitizenId(NamedTuple):
    """A well-formed number and what it says of its person."""

    number: str
    birth_date: date
    sex: str

    @property
    def is_synthetic(self) -> bool:
        """Area 99 is no province: people made up for tests and samples."""
        return self.number.startswith(SYNTHETIC_AREA)


def parse(number: str) -> CitizenId:
    """Read a number.

    Raises:
        ValueError: with the reason, fit to show, when it is no valid number.
    """
    number = normalise(number)
    if not _SHAPE.fullmatch(number):
        raise ValueError("a citizen number has 17 digits and a check character")
    if check_character(number[:17]) != number[17]:
        raise ValueError("the check character does not fit the number")
    try:
        birth_date = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise ValueError("the number holds no real birth date") from None
    return CitizenId(number, birth_date, MALE if int(number[16]) % 2 else FEMALE)


def compose(area: str, birth_date: date, sequence: int) -> str:
    """The number for an area (6 digits), a birth date and a sequence (0-999, odd for men)."""
    body = f"{area}{birth_date:%Y%m%d}{sequence:03d}"
    return body + check_character(body)
