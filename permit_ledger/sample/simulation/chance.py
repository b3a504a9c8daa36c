"""The run's one random source, with the few distributions that it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

DAYS_A_YEAR = 365.25
T = TypeVar("T")


class Weighted(Generic[T]):
    """Things to choose from, each with its weight."""

    def __init__(self, weights: Mapping[T, float] | Iterable[tuple[T, float]]) -> None:
        items = weights.items() if isinstance(weights, Mapping) else weights
        pairs: list[tuple[T, float]] = list(items)
        self._things = [thing for thing, _ in pairs]
        self._cumulated = list(accumulate(weight for _, weight in pairs))

    def pick(self, chance: Chance) -> T:
        return chance.choices(self._things, cum_weights=self._cumulated)[0]


class Chance(Random):
    """Pseudo-random and seeded: the same seed gives the same district."""

    def happens(self, share: float) -> bool:
        return self.random() < share

    def day_between(self, first: date, last: date) -> date:
        """Any day from ``first`` to ``last``, both included; ``first`` if they are reversed."""
        return first + timedelta(days=self.randint(0, max((last - first).days, 0)))

    def days(self, mean: float) -> timedelta:
        """A waiting time of whole days, at least one, exponential around ``mean``."""
        return timedelta(days=1 + int(self.expovariate(1 / mean)))

    def days_until_next(self, per_year: float) -> timedelta:
        """The wait for something that happens ``per_year`` times a year, without memory."""
        return self.days(DAYS_A_YEAR / per_year)

    def hex(self, digits: int) -> str:
        return f"{self.getrandbits(4 * digits):0{digits}x}"
