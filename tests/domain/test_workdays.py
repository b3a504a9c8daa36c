"""Due dates in working days, make-up workdays (调休) included."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import DueDate, due_date, is_holiday_by_law
from permit_ledger.bootstrap.workdays import MainlandWorkdays

MAINLAND = MainlandWorkdays()
KNOWN_DAYS = st.dates(date(2015, 1, 1), date(2025, 6, 30))


class KnownUntil:
    """A calendar that works every day, weekends too, up to a day and knows no further."""

    def __init__(self, last_known_day):
        self.last_known_day = last_known_day

    def is_workday(self, day):
        return True if day <= self.last_known_day else None


@pytest.mark.parametrize(
    ("start", "due"),
    [
        pytest.param(date(2021, 12, 1), date(2021, 12, 29), id="from-2021-12-01"),
        pytest.param(date(2025, 9, 22), date(2025, 10, 24), id="from-2025-09-22"),
        pytest.param(date(2026, 1, 30), date(2026, 3, 5), id="from-2026-01-30"),
        pytest.param(date(2026, 9, 14), date(2026, 10, 16), id="from-2026-09-14"),
    ],
)
def test_20_working_days(start, due):
    """The fixture rows of section 2, across National Day and Spring Festival."""
    assert DueDate(due, provisional=False) == due_date(start, 20, MAINLAND)


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        pytest.param(date(2025, 9, 28), True, id="a-sunday-made-up"),
        pytest.param(date(2025, 10, 8), False, id="a-wednesday-off"),
        pytest.param(date(2025, 10, 9), True, id="a-thursday"),
        pytest.param(date(2025, 10, 12), False, id="a-sunday"),
        pytest.param(date(2099, 1, 5), None, id="past-the-known-years"),
    ],
)
def test_a_day_is_worked_free_or_unknown(day, worked):
    """Make-up days are worked, holidays are not, and an unpublished year is no guess."""
    assert worked is MAINLAND.is_workday(day)


def test_past_the_known_years_a_due_date_is_provisional():
    """Monday to Friday stand in for a schedule not yet published, and the answer says so."""
    assert DueDate(date(2099, 2, 2), provisional=True) == due_date(date(2099, 1, 5), 20, MAINLAND)


@pytest.mark.parametrize(
    ("working_days", "due", "provisional"),
    [(1, date(2026, 12, 31), False), (2, date(2027, 1, 4), True), (3, date(2027, 1, 5), True)],
)
def test_one_unknown_day_on_the_way_is_enough(working_days, due, provisional):
    """Known to 31 December: from 1 January on, a Friday, the date is provisional and skips the
    holiday and the weekend."""
    known = KnownUntil(date(2026, 12, 31))
    assert DueDate(due, provisional) == due_date(date(2026, 12, 30), working_days, known)


@pytest.mark.parametrize(
    ("start", "due"),
    [
        pytest.param(date(2026, 12, 14), date(2027, 1, 12), id="new-year"),
        pytest.param(date(2027, 3, 22), date(2027, 4, 20), id="qingming"),
        pytest.param(date(2028, 4, 17), date(2028, 5, 17), id="labour-day"),
        pytest.param(date(2028, 9, 18), date(2028, 10, 18), id="national-day"),
    ],
)
def test_holidays_by_law_are_not_worked_in_an_unpublished_year(start, due):
    """20 working days across a holiday that needs no schedule; the date stays provisional."""
    assert DueDate(due, provisional=True) == due_date(start, 20, MAINLAND)


@given(st.dates(date(2008, 1, 1), date(2026, 12, 31)))
def test_no_published_schedule_works_on_a_holiday_by_law(day):
    """Qingming by its formula included, which is one since 2008; 2 May is one since 2025."""
    if is_holiday_by_law(day) and (day.year >= 2025 or (day.month, day.day) != (5, 2)):
        assert not MAINLAND.is_workday(day)


@pytest.mark.parametrize(
    ("year", "days"), [(2008, 4), (2011, 5), (2026, 5), (2027, 5), (2028, 4), (2029, 4), (2031, 5)]
)
def test_qingming_is_a_day_of_the_sun(year, days):
    """As the almanacs have it."""
    found = [day for day in range(1, 10) if is_holiday_by_law(date(year, 4, day))]
    assert [days] == found


def test_no_working_days_are_due_at_once():
    """Zero days pass on the start itself, even on a holiday."""
    assert DueDate(date(2025, 10, 1), provisional=False) == due_date(date(2025, 10, 1), 0, MAINLAND)


@given(KNOWN_DAYS, st.integers(1, 60))
def test_a_due_date_is_a_workday_with_as_many_workdays_before_it(start, working_days):
    """It lands on a workday, and counting the days after the start gives the number asked for."""
    due = due_date(start, working_days, MAINLAND)
    passed = [start + timedelta(days=n) for n in range(1, (due.day - start).days + 1)]
    assert MAINLAND.is_workday(due.day)
    assert working_days == sum(MAINLAND.is_workday(day) for day in passed)
    assert not due.provisional


@given(KNOWN_DAYS, st.integers(0, 60), st.integers(1, 30))
def test_more_working_days_are_due_later(start, fewer, extra):
    """Monotone in the number of days."""
    earlier, later = due_date(start, fewer, MAINLAND), due_date(start, fewer + extra, MAINLAND)
    assert earlier.day < later.day


@given(KNOWN_DAYS, st.integers(1, 30), st.integers(1, 20))
def test_a_later_start_is_never_due_earlier(start, days_later, working_days):
    """Monotone in the start."""
    first = due_date(start, working_days, MAINLAND)
    second = due_date(start + timedelta(days=days_later), working_days, MAINLAND)
    assert first.day <= second.day
