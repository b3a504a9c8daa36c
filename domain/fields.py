"""What each field of a person and a home may hold.

Checks collect instead of stopping: a citizen, or the operator of another system, hears once of
everything that is wrong.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date

from . import citizen_id
from .errors import FieldProblem
from .policy import Policy

NAME_LENGTH_MAX = 50
ADDRESS_LENGTH_MAX = 200
MIDDLE_DOT = "·"
ETHNICITIES = frozenset(f"{code:02d}" for code in range(1, 57)) | {"97", "98"}
"""GB 3304: 01-56, and 97 other, 98 foreign origin."""
SEXES = frozenset("0129")
"""GB/T 2261.1: 1 male, 2 female, 0 unknown, 9 not stated."""

# 〇, extension A, the unified block, compatibility ideographs, supplementary planes 2 and 3.
_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f\U00030000-\U0003347f"
_NAME = re.compile(f"[{_HAN}]+(?:{MIDDLE_DOT}[{_HAN}]+)*")
_DIVISION = re.compile(r"[0-9]{6}")
_WHOLE_CITY = "00"


def normalise_text(text: str) -> str:
    """NFC, without white space around; the full-width space becomes a plain one."""
    return unicodedata.normalize("NFC", text.replace("\u3000", " ")).strip()


def changed(current: str, wanted: str | None, normalise: Callable[[str], str]) -> str | None:
    """The normalised new value, or ``None`` where nothing is to change."""
    if wanted is None or (new := normalise(wanted)) == current:
        return None
    return new


def name_problem(field: str, name: str) -> FieldProblem | None:
    """A name is 1-50 Han characters; parts are joined by the middle dot U+00B7."""
    if not 1 <= len(name) <= NAME_LENGTH_MAX:
        return FieldProblem(field, f"a name has 1 to {NAME_LENGTH_MAX} characters")
    if not _NAME.fullmatch(name):
        return FieldProblem(field, "a name is written in Han characters, its parts joined by ·")
    return None


def address_problem(field: str, address: str) -> FieldProblem | None:
    """An address is 1-200 printable characters on one line."""
    if not 1 <= len(address) <= ADDRESS_LENGTH_MAX:
        return FieldProblem(field, f"an address has 1 to {ADDRESS_LENGTH_MAX} characters")
    if not address.isprintable():
        return FieldProblem(field, "an address is one line of printable characters")
    return None


def division_problem(field: str, division: str, policy: Policy) -> FieldProblem | None:
    """A division of the province that is still in use (GB/T 2260)."""
    if division in policy.divisions:
        return None
    if not _DIVISION.fullmatch(division):
        return FieldProblem(field, "a division is a six-digit code (GB/T 2260)")
    if division in policy.retired_divisions:
        successor = policy.retired_divisions[division]
        return FieldProblem(field, f"this division was dissolved; its successor is {successor}")
    if not division.startswith(policy.province_prefix):
        return FieldProblem(
            field, "this division lies outside the province: a permit there ends by cancellation"
        )
    if division.endswith(_WHOLE_CITY):
        return FieldProblem(field, "this is a whole city or province: a division is a county")
    if division[:4] in {code[:4] for code in policy.divisions}:
        return FieldProblem(field, "the city has no such division")
    return None


def citizen_number_problem(
    field: str,
    number: str,
    policy: Policy,
    *,
    birth_date: date | None = None,
    sex: str | None = None,
) -> FieldProblem | None:
    """A valid number that agrees with the birth date and sex given beside it. [P4]"""

    def problem(reason: str) -> FieldProblem:
        return FieldProblem(field, reason, "INVALID_CITIZEN_ID")

    try:
        parsed = citizen_id.parse(number)
    except ValueError as reason:
        return problem(str(reason))
    if parsed.is_synthetic and not policy.synthetic_people:
        return problem("numbers of area 99 are made up for tests and not accepted here")
    if birth_date is not None and parsed.birth_date != birth_date:
        return problem("the birth date in the number is another than the one given")
    if sex in {citizen_id.MALE, citizen_id.FEMALE} and parsed.sex != sex:
        return problem("the sex in the number is another than the one given")
    return None
