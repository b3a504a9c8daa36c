"""Trying again: growing pauses, and outages that time may end."""

from __future__ import annotations

import random
from collections.abc import Callable
from threading import Event

import psycopg
import structlog
from psycopg.errors import IdleInTransactionSessionTimeout, ReadOnlySqlTransaction

from ledger.errors import Unavailable

FIRST_S = 0.05
MAX_S = 5.0

OUTAGES: tuple[type[Exception], ...] = (
    psycopg.OperationalError,
    ReadOnlySqlTransaction,
    IdleInTransactionSessionTimeout,
    Unavailable,
)
"""Errors that time may mend. A standby refuses LISTEN as read-only until it is promoted."""

_log = structlog.get_logger(__name__)


class Delays:
    """Seconds that double up to a bound, each with jitter, until an attempt succeeds."""

    def __init__(self) -> None:
        self._next_s = FIRST_S

    def next_s(self) -> float:
        delay_s = self._next_s * random.uniform(0.5, 1.0)  # noqa: S311  spreads load only
        self._next_s = min(self._next_s * 2, MAX_S)
        return delay_s

    def reset(self) -> None:
        self._next_s = FIRST_S


class Backoff(Delays):
    """Delays that are waited for in the calling thread."""

    def __init__(self, stop: Event) -> None:
        super().__init__()
        self._stop = stop

    def pause(self) -> None:
        """Wait, or return at once when ``stop`` is set."""
        self._stop.wait(self.next_s())


class Outage:
    """Delays during an outage, with one warning when it begins and one line when it ends."""

    def __init__(self) -> None:
        self._delays = Delays()
        self._lasts = False

    def pause_s(self, error: Exception) -> float:
        """Seconds to wait after this error before the next attempt."""
        if not self._lasts:
            self._lasts = True
            _log.warning("outage began", error=type(error).__name__)
        return self._delays.next_s()

    def delay_s(self) -> float:
        """Seconds to wait after an error that is no outage, and was reported by itself."""
        return self._delays.next_s()

    def is_over(self) -> None:
        """Reset the delays; call this after every success."""
        self._delays.reset()
        if self._lasts:
            self._lasts = False
            _log.info("outage ended")


def run_through_outages(
    attempt: Callable[[Outage], None],
    stop: Event,
    *,
    outages: tuple[type[Exception], ...] = OUTAGES,
    report: Callable[[Exception], None] | None = None,
) -> None:
    """Call ``attempt`` again and again until ``stop`` is set, with a pause after each error.

    Args:
        attempt: given the outage, to say that it is over after each success.
        outages: errors that are logged once each time they begin.
        report: logs any other error. Without it, such an error ends the loop.
    """
    outage = Outage()
    while not stop.is_set():
        try:
            attempt(outage)
        except outages as error:
            stop.wait(outage.pause_s(error))
        except Exception as error:
            if report is None:
                raise
            report(error)
            stop.wait(outage.delay_s())
