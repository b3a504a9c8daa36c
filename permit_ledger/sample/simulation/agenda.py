"""The planned acts, soonest first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from heapq import heappop, heappush
from itertools import count

from domain.calendar import shanghai_date

Act = Callable[[datetime], None]


class Agenda:
    """Runs acts in the order of their instants, and of planning where these are equal.

    Acts past ``ends`` are dropped at once, so memory holds the near future only.
    """

    def __init__(self, ends: datetime) -> None:
        self._ends = ends
        self._last_day = shanghai_date(ends)
        self._numbers = count()
        self._planned: list[tuple[datetime, int, Act]] = []

    def reaches(self, day: date) -> bool:
        """Whether anything on ``day`` (in Shanghai) can still happen."""
        return day <= self._last_day

    def plan(self, at: datetime, act: Act) -> None:
        """Plan an act; acts may plan others, never before their own instant."""
        if at <= self._ends:
            heappush(self._planned, (at, next(self._numbers), act))

    def run(self, until: datetime) -> None:
        """Do everything that is planned up to ``until``, that included."""
        while self._planned and self._planned[0][0] <= until:
            at, _, act = heappop(self._planned)
            act(at)
