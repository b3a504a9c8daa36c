"""Rate limits in bounded memory: the generic cell rate algorithm (GCRA).

For each key one instant is stored, until which its allowance is spent. A key whose whole allowance
is back needs no entry, and is dropped first.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from types import MappingProxyType

from ledger.crypto.blind_index import BlindIndex

from .metrics import BUDGETS_EXCEEDED
from .problems import HttpProblem

PROGRESS_GUESSES_PER_HOUR = 10
"""Wrong details of the applicant for one receipt, in each process: at this rate, the 11,000 ends of
a citizen number take six weeks."""
KEYS_MAX = 50_000
THINGS_MAX = 1_000_000
"""About 100 MB; more are not checked by card within an hour by one process."""
HOUR_S = 3600
ROUNDING_S = 1e-6
IN_ALL = "all"
"""The name of the budget over all scenarios, in metrics."""
SWEPT_MAX = 4
"""Entries dropped for each new one; enough to bound the memory without a pause."""


class RateLimit:
    """A limit for each key. A period's allowance may be spent at once.

    Belongs to one process and one event loop."""

    def __init__(
        self, allowance: int, *, what: str, period_s: float = 60, keys_max: int = KEYS_MAX
    ) -> None:
        """``what`` completes the message "Too many …"."""
        self._period_s = period_s
        self._interval_s = period_s / allowance
        self._what = what
        self._keys_max = keys_max
        self._spent_until: OrderedDict[Hashable, float] = OrderedDict()

    def spend(self, key: Hashable, now: float | None = None) -> None:
        """Spend one of ``key``'s allowance.

        Raises:
            HttpProblem: 429 with ``Retry-After``; nothing is left.
        """
        now = time.monotonic() if now is None else now
        spent_until = self._after_one(key, now)
        if key not in self._spent_until:
            self._make_room(now)
        self._spent_until[key] = spent_until
        self._spent_until.move_to_end(key)

    def require(self, key: Hashable) -> None:
        """Require that something of ``key``'s allowance is left, without spending it.

        Raises:
            HttpProblem: 429 with ``Retry-After``; nothing is left.
        """
        self._after_one(key, time.monotonic())

    def give_back(self, key: Hashable) -> None:
        """Give back what was spent once for ``key``, for a request that turned out not to count.

        It is spent before anything is awaited and given back afterwards, so that requests at the
        same time can't all pass before the first one counts.
        """
        if key in self._spent_until:
            self._spent_until[key] -= self._interval_s

    def _after_one(self, key: Hashable, now: float) -> float:
        """Return until when ``key``'s allowance is spent after one more.

        Raises:
            HttpProblem: 429 with ``Retry-After``; nothing is left.
        """
        spent_until = max(self._spent_until.get(key, now), now) + self._interval_s
        wait_s = spent_until - now - self._period_s
        if wait_s > ROUNDING_S:
            raise HttpProblem(
                429,
                "RATE_LIMITED",
                f"Too many {self._what}: wait a moment.",
                {"Retry-After": str(math.ceil(wait_s))},
            )
        return spent_until

    def __len__(self) -> int:
        return len(self._spent_until)

    def _make_room(self, now: float) -> None:
        """Drop the entries that were used least recently."""
        for _ in range(SWEPT_MAX):
            oldest = next(iter(self._spent_until.items()), None)
            if oldest is None or (oldest[1] > now and len(self._spent_until) < self._keys_max):
                return
            self._spent_until.popitem(last=False)


class DistinctLimit:
    """Limits how many different things each key may ask for in an hour, in bounded memory.

    Belongs to one process and one event loop. Hours are the clock's: after the limit is reached,
    the rest of the hour is refused, except for what was asked for before.
    """

    def __init__(self, per_hour: int, *, what: str, things_max: int = THINGS_MAX) -> None:
        """``what`` completes the message "Too many …"."""
        self._per_hour = per_hour
        self._what = what
        self._things_max = things_max
        self._hour = 0
        self._seen: dict[Hashable, set[int]] = {}
        self._things = 0

    def spend(self, key: Hashable, thing: Hashable, now: float | None = None) -> None:
        """Count ``thing`` for ``key``, unless it was counted in this hour.

        Raises:
            HttpProblem: 429 with ``Retry-After``; the key has asked for too many, or all keys
                together for more than are remembered.
        """
        now = time.time() if now is None else now
        if (hour := int(now // HOUR_S)) != self._hour:
            self._hour, self._seen, self._things = hour, {}, 0
        seen = self._seen.setdefault(key, set())
        if (mark := hash(thing)) in seen:
            return
        if len(seen) >= self._per_hour or self._things >= self._things_max:
            raise HttpProblem(
                429,
                "RATE_LIMITED",
                f"Too many {self._what}: the allowance is for an hour.",
                {"Retry-After": str(math.ceil((hour + 1) * HOUR_S - now))},
            )
        seen.add(mark)
        self._things += 1


class CheckLimits:
    """Limits of checks by one verifier, and of one permit."""

    def __init__(
        self,
        blind_index: BlindIndex,
        *,
        per_verifier_per_minute: int,
        per_permit_per_minute: int,
        permits_per_hour: Mapping[str, int] = MappingProxyType({}),
        permits_per_verifier_per_hour: int = THINGS_MAX,
    ) -> None:
        """How many different permits one account may check by card: ``permits_per_hour`` in each
        scenario, ``permits_per_verifier_per_hour`` in all of them together."""
        self._blind_index = blind_index
        self._verifiers = RateLimit(per_verifier_per_minute, what="checks by this account")
        self._permits = RateLimit(per_permit_per_minute, what="checks of this permit")
        self._codes = RateLimit(per_permit_per_minute, what="codes for this permit")
        self._different = {
            scenario: DistinctLimit(permits, what="different permits by this account")
            for scenario, permits in permits_per_hour.items()
        }
        self._different_in_all = DistinctLimit(
            permits_per_verifier_per_hour, what="different permits by this account"
        )

    def verifier_index(self, subject: str) -> bytes:
        """Return the digest that identifies a verifier's account in memory and database."""
        return self._blind_index.of_verifier(subject)

    def check(self, verifier_index: bytes, permit_number: str | None, scenario: str) -> None:
        """Count a check, of a card if its permit is given. Of a check that the verifier may not
        make, the permit is not given: it must not use up what others may ask of that permit.

        Raises:
            HttpProblem: 429.
        """
        self._verifiers.spend(verifier_index)
        if permit_number:
            # The account's own budgets first: once they are spent, the permit's stays for others.
            if different := self._different.get(scenario):
                self._spend_budget(different, scenario, verifier_index, permit_number)
            self._spend_budget(self._different_in_all, IN_ALL, verifier_index, permit_number)
            self._permits.spend(permit_number)

    def _spend_budget(
        self, budget: DistinctLimit, name: str, verifier_index: bytes, permit_number: str
    ) -> None:
        try:
            budget.spend(verifier_index, permit_number)
        except HttpProblem:
            BUDGETS_EXCEEDED.labels(name).inc()
            raise

    def mint(self, permit_number: str) -> None:
        """Count a new code; it is good for one check, so this limits the checks of codes.

        Raises:
            HttpProblem: 429.
        """
        self._codes.spend(permit_number)
