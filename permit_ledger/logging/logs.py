"""Structured logs on standard error: routes, codes and positions, never people.

Every line goes through the same processors: :mod:`permit_ledger.logging.redaction` decides what it
may hold, :mod:`permit_ledger.logging.tracebacks` renders exceptions without messages.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import orjson
import structlog
from structlog.typing import Processor

from permit_ledger.settings import Settings

from . import crashes
from .records import RecordHandler
from .redaction import redact
from .tracebacks import tell_exception


def configure(settings: Settings) -> None:
    """Configure logging, once a process before anything logs, and again if the settings change."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    processors = _processors(settings)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, RecordHandler)]:
        root.removeHandler(handler)
    root.addHandler(RecordHandler(sys.stderr, processors))
    root.setLevel(max(level, logging.WARNING))
    crashes.install()


def _json(line: object, **how: Any) -> str:
    """A line is written for each request, so rendering has to be fast."""
    return orjson.dumps(line, default=how.get("default")).decode()


def _processors(settings: Settings) -> list[Processor]:
    """Level and time are added after the redaction, and replace other values under their names."""
    return [
        redact,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        tell_exception,
        structlog.processors.JSONRenderer(serializer=_json)
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
    ]
