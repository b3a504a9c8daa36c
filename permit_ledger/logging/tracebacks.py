"""Tracebacks without values: types, files, lines and functions, but no message and no variable.

Messages quote data: PostgreSQL's hold a row's values in their DETAIL, pydantic's the input, an
``OSError``'s a file's name. Types, the chain of causes and places are enough to find a fault.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from types import TracebackType

import psycopg
from structlog.typing import EventDict, WrappedLogger

from .redaction import WITHHELD, place, type_name

FRAMES_MAX = 40
"""The last frames of one exception; a recursion has a thousand."""
ERRORS_MAX = 20
"""Exceptions in one traceback, causes and members of groups together."""


def describe(error: BaseException) -> str:
    """Causes first, as Python writes them; lines of at most some 200 characters of ASCII."""
    return "\n".join(_lines(error, _Budget()))


def name_of(kind: type[BaseException]) -> str:
    """The type's name with its module, unless that is Python itself."""
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return str(type_name(f"{module}{kind.__qualname__}".replace("<locals>.", "")))


def place_of(filename: str, line: int, function: str | None = None) -> str:
    """The file relative to the import path, so that no folder of a machine is logged."""
    inside = f" in {function}" if function else ""
    return str(place(f"{_below_import_path(filename)}:{line}{inside}"))


def tell_exception(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """structlog processor: ``exc_info`` in any of its forms becomes ``exception``, a text."""
    given = event_dict.pop("exc_info", None)
    if isinstance(given, tuple) and len(given) == len(sys.exc_info()):
        given = given[1]
    elif given and not isinstance(given, BaseException):
        given = sys.exc_info()[1]
    if isinstance(given, BaseException):
        event_dict["exception"] = describe(given)
    return event_dict


class _Budget:
    """The exceptions rendered so far, against circles and endless chains."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def allows(self, error: BaseException) -> bool:
        if id(error) in self._seen or len(self._seen) >= ERRORS_MAX:
            return False
        self._seen.add(id(error))
        return True


def _lines(error: BaseException, budget: _Budget) -> Iterator[str]:
    if not budget.allows(error):
        yield "(more)"
        return
    if error.__cause__ is not None:
        yield from _lines(error.__cause__, budget)
        yield "which was the cause of:"
    elif error.__context__ is not None and not error.__suppress_context__:
        yield from _lines(error.__context__, budget)
        yield "and while that was handled:"
    yield from _frames(error.__traceback__)
    yield f"{name_of(type(error))}{_code(error)}"
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from (f"  | {line}" for line in _lines(member, budget))


def _frames(traceback: TracebackType | None) -> Iterator[str]:
    places = []
    while traceback:
        code = traceback.tb_frame.f_code
        places.append(place_of(code.co_filename, traceback.tb_lineno, code.co_name))
        traceback = traceback.tb_next
    if len(places) > FRAMES_MAX:
        yield f"  ({len(places) - FRAMES_MAX} more)"
    yield from (f"  {place}" for place in places[-FRAMES_MAX:])


def _code(error: BaseException) -> str:
    """A code that distinguishes errors of one type and holds no value: SQLSTATE, or errno's
    name."""
    if isinstance(error, psycopg.Error) and error.sqlstate:
        return f" ({error.sqlstate})"
    if isinstance(error, OSError) and error.errno and (name := errno.errorcode.get(error.errno)):
        return f" ({name})"
    return ""


def _below_import_path(filename: str) -> str:
    folders = (folder.rstrip(os.sep) + os.sep for folder in sys.path if folder)
    inside = [filename.removeprefix(folder) for folder in folders if filename.startswith(folder)]
    if inside:
        return min(inside, key=len).replace(os.sep, "/")
    return os.path.basename(filename) or WITHHELD
