"""A follower's time without the log: how long to wait, and what to tell."""

from __future__ import annotations

import psycopg
import structlog
from psycopg.errors import ReadOnlySqlTransaction

from .backoff import Delays

OUTAGES = (psycopg.OperationalError, ReadOnlySqlTransaction)
"""What time may mend. A stand-by refuses LISTEN as a read-only server until it is promoted."""

_log = structlog.get_logger(__name__)


class Outage:
    """Growing pauses while it lasts; one warning when it begins, one line when it is over."""

    def __init__(self) -> None:
        self._delays = Delays()
        self._lasts = False

    def pause_s(self, error: Exception) -> float:
        """Seconds to wait before the next attempt."""
        if not self._lasts:
            self._lasts = True
            _log.warning("log out of reach", error=type(error).__name__)
        return self._delays.next_s()

    def is_over(self) -> None:
        """The log was read; to be called after every read."""
        self._delays.reset()
        if self._lasts:
            self._lasts = False
            _log.info("log in reach again")
