"""Limits long work to a share of a processor's time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, process_time


class Pace:
    """Schedules repeated work: the pause after it grows with the processor time that it took.

    Elapsed time is not used, since it also grows with the load of other processes. While there is
    other work, the next run is due ``busy_s`` later.
    """

    def __init__(self, *, pause_s_min: float, share_max: float, busy_s: float = 0.0) -> None:
        self._pause_s_min, self._share_max, self._busy_s = pause_s_min, share_max, busy_s
        self._due_s = monotonic()

    def is_due(self, *, is_busy: bool = False) -> bool:
        return monotonic() >= self._due_s + (self._busy_s if is_busy else 0)

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Measure the work in this context, whether it succeeds or fails."""
        started_s = process_time()
        try:
            yield
        finally:
            took_s = process_time() - started_s
            self._due_s = monotonic() + max(self._pause_s_min, took_s / self._share_max)
