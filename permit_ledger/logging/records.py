"""What libraries log by Python's own means, in the same lines as ours.

A record's message is told only if it stands in the code that logs it, as a constant: so templates
are told, and never what was put into them. What was composed, by an f-string or ``str(error)``, is
withheld; the logger, the place and the types of the exceptions involved are told instead. Scrubbing
whole messages would be no answer, since nothing tells a name in Latin script from a word.
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
"""How messages begin that a library puts together from a constant and something's ``repr``."""

_log = structlog.get_logger(__name__)


class RecordHandler(logging.StreamHandler[TextIO]):
    """Writes records of the standard library's loggers through ``processors``."""

    def __init__(self, stream: TextIO, processors: list[Processor]) -> None:
        super().__init__(stream)
        self.setFormatter(
            # Not ``getMessage``, which puts the arguments in, or fails on them.
            structlog.stdlib.ProcessorFormatter(
                processors=[tell_record, *processors],
                use_get_message=False,
                pass_foreign_args=True,
            )
        )

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  its values
        """Python would print the record with its arguments."""
        with suppress(Exception):  # there is nowhere left to say it
            _log.error("a record could not be written", exc_info=True)


def tell_record(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """structlog's processor: a record as an event of ours. Where the code that logs is found on the
    stack, so it has to run inside the call, as handlers do."""
    record: logging.LogRecord = event_dict["_record"]
    told: EventDict = {
        "event": _message(record),
        "logger": record.name,
        "place": place_of(record.pathname, record.lineno, record.funcName),
    }
    if errors := list(_types(event_dict["positional_args"])):
        told["errors"] = errors
    if exc_info := event_dict.get("exc_info"):
        told["exc_info"] = exc_info
    return told


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
    """Of the exceptions among a record's arguments: mostly they are what went wrong."""
    if isinstance(arguments, tuple):
        for argument in arguments:
            if isinstance(argument, BaseException):
                yield name_of(type(argument))
