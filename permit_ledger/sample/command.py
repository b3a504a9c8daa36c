"""``permit-ledger simulate``: the plausible history of a district, appended in bulk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from time import perf_counter
from types import MappingProxyType

from domain.calendar import ONE_DAY, SHANGHAI
from domain.policy import Policy
from ledger.commands.blocking import BlockingLedger
from ledger.commands.bulk import BulkAppender
from ledger.errors import AppendConflict
from permit_ledger.bootstrap.workdays import MainlandWorkdays

from .simulation.agenda import Agenda
from .simulation.chance import Chance
from .simulation.city import City
from .simulation.district import District
from .simulation.id_cards import IdCardCounter
from .simulation.office import Office, last_whole_day
from .simulation.people import Population
from .simulation.rates import Rates

BELIEVABLE = Rates()
TAKEOVER_HOURS = 6
"""The stock is taken over in the first hours of the first day, before the counters open."""


class SimulationConflict(Exception):
    """The log already holds permits or people of this simulation."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        super().__init__(
            f"The log already holds permits or people of seed {seed}, from an earlier or an"
            " unfinished run: choose another seed, or simulate into an empty database."
        )


@dataclass(frozen=True, slots=True)
class SimulationReport:
    """What a run has appended.

    ``events`` counts by topic, topics that never occurred included; ``seconds`` is wall time.
    """

    permits: int
    applications: int
    events: Mapping[str, int]
    seconds: float

    @property
    def events_total(self) -> int:
        return sum(self.events.values())

    def summary(self) -> str:
        """One line for the terminal."""
        rate = self.events_total / max(self.seconds, 0.001)
        return (
            f"{self.permits:,} permits, {self.applications:,} applications for identity cards,"
            f" {self.events_total:,} events"
            f" in {self.seconds:.1f} s ({rate:,.0f} events/s)"
        )


def simulate(
    ledger: BlockingLedger,
    *,
    permits: int,
    days: int,
    seed: int,
    until: datetime,
    policy: Policy,
    progress: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
    rates: Rates = BELIEVABLE,
) -> SimulationReport:
    """Simulate the issue of ``permits`` permits within ``days`` days and their use ``until`` then
    (aware).

    A share of them (:attr:`Rates.stock_share`) is taken over on the first night with years behind
    it; the others are issued day by day. The last day is the last whose counters have closed by
    ``until``. Events are in the log in the order of their instants. The same arguments give the
    same events; ``progress`` is called with days done and days in all.

    Raises:
        SimulationConflict: this seed is in the log already; of a run that was refused at its
            start nothing was written.
        ValueError: ``permits`` or ``days`` is below 1, or ``until`` is naive.
        domain.errors.InvalidDetails: the policy does not accept made-up people.
    """
    if permits < 1 or days < 1:
        raise ValueError("a simulation has at least one permit and one day")
    if until.tzinfo is None:
        raise ValueError("until is an instant: it needs its offset from UTC")
    started = perf_counter()
    try:
        with BulkAppender(ledger, keeps_keys=True) as bulk:
            city = _city(ledger, bulk, rates, policy, seed, until)
            district = District(city, Random(f"permit numbers of seed {seed}"))  # noqa: S311
            counter = IdCardCounter(city, seed, MainlandWorkdays())
            counter.plan(round(permits * rates.applications_share), _calendar(days, until))
            _run(district, city, permits, days, until, progress)
    except AppendConflict as conflict:
        raise SimulationConflict(seed) from conflict
    seconds = perf_counter() - started
    return SimulationReport(
        district.permits, counter.applications, MappingProxyType(dict(city.events)), seconds
    )


def _city(
    ledger: BlockingLedger,
    bulk: BulkAppender,
    rates: Rates,
    policy: Policy,
    seed: int,
    until: datetime,
) -> City:
    chance = Chance(f"lives of seed {seed}")
    return City(
        policy=policy,
        rates=rates,
        chance=chance,
        office=Office(rates, chance, MainlandWorkdays(), policy.stations),
        people=Population(chance, seed, policy.guardian_below_age),
        agenda=Agenda(until.astimezone(UTC)),
        bulk=bulk,
        blind_index=ledger.blind_index,
    )


def _run(
    district: District,
    city: City,
    permits: int,
    days: int,
    until: datetime,
    progress: Callable[[int, int], None],
) -> None:
    calendar = _calendar(days, until)
    stock = int(permits * city.rates.stock_share)
    night = _midnight(calendar[0])
    for number in range(stock):
        at = night + timedelta(hours=TAKEOVER_HOURS) * number / stock
        district.take_over(at.replace(microsecond=0))
    issues = _issues_by_day(city, calendar, permits - stock)
    for done, day in enumerate(calendar, start=1):
        for at in sorted(city.office.served(day) for _ in range(issues[day])):
            city.agenda.plan(at, district.issue)
        city.agenda.run(_midnight(day + ONE_DAY))
        progress(done, days)
    city.agenda.run(until)


def _calendar(days: int, until: datetime) -> list[date]:
    last = last_whole_day(until)
    return [last - ONE_DAY * ago for ago in reversed(range(days))]


def _issues_by_day(city: City, calendar: list[date], issues: int) -> Counter[date]:
    """Spread the first issues over the days, in proportion to the office's load."""
    weights = [city.office.issues_weight(day) for day in calendar]
    return Counter(city.chance.choices(calendar, weights=weights, k=issues))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).astimezone(UTC)
