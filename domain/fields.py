"""Validation of the fields of a person and a home.

All problems are collected, so that one answer reports everything that is wrong.
"""

from __future__ import annotations

import re
from datetime import date

from . import citizen_id, text
from .errors import FieldProblem
from .policy import Policy

NAME_LENGTH_MAX = 50
ADDRESS_LENGTH_MAX = 200
ETHNICITIES = frozenset(f"{code:02d}" for code in range(1, 57)) | {"97", "98"}
"""GB 3304: 01-56, and 97 other, 98 foreign origin."""
SEXES = frozenset("0129")
"""GB/T 2261.1: 1 male, 2 female, 0 unknown, 9 not stated."""
INVALID_CITIZEN_ID = "INVALID_CITIZEN_ID"

_NAME = re.compile(f"[{text.HAN}]+(?:{text.MIDDLE_DOT}[{text.HAN}]+)*")
_DIVISION = re.compile(r"[0-9]{6}")
_WHOLE_CITY = "00"


def name_problem(field: str, name: str) -> FieldProblem | None:
    """A name is 1-50 Han characters; parts are joined by the middle dot U+00B7."""
    if not 1 <= len(name) <= NAME_LENGTH_MAX:
        return FieldProblem(field, f"a name has 1 to {NAME_LENGTH_MAX} characters")
    if unseen := text.unseen(name):
        return FieldProblem(field, unseen)
    if not _NAME.fullmatch(name):
        return FieldProblem(field, "a name is written in Han characters, its parts joined by ·")
    return None


def address_problem(field: str, address: str) -> FieldProblem | None:
    """An address is 1-200 printable characters on one line."""
    if not 1 <= len(address) <= ADDRESS_LENGTH_MAX:
        return FieldProblem(field, f"an address has 1 to {ADDRESS_LENGTH_MAX} characters")
    unseen = text.unseen(address)
    return FieldProblem(field, unseen) if unseen else None


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
    """A holder's or applicant's number: valid, of a kind of person these documents are made for,
    and in agreement with the birth date and sex given. [P4]"""
    parsed = _accepted(field, number, policy)
    if isinstance(parsed, FieldProblem):
        return parsed
    if parsed.is_foreign and not parsed.is_synthetic:
        reason = (
            "numbers that begin with 0 or 9 are those of foreigners' permanent residence ID cards,"
            " and these documents are for Chinese citizens"
        )
    elif parsed.is_of_hong_kong_macao_taiwan:
        reason = (
            "numbers that begin with 81, 82 or 83 are those of residents of Hong Kong, Macao and"
            " Taiwan, who have residence permits of their own"
        )
    elif birth_date is not None and parsed.birth_date != birth_date:
        reason = "birth date does not match the citizen ID number"
    elif sex in {citizen_id.MALE, citizen_id.FEMALE} and parsed.sex != sex:
        reason = "sex does not match the citizen ID number"
    else:
        return None
    return FieldProblem(field, reason, INVALID_CITIZEN_ID)


def companion_number_problem(field: str, number: str, policy: Policy) -> FieldProblem | None:
    """A guardian's or agent's number: valid, and not one made up for tests. A guardian or agent may
    be a foreigner, or a resident of Hong Kong, Macao or Taiwan."""
    found = _accepted(field, number, policy)
    return found if isinstance(found, FieldProblem) else None


def _accepted(field: str, number: str, policy: Policy) -> citizen_id.CitizenId | FieldProblem:
    """The number as it reads, if it is valid and not one made up for tests."""
    try:
        parsed = citizen_id.parse(number)
    except ValueError as error:
        return FieldProblem(field, str(error), INVALID_CITIZEN_ID)
    if parsed.is_synthetic and not policy.synthetic_people:
        reason = "numbers of area 99 are made up for tests and not accepted here"
        return FieldProblem(field, reason, INVALID_CITIZEN_ID)
    return parsed
