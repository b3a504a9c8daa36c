"""Opening hours of the counters, stations and officers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

from domain.calendar import ONE_DAY, SHANGHAI, WorkdayCalendar, expected_workday

from .chance import Chance
from .rates import Rates

STATIONS_A_DIVISION = 6
OFFICERS_A_STATION = 5
_MORNING, _AFTERNOON = (time(9, 0), 3 * 3600), (time(13, 30), 4 * 3600)
"""Opening, and seconds open."""
_ONLINE = (time(7, 0), 16 * 3600)
CLOSED_FROM = time(18, 0)
_SPRING_FESTIVALS = (
    *(date(2018, 2, 16), date(2019, 2, 5), date(2020, 1, 25), date(2021, 2, 12)),
    *(date(2022, 2, 1), date(2023, 1, 22), date(2024, 2, 10), date(2025, 1, 29)),
    *(date(2026, 2, 17), date(2027, 2, 6), date(2028, 1, 26), date(2029, 2, 13)),
    *(date(2030, 2, 3), date(2031, 1, 23), date(2032, 2, 11), date(2033, 1, 31)),
    *(date(2034, 2, 19), date(2035, 2, 8)),
)
_FESTIVAL_OF = {day.year: day for day in _SPRING_FESTIVALS}
_FESTIVAL_DAYS = 8


class Office:
    """All counters of the district keep the same hours, in Asia/Shanghai."""

    def __init__(
        self,
        rates: Rates,
        chance: Chance,
        workdays: WorkdayCalendar,
        stations: Mapping[str, Sequence[str]],
    ) -> None:
        """``stations`` are those of each division, by the policy."""
        self._stations = stations
        self._rates = rates
        self._chance = chance
        self._workdays = workdays
        self._is_worked = cache(self._ask)

    def _ask(self, day: date) -> bool:
        worked = self._workdays.is_workday(day)
        return expected_workday(day) if worked is None else worked

    def issues_weight(self, day: date) -> float:
        """How many come for a first permit, relative to an ordinary working day."""
        festival = _FESTIVAL_OF.get(day.year, date(day.year, 2, 5))
        since = (day - festival).days - _FESTIVAL_DAYS
        left = 1 - since / self._rates.spring_peak_days
        peak = (self._rates.spring_peak_factor - 1) * left if since >= 0 and left > 0 else 0
        return (1 + peak) * (1 if self._is_worked(day) else self._rates.free_day_factor)

    def visit(self, day: date) -> datetime:
        """When a visitor of ``day`` is served: mostly on the next working day."""
        while not (self._is_worked(day) or self._chance.happens(self._rates.free_day_factor)):
            day += ONE_DAY
        return self.served(day)

    def served(self, day: date) -> datetime:
        """Some second of the opening hours."""
        hours = _MORNING if self._chance.happens(0.45) else _AFTERNOON
        return self._instant(day, *hours)

    def online(self, day: date) -> datetime:
        """Some second of a waking day."""
        return self._instant(day, *_ONLINE)

    def _instant(self, day: date, opens: time, seconds: int) -> datetime:
        opening = datetime.combine(day, opens, SHANGHAI).astimezone(UTC)
        return opening + timedelta(seconds=self._chance.randrange(seconds))

    def station(self, division: str) -> str:
        """A station (派出所) or service point of a division, like ``320211-01``."""
        number = self._chance.randint(1, STATIONS_A_DIVISION)
        known = self._stations.get(division)
        return known[(number - 1) % len(known)] if known else f"{division}-{number:02d}"

    def officer(self, station: str) -> str:
        """An officer of the station, like ``officer-320211-01-3``."""
        return f"officer-{station}-{self._chance.randint(1, OFFICERS_A_STATION)}"


def last_whole_day(until: datetime) -> date:
    """The last day whose counters have closed by ``until``."""
    local = until.astimezone(SHANGHAI)
    return local.date() if local.time() >= CLOSED_FROM else local.date() - ONE_DAY
