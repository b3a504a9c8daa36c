"""Validation errors in plain words, without terms of Python or pydantic.

The caller's input is never part of a reason: it may be personal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from .json_bodies import MEMBER_TWICE, NOT_JSON, TOO_DEEP, TOO_MANY_VALUES

Context = Mapping[str, Any]

UNACCEPTABLE: Final = "this value can't be accepted here"
"""For kinds of errors without a text below."""

OUT_OF_BOUNDS: Final = "this value is out of bounds"

UNKNOWN_PARAMETER: Final = "unknown_parameter"
REPEATED_PARAMETER: Final = "repeated_parameter"
"""Kinds of our own, of :mod:`api.http.queries`."""

_JSON_BODY = "a JSON body is expected, with Content-Type: application/json"
_TAGS = {"physical", "electronic", "signed", "unsigned"}
"""pydantic inserts the tag of a union into a location; it is not in the caller's body."""

_WHOLE_NUMBER, _NUMBER = "a whole number is expected", "a number is expected"
_DATE, _OBJECT = "a date is expected, as in 2026-01-05", "an object is expected"
_FORM = "another form is expected, see the description of the API"


def _own(context: Context) -> str:
    """The message of one of our validators."""
    error = context.get("error")
    return str(error) if isinstance(error, ValueError) else UNACCEPTABLE


def _json(context: Context) -> str:
    said = str(context.get("error"))
    return said if said in {NOT_JSON, TOO_DEEP, MEMBER_TWICE, TOO_MANY_VALUES} else NOT_JSON


def _one_of(context: Context) -> str:
    names = re.findall(r"'([^']*)'", str(context.get("expected", context.get("expected_tags"))))
    if not names:
        return UNACCEPTABLE
    return f"must be one of {', '.join(names)}" if len(names) > 1 else f"must be {names[0]}"


def _bounded(words: str, name: str) -> Callable[[Context], str]:
    """For numeric bounds; others would be shown in Python's notation."""

    def reason(context: Context) -> str:
        bound = context.get(name)
        return f"{words} {bound} is expected" if isinstance(bound, int | float) else OUT_OF_BOUNDS

    return reason


def _short(context: Context) -> str:
    least = context["min_length"]
    return "must not be empty" if least == 1 else f"at least {least} characters are expected"


_REASONS: Final[Mapping[str, str | Callable[[Context], str]]] = {
    "missing": "required",
    "extra_forbidden": "unknown field",
    UNKNOWN_PARAMETER: "unknown parameter",
    REPEATED_PARAMETER: "must be given only once",
    "value_error": _own,
    "json_invalid": _json,
    "string_type": "text is expected",
    "string_too_short": _short,
    "string_too_long": lambda context: f"at most {context['max_length']} characters are expected",
    "string_pattern_mismatch": _FORM,
    "string_unicode": "text in Unicode is expected",
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": "true or false is expected",
    "bool_parsing": "true or false is expected",
    "enum": _one_of,
    "literal_error": _one_of,
    "union_tag_invalid": _one_of,
    "union_tag_not_found": "required",
    "greater_than_equal": _bounded("at least", "ge"),
    "greater_than": _bounded("more than", "gt"),
    "less_than_equal": _bounded("at most", "le"),
    "less_than": _bounded("less than", "lt"),
    "list_type": "a list is expected",
    "too_short": lambda context: f"at least {context['min_length']} entries are expected",
    "too_long": lambda context: f"at most {context['max_length']} entries are expected",
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "uuid_type": "a UUID is expected",
    "uuid_parsing": "a UUID is expected",
    "uuid_version": "a UUID is expected",
}


def reason_of(kind: str, context: Context) -> str:
    """Return the reason for pydantic's ``type`` and ``ctx``."""
    reason = _REASONS.get(kind, UNACCEPTABLE)
    return reason if isinstance(reason, str) else reason(context)


def field_error(line: Mapping[str, Any]) -> dict[str, str]:
    """Convert an entry of a validation error to a :class:`api.http.problems.FieldError`."""
    kind, context = line["type"], line.get("ctx") or {}
    location = [part for part in line["loc"] if part not in _TAGS]
    reason = reason_of(kind, context)
    if kind == "json_invalid":
        location = location[:1]
    elif kind == "extra_forbidden":
        location = location[:-1]  # the name is the caller's input
    elif kind in {"union_tag_invalid", "union_tag_not_found"}:
        location.append(str(context["discriminator"]).strip("'"))
    elif reason == _OBJECT and isinstance(line.get("input"), bytes):
        reason = _JSON_BODY
    return {"field": _place(location), "reason": reason, "code": "INVALID_REQUEST"}


def _place(location: Sequence[int | str]) -> str:
    """Return the location in the request, without the part that FastAPI adds in front."""
    inner = [str(part) for part in location if part != "body"]
    return ".".join(inner) or "body"
