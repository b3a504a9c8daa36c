"""Log records of libraries (Python's ``logging``), written like our own.

A record's message is written only if it is a constant of the code that logs it: the template, never
its arguments. A composed message, by an f-string or ``str(error)``, is withheld; the logger, the
place and the types of the exceptions involved are written instead. Scrubbing whole messages would
not do, since a name in Latin script can't be distinguished from a word.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from .redaction import WITHHELD
from .tracebacks import name_of, place_of

_COMPOSED = {
    "asyncio": (
        "Task exception was never retrieved",
        "Task was destroyed but it is pending!",
        "Future exception was never retrieved",
        "_GatheringFuture exception was never retrieved",
        "Exception in callback",
        "Unhandled exception in event loop",
        "Unhandled exception in client_connected_cb",
        "an error occurred during closing of asynchronous generator",
    )
}
"""Beginnings of messages that a library composes of a constant and a ``repr``."""

_log = structlog.get_logger(__name__)


class RecordHandler(logging.StreamHandler[TextIO]):
    """Writes records of the standard library's loggers through ``processors``."""

    def __init__(self, stream: TextIO, processors: list[Processor]) -> None:
        super().__init__(stream)
        self.setFormatter(
            # Not ``getMessage``, which formats the arguments, or fails to.
            structlog.stdlib.ProcessorFormatter(
                processors=[tell_record, *processors],
                use_get_message=False,
                pass_foreign_args=True,
            )
        )

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  its values
        """Python would print the record with its arguments."""
        with suppress(Exception):  # there is no other place to report it
            _log.error("a record could not be written", exc_info=True)


def tell_record(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """structlog processor: make an event of a record. It finds the logging code on the stack, so it
    has to run inside the call, as handlers do."""
    record: logging.LogRecord = event_dict["_record"]
    entry: EventDict = {
        "event": _message(record),
        "logger": record.name,
        "place": place_of(record.pathname, record.lineno, record.funcName),
    }
    if errors := list(_types(event_dict["positional_args"])):
        entry["errors"] = errors
    if exc_info := event_dict.get("exc_info"):
        entry["exc_info"] = exc_info
    return entry


def _message(record: logging.LogRecord) -> str:
    message = record.msg
    if type(message) is not str:
        return WITHHELD
    code = (frame := _caller(record)) and frame.f_code
    if code and any(type(known) is str and known == message for known in code.co_consts):
        return " ".join(message.split())
    beginnings = (b for b in _COMPOSED.get(record.name, ()) if message.startswith(b))
    return next(beginnings, WITHHELD)


def _caller(record: logging.LogRecord) -> FrameType | None:
    """The frame that logs."""
    frame: FrameType | None = sys._getframe()
    here = (record.pathname, record.funcName, record.lineno)
    while frame and (frame.f_code.co_filename, frame.f_code.co_name, frame.f_lineno) != here:
        frame = frame.f_back
    return frame


def _types(arguments: object) -> Iterator[str]:
    """The types of the exceptions among a record's arguments: mostly the cause."""
    if isinstance(arguments, tuple):
        for argument in arguments:
            if isinstance(argument, BaseException):
                yield name_of(type(argument))
