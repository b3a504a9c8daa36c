"""Legal dates: calendar months, the permit's yearly term, working days.

The law counts in dates of Asia/Shanghai; the audit trail counts in instants of UTC. China has kept
one offset since 1991, longer than there are residence permits, so a fixed one is exact here.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass, replace
from datetime import MAXYEAR, date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import Protocol

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
MONTHS_A_YEAR = 12
ONE_DAY = timedelta(days=1)


def shanghai_date(instant: datetime) -> date:
    """The legal date at an instant (aware)."""
    return instant.astimezone(SHANGHAI).date()


def first_instant(day: date) -> datetime:
    """The instant at which a legal date begins."""
    return datetime.combine(day, time(), SHANGHAI)


def last_midnight(instant: datetime) -> datetime:
    """The instant at which the legal date of ``instant`` began."""
    return first_instant(shanghai_date(instant))


@lru_cache(maxsize=20_000)
def add_months(day: date, months: int) -> date:
    """``day`` moved by whole months, clamped to the end of a shorter month.

    Cached, since the same few anniversaries are needed again and again.
    """
    year, month0 = divmod(day.year * MONTHS_A_YEAR + day.month - 1 + months, MONTHS_A_YEAR)
    last = calendar.monthrange(year, month0 + 1)[1]
    return date(year, month0 + 1, min(day.day, last))


def last_anniversary_open_on(today: date) -> date:
    """The latest anniversary whose endorsement window is open on a day. Windows open in the order
    of their anniversaries, so all from the day after ``today`` up to this one are open."""
    last = add_months(today, 1)
    while add_months(last + ONE_DAY, -1) <= today:  # a shorter month before: at most three days
        last += ONE_DAY
    return last


def age_on(birth_date: date, day: date) -> int:
    """Full years of age; someone born on 29 February has a birthday on 1 March of other years."""
    return day.year - birth_date.year - ((day.month, day.day) < (birth_date.month, birth_date.day))


@dataclass(frozen=True, slots=True)
class Window:
    """Days from ``opens`` to ``closes``, both included."""

    opens: date
    closes: date

    def __contains__(self, day: date) -> bool:
        return self.opens <= day <= self.closes


@dataclass(frozen=True, slots=True)
class Term:
    """How long a permit is valid: the anchor (issue date) and the years granted since.

    Everything else is computed, so that the two tracks can't disagree about it and nothing has to
    run at midnight. Anniversaries count from the original anchor: 29 February comes back.
    """

    anchor: date
    years: int = 1

    @property
    def anniversary(self) -> date:
        """First day that is no longer covered."""
        return self.anniversary_of(self.years)

    def anniversary_of(self, year: int) -> date:
        """Anchor + 12·year months, clamped to the month's end."""
        return add_months(self.anchor, MONTHS_A_YEAR * year)

    @property
    def last_valid_day(self) -> date:
        return self.anniversary - ONE_DAY

    @property
    def current_year_start(self) -> date:
        """First day of the last year granted."""
        return self.anniversary_of(self.years - 1)

    @property
    def endorsement_window(self) -> Window:
        """The month before the anniversary (签注期). [N10]"""
        return Window(add_months(self.anniversary, -1), self.last_valid_day)

    def is_overdue(self, today: date) -> bool:
        """From the anniversary on, un-endorsed, the permit's use is suspended. [N10]"""
        return today >= self.anniversary

    def grace_ends(self, grace_days: int) -> date:
        """Last day on which a late endorsement keeps the anchor; none without grace. [J]"""
        return self.anniversary + timedelta(days=grace_days) if grace_days else self.last_valid_day

    def endorsed(self) -> Term:
        """One more year, from the anniversary and not from the visit."""
        return replace(self, years=self.years + 1)

    @classmethod
    def through(cls, anchor: date, last_valid_day: date) -> Term | None:
        """The term that starts at ``anchor`` and ends on ``last_valid_day``, if there is one."""
        if last_valid_day < anchor or last_valid_day.year >= MAXYEAR:
            return None
        years = last_valid_day.year - anchor.year
        candidates = (cls(anchor, max(years, 1)), cls(anchor, years + 1))
        return next((c for c in candidates if c.last_valid_day == last_valid_day), None)


class WorkdayCalendar(Protocol):
    """The working days, make-up days included."""

    def is_workday(self, day: date) -> bool | None:
        """``None`` for a day of a year whose schedule is not published."""
        ...


_HOLIDAYS_BY_LAW = frozenset({(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)})
"""Month and day of New Year, Labour Day and National Day, as they are from 2025 on.
[全国年节及纪念日放假办法 §2, State Council Order 795]"""


def is_holiday_by_law(day: date) -> bool:
    """Whether a day is a public holiday whatever schedule the State Council publishes for its year.

    These are the holidays that follow from the solar calendar: New Year, Qingming, Labour Day,
    National Day. The lunar ones (Spring Festival, Dragon Boat, Mid-Autumn) are not among them: no
    library in use computes their dates past the published years.
    """
    return (day.month, day.day) in _HOLIDAYS_BY_LAW or day == _qingming(day.year)


def expected_workday(day: date) -> bool:
    """Whether a day of an unpublished year will most likely be a working day: Monday to Friday, and
    no holiday by law. Make-up workdays and bridge days are known from the published schedule
    only."""
    return day.isoweekday() <= 5 and not is_holiday_by_law(day)  # noqa: PLR2004  Friday


def _qingming(year: int) -> date | None:
    """The day on which the sun reaches 15°, 4 or 5 April; ``None`` outside this century, for which
    the constants of the usual approximation hold."""
    in_century = year - 2000
    if not 0 < in_century < 100:  # noqa: PLR2004
        return None
    return date(year, 4, int(in_century * 0.2422 + 4.81) - in_century // 4)


@dataclass(frozen=True, slots=True)
class DueDate:
    """A due date; ``provisional`` if the schedule of some day before it is not published yet."""

    day: date
    provisional: bool


def due_date(start: date, working_days: int, workdays: WorkdayCalendar) -> DueDate:
    """The day on which ``working_days`` have passed; the start itself is not counted.

    For years not published yet, :func:`expected_workday` decides and the date is provisional.
    """
    day, left, provisional = start, working_days, False
    while left > 0:
        day += ONE_DAY
        worked = workdays.is_workday(day)
        if worked is None:
            provisional, worked = True, expected_workday(day)
        left -= worked
    return DueDate(day, provisional)
