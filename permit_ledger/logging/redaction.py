"""The allow-list of log lines: known keys, each with values of one kind; all else is withheld.

Two layers. The first is the list :data:`FIELDS`: a value passes if its key is on it and the value
is of the key's kind. The second, :func:`scrub`, removes from the texts that pass anything that
looks like a citizen number, a token, a key or a password.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from structlog.typing import EventDict, WrappedLogger

from api.http.correlation import is_fit
from domain import citizen_id

WITHHELD = "[withheld]"
TEXT_LENGTH_MAX = 500
NUMBER_MAX = 10**12

Kind = Callable[[object], object]
"""Return the value, or the part of it that may be logged."""

_PRINTABLE = re.compile(r"[ -~]*")  # ASCII only: names are mostly Han, our own texts never are
_LOOKALIKES = (
    (re.compile(r"\beyJ[\w-]*(?:\.[\w-]*)*"), WITHHELD),  # a JWT, and what is left of one
    (re.compile(r"(?i)\b(bearer)\s+[^\s,;]{12,}"), rf"\1 {WITHHELD}"),
    (re.compile(r"(://[^\s/:@]*):[^\s@]*@"), rf"\1:{WITHHELD}@"),
    (
        re.compile(r"(?i)\b(pass(?:word|wd|file)?|secret)(\s*[=:]\s*)('[^']*'|\S+)"),
        rf"\1\2{WITHHELD}",
    ),
)
_LONG_RUN = re.compile(r"(?:[A-Za-z0-9_-]{32,}|[A-Za-z0-9+/]{40,})={0,2}")
_HEX = re.compile(r"[0-9a-fA-F-]+")
_OWN_KEY = re.compile(r"[a-z][a-z_]{0,39}")


@lru_cache(maxsize=256)  # events, routes and types repeat with every request
def scrub(text: str) -> str:
    """The text without anything that looks like a citizen number, a token, a key or a password."""
    for lookalike, marker in _LOOKALIKES:
        text = lookalike.sub(marker, text)
    text = _LONG_RUN.sub(lambda run: WITHHELD if _may_be_key(run[0]) else run[0], text)
    return citizen_id.LIKENESS.sub(WITHHELD, text)  # last, since a key's digits may look like one


def _may_be_key(run: str) -> bool:
    """Hexadecimal, or capitals, small letters and a third sort: not a word of natural language."""
    sorts = [r"[A-Z]", r"[a-z]", r"[0-9_+/-]"]
    return bool(_HEX.fullmatch(run)) or all(re.search(sort, run) for sort in sorts)


def prose(value: object) -> object:
    """A sentence in ASCII, scrubbed; at most :data:`TEXT_LENGTH_MAX` characters."""
    if type(value) is not str or not _PRINTABLE.fullmatch(value):
        return WITHHELD
    text = scrub(value)
    return text if len(text) <= TEXT_LENGTH_MAX else f"{text[:TEXT_LENGTH_MAX]}..."


def text(pattern: str, *, fit: Callable[[str], bool] | None = None) -> Kind:
    """A whole text of this pattern, which is ``fit``: by default, one with nothing to scrub."""
    compiled = re.compile(pattern, re.ASCII)
    is_harmless = fit or (lambda value: scrub(value) == value)

    def allowed(value: object) -> object:
        # Exactly str: a subclass may behave differently here and when written.
        passes = type(value) is str and compiled.fullmatch(value) and is_harmless(value)
        return value if passes else WITHHELD

    return allowed


def number(low: int, high: int = NUMBER_MAX) -> Kind:
    """An integer or a fraction within these bounds; the widest has no room for a citizen number."""

    def allowed(value: object) -> object:
        is_number = type(value) in {int, float} and math.isfinite(value)  # type: ignore[arg-type]
        return value if is_number and low <= value <= high else WITHHELD  # type: ignore[operator]

    return allowed


def each(kind: Kind) -> Kind:
    """A list, its members of one kind."""
    return lambda value: [kind(one) for one in value] if type(value) is list else WITHHELD


@lru_cache(maxsize=1024)  # the same accounts ask again and again
def _subject(value: str) -> bool:
    """Like a correlation id, with the further characters of account names."""
    return is_fit(re.sub(r"[@+|]", ".", value))


type_name = text(r"[A-Za-z_][\w.]{0,99}")
place = text(r"([\w.+/-]{1,120}|<[\w. -]{1,60}>)(:[0-9]{1,7})?( in [\w.<>]{1,80})?")
"""A file below the import path, the line, the function."""

FIELDS: Mapping[str, Kind] = {
    "event": prose,
    "error": type_name,
    "reason": prose,
    "progress": prose,
    "method": text(r"[A-Z]{1,16}"),
    "route": text(r"[\w{}/.:-]{1,120}"),
    "status": number(100, 599),
    "ms": number(0),
    "position": number(0),
    "correlation_id": text(r".{1,64}", fit=is_fit),
    # Bounded and plain: an account name, or a holder's id, which is a UUID.
    "caller": text(r"[\w.@+:|-]{1,64}", fit=_subject),
    "witness": text(r"[\w./:-]{1,100}"),
    "age_s": number(0),
    "ahead_s": number(0),
    "role": text(r"[a-z-]{1,20}"),
    "partitions": number(0, 1_000),
    "tree": text(r"[a-z]{1,20}"),
    "exit_code": number(-255, 255),
    # Of libraries' records, and of uncaught exceptions.
    "logger": text(r"[\w.-]{1,80}"),
    "place": place,
    "errors": each(type_name),
    "category": type_name,
    "thread": text(r"[\w .:()-]{1,80}"),
}
"""New keys are added here with their kind; tests compare this list with the code."""


def redact(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """structlog processor. ``exc_info`` passes: a later one renders it without its message.

    A key that is not on the list is shown with the marker if it looks like an identifier; others
    are only counted.
    """
    allowed: EventDict = {}
    unnamed = 0
    for key, value in event_dict.items():
        if key == "exc_info":
            allowed[key] = value
        elif kind := FIELDS.get(key):
            allowed[key] = None if value is None else kind(value)
        elif _OWN_KEY.fullmatch(key):
            allowed[key] = WITHHELD
        else:
            unnamed += 1
    if unnamed:
        allowed["withheld_keys"] = unnamed
    return allowed
