"""Citizen identity numbers (公民身份号码), GB 11643.

Six digits of area, eight of birth, three of sequence (odd for men), one check character. Area codes
are not looked up: numbers keep the code of a county that has long been merged away. Until 1999
numbers had fifteen digits, with a two-digit year and no check character; they are not accepted, but
they still identify their person (:func:`is_in`).
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from operator import mul
from typing import NamedTuple

from . import text as typed

SYNTHETIC_AREA = "99"
_SHAPE = re.compile(r"[0-9]{17}[0-9X]")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_CHARACTERS = "10X98765432"

_YEAR_MIN, _YEAR_MAX = 1850, 2100
_OLD_LENGTH = 15
_SEPARATOR = r"[\W_]{0,3}"
_EIGHTEEN = re.compile(r"(?=([0-9]{17}[0-9X]))")
_ALONE = re.compile(
    rf"(?<![0-9])(?=([0-9](?:{_SEPARATOR}[0-9]){{14}}(?:(?:{_SEPARATOR}[0-9]){{2}}{_SEPARATOR}[0-9X])?)(?![0-9]))"
)
"""Fifteen or eighteen characters of a number, with or without separators, and no digit directly
before or after."""
_PROVINCES = re.compile("1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]|9[0-9]")
"""First two digits of numbers given out (GB/T 2260), those of foreigners and area 99 included."""
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")
_HAN_DIGITS = str.maketrans("〇零○一二三四五六七八九壹贰叁肆伍陆柒捌玖", "000123456789123456789")

LIKENESS = re.compile(r"[0-9](?:[\s_.:/-]*[0-9]){16}[\s_.:/-]*[0-9Xx]")
"""Whatever resembles a number in a log line, mistyped ones included: those are kept out of logs as
well."""

MALE, FEMALE = "1", "2"


def check_character(first_17: str) -> str:
    """The 18th character for 17 digits (ISO 7064 MOD 11-2)."""
    total = sum(map(mul, map(int, first_17), _WEIGHTS))
    return _CHECK_CHARACTERS[total % 11]


def normalise(number: str) -> str:
    """The number as it is stored: without spaces and hyphens, wide digits plain, ``x`` as ``X``."""
    return typed.code(number)


class CitizenId(NamedTuple):
    """A well-formed number and the facts that it encodes."""

    number: str
    birth_date: date
    sex: str

    @property
    def is_synthetic(self) -> bool:
        """Area 99, which is no province: made-up people, for tests and samples."""
        return self.number.startswith(SYNTHETIC_AREA)

    @property
    def is_foreign(self) -> bool:
        """0 and 9 begin no province: foreigners' permanent residence ID cards."""
        return self.number[0] in "09"

    @property
    def is_of_hong_kong_macao_taiwan(self) -> bool:
        """81, 82 and 83: residence permits for residents of Hong Kong, Macao and Taiwan."""
        return self.number[:2] in {"81", "82", "83"}


def parse(number: str) -> CitizenId:
    """Read a number.

    Raises:
        ValueError: not a valid number; the message is fit for the caller.
    """
    number = normalise(number)
    if unseen := typed.unseen(number):
        raise ValueError(unseen)
    if not _SHAPE.fullmatch(number):
        raise ValueError("a citizen ID number has 17 digits and a check character")
    if check_character(number[:17]) != number[17]:
        raise ValueError("the check character does not match the number: check for a typing error")
    birth_date = _date(number[6:10], number[10:14])
    if birth_date is None:
        raise ValueError("the number contains no valid birth date")
    return CitizenId(number, birth_date, MALE if int(number[16]) % 2 else FEMALE)


def compose(area: str, birth_date: date, sequence: int) -> str:
    """The number for an area (6 digits), a birth date and a sequence (0-999, odd for men)."""
    body = f"{area}{birth_date:%Y%m%d}{sequence:03d}"
    return body + check_character(body)


def is_in(text: str) -> bool:
    """Whether a text contains a citizen number, of eighteen characters or of the fifteen before
    1999: spaced, hyphenated, wide, in Han or other digits, inside a longer text or number.

    Texts that are kept in the clear for ever must not: free text of events and of audit reads,
    references of other systems. A number whose check character is mistyped counts as well where it
    stands by itself; so does any run of fifteen digits with a province's code and a date in their
    places, which a file number may hit by chance (about one in a hundred that long).
    """
    plain = "".join(map(_ascii_digit, text)).upper()
    joined = _NOT_ALPHANUMERIC.sub("", plain)
    if any(_is_plausible(number) for number in _EIGHTEEN.findall(joined) if _checks(number)):
        return True
    alone = (_NOT_ALPHANUMERIC.sub("", found) for found in _ALONE.findall(plain))
    return any(map(_is_plausible, alone))


def _checks(number: str) -> bool:
    return check_character(number[:17]) == number[17]


def _is_plausible(number: str) -> bool:
    """Whether the first digits are a province's, and a date stands where the birth date belongs."""
    if not _PROVINCES.match(number):
        return False
    if len(number) == _OLD_LENGTH:
        return _date(f"19{number[6:8]}", number[8:12]) is not None
    born = _date(number[6:10], number[10:14])
    return born is not None and _YEAR_MIN <= born.year <= _YEAR_MAX


def _date(year: str, month_and_day: str) -> date | None:
    try:
        return date(int(year), int(month_and_day[:2]), int(month_and_day[2:]))
    except ValueError:
        return None


def _ascii_digit(character: str) -> str:
    """The character's digit, of any script, else its plain form."""
    if character.isascii():
        return character
    plain = unicodedata.normalize("NFKC", character).translate(_HAN_DIGITS)
    return "".join(str(unicodedata.decimal(part, part)) for part in plain)
