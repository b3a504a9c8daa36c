"""How often something is done that may take long: no more than a share of a processor's time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, process_time


class Pace:
    """Due again after a pause that grows with what it took, of a processor: on a machine that is
    busy with other things it is slow, and need not be rare as well. While there is other work, it
    is due ``busy_s`` later."""

    def __init__(self, *, pause_s_min: float, share_max: float, busy_s: float = 0.0) -> None:
        self._pause_s_min, self._share_max, self._busy_s = pause_s_min, share_max, busy_s
        self._due_s = monotonic()

    def is_due(self, *, is_busy: bool = False) -> bool:
        return monotonic() >= self._due_s + (self._busy_s if is_busy else 0)

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Around it, done or failed."""
        started_s = process_time()
        try:
            yield
        finally:
            took_s = process_time() - started_s
            self._due_s = monotonic() + max(self._pause_s_min, took_s / self._share_max)
