"""Pauses between attempts."""

from __future__ import annotations

import random
from threading import Event

FIRST_S = 0.05
MAX_S = 5.0


class Delays:
    """Seconds that double up to a bound, each with jitter, until something works again."""

    def __init__(self) -> None:
        self._next_s = FIRST_S

    def next_s(self) -> float:
        delay_s = self._next_s * random.uniform(0.5, 1.0)  # noqa: S311  spreads load only
        self._next_s = min(self._next_s * 2, MAX_S)
        return delay_s

    def reset(self) -> None:
        self._next_s = FIRST_S


class Backoff(Delays):
    """The same, waited for in this thread."""

    def __init__(self, stop: Event) -> None:
        super().__init__()
        self._stop = stop

    def pause(self) -> None:
        """Wait, or return at once when asked to stop."""
        self._stop.wait(self.next_s())
