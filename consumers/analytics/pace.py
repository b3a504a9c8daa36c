"""How often something is done that may take long: never more than a share of the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic


class Pace:
    """Due again after a pause that grows with how long it took; while there is other work, only
    after ``busy_s`` more."""

    def __init__(self, *, pause_s_min: float, share_max: float, busy_s: float = 0.0) -> None:
        self._pause_s_min, self._share_max, self._busy_s = pause_s_min, share_max, busy_s
        self._due_s = monotonic()

    def is_due(self, *, is_busy: bool = False) -> bool:
        return monotonic() >= self._due_s + (self._busy_s if is_busy else 0)

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Around it, done or failed."""
        started_s = monotonic()
        try:
            yield
        finally:
            ended_s = monotonic()
            pause_s = max(self._pause_s_min, (ended_s - started_s) / self._share_max)
            self._due_s = ended_s + pause_s
