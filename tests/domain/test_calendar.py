"""Dates of the law, row by row as section 2 of the rules gives them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import (
    ONE_DAY,
    Term,
    Window,
    add_months,
    age_on,
    last_anniversary_open_on,
    shanghai_date,
)

DAYS = st.dates(date(1990, 1, 1), date(2090, 12, 31))
MONTHS = st.integers(-240, 240)


class TestAnchor20240229:
    """The anchor that most years don't have."""

    term = Term(date(2024, 2, 29))

    def test_the_window_is_the_month_before_the_clamped_anniversary(self):
        """Open from 28 January to 27 February."""
        assert Window(date(2025, 1, 28), date(2025, 2, 27)) == self.term.endorsement_window

    def test_the_last_valid_day_is_the_eve_of_the_anniversary(self):
        """Covered through 27 February."""
        assert date(2025, 2, 27) == self.term.last_valid_day

    def test_use_is_suspended_from_the_anniversary(self):
        """Not overdue on the last valid day, overdue on the next."""
        assert not self.term.is_overdue(date(2025, 2, 27))
        assert self.term.is_overdue(date(2025, 2, 28))

    def test_grace_runs_through_30_march(self):
        """Jiangsu's thirty days after the anniversary."""
        assert date(2025, 3, 30) == self.term.grace_ends(30)

    @pytest.mark.parametrize(
        ("year", "anniversary"), [(2, date(2026, 2, 28)), (4, date(2028, 2, 29))]
    )
    def test_29_february_comes_back(self, year, anniversary):
        """Anniversaries count from the anchor, not from the clamped day before."""
        assert anniversary == self.term.anniversary_of(year)


class TestAnchor20250331:
    """A window that opens in a month without a 31st."""

    term = Term(date(2025, 3, 31))

    def test_the_window_opens_on_the_last_day_of_february(self):
        """One month before 31 March is 28 February."""
        assert date(2026, 2, 28) == self.term.endorsement_window.opens

    def test_the_last_valid_day_is_30_march(self):
        """The eve of the anniversary."""
        assert date(2026, 3, 30) == self.term.last_valid_day


class TestAnchor20210101:
    """A window that ends with the year."""

    term = Term(date(2021, 1, 1))

    def test_the_window_is_december(self):
        """Both ends are in it, the days beside them are not."""
        window = self.term.endorsement_window
        assert Window(date(2021, 12, 1), date(2021, 12, 31)) == window
        assert date(2021, 12, 1) in window
        assert date(2021, 12, 31) in window
        assert date(2021, 11, 30) not in window
        assert date(2022, 1, 1) not in window

    def test_use_is_suspended_from_new_year(self):
        """In force on 31 December, suspended on 1 January."""
        assert not self.term.is_overdue(date(2021, 12, 31))
        assert self.term.is_overdue(date(2022, 1, 1))


@pytest.mark.parametrize(
    ("day", "months", "moved"),
    [
        (date(2025, 3, 31), -1, date(2025, 2, 28)),
        (date(2024, 3, 31), -1, date(2024, 2, 29)),
        (date(2025, 12, 15), 1, date(2026, 1, 15)),
        (date(2025, 1, 15), -1, date(2024, 12, 15)),
        (date(2025, 8, 31), 6, date(2026, 2, 28)),
    ],
)
def test_months_clamp_to_a_shorter_month(day, months, moved):
    """The day stays where the month has it, else it is the month's last."""
    assert moved == add_months(day, months)


@given(DAYS, MONTHS)
def test_months_never_overshoot(day, months):
    """The month is exactly the one asked for; only a month's last day may stand in for another."""
    moved = add_months(day, months)
    assert day.year * 12 + day.month + months == moved.year * 12 + moved.month
    assert moved.day == day.day or (
        moved.day < day.day and (moved + timedelta(days=1)).month != moved.month
    )


@pytest.mark.parametrize(
    ("day", "age"),
    [
        (date(2023, 2, 28), 14),
        (date(2023, 3, 1), 15),
        (date(2024, 2, 28), 15),
        (date(2024, 2, 29), 16),
        (date(2025, 2, 28), 16),
        (date(2025, 3, 1), 17),
    ],
)
def test_a_leap_day_child_has_a_birthday_on_1_march_of_other_years(day, age):
    """Born on 29 February, a year older on that day or on the one that follows 28 February."""
    assert age == age_on(date(2008, 2, 29), day)


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (datetime(2025, 2, 27, 15, 59, 59, tzinfo=UTC), date(2025, 2, 27)),
        (datetime(2025, 2, 27, 16, 0, 0, tzinfo=UTC), date(2025, 2, 28)),
    ],
)
def test_the_legal_day_begins_at_16_00_utc(instant, day):
    """Midnight in Shanghai is four in the afternoon of UTC."""
    assert day == shanghai_date(instant)


@given(DAYS)
def test_the_last_anniversary_whose_window_is_open_is_the_last(today):
    """Whatever months are shorter than others."""
    last = last_anniversary_open_on(today)

    assert add_months(last, -1) <= today < last
    assert add_months(last + ONE_DAY, -1) > today
