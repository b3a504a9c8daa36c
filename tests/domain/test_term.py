"""Properties that every term has, whatever its anchor."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import Term, add_months
from domain.events import CardPresented, EndorsementKind

ONE_DAY = timedelta(days=1)
DAYS = st.dates(date(2016, 1, 1), date(2090, 12, 31))
ANCHORS = DAYS | st.just(date(2024, 2, 29)) | st.just(date(2025, 3, 31))
YEARS = st.integers(1, 60)
TERMS = st.builds(Term, ANCHORS, YEARS)


@given(TERMS)
def test_the_anniversary_follows_the_last_valid_day(term):
    """No day is both covered and overdue, and none is neither."""
    assert term.anniversary == term.last_valid_day + ONE_DAY
    assert not term.is_overdue(term.last_valid_day)
    assert term.is_overdue(term.last_valid_day + ONE_DAY)


@given(TERMS)
def test_the_window_is_one_month_up_to_the_last_valid_day(term):
    """It opens after the year has begun, lasts 28 to 31 days and closes with the year."""
    window = term.endorsement_window
    assert term.current_year_start < window.opens
    assert term.last_valid_day == window.closes
    assert 28 <= (window.closes - window.opens + ONE_DAY).days <= 31


@given(TERMS)
def test_windows_of_successive_years_never_overlap(term):
    """One year's window is shut long before the next one opens."""
    assert term.endorsement_window.closes < term.endorsed().endorsement_window.opens


@given(ANCHORS, YEARS)
def test_an_anniversary_counts_from_the_original_anchor(anchor, year):
    """Same month and day in every year; only 29 February may be the 28th. It never drifts."""
    anniversary = Term(anchor).anniversary_of(year)
    leap_day_missing = (anchor.month, anchor.day) == (2, 29) and anniversary.day == 28
    assert (anchor.year + year, anchor.month) == (anniversary.year, anniversary.month)
    assert anchor.day == anniversary.day or leap_day_missing
    assert anniversary == Term(anchor, year).anniversary


@given(ANCHORS, st.data())
def test_an_on_time_endorsement_never_moves_the_anchor(given_permit, on, when, anchor, data):
    """Visits on any days of the windows give the term of the anchor and the years, no other."""
    permit = given_permit(anchor)
    for years in range(2, 7):
        window = permit.term.endorsement_window
        visit = data.draw(st.dates(window.opens, window.closes))

        [event] = when(permit.endorse, CardPresented.CARD, on(visit))

        assert EndorsementKind.ON_TIME is event.kind
        assert Term(anchor, years) == permit.term


@given(TERMS)
def test_a_term_is_known_by_its_last_valid_day(term):
    """What another system knows as *valid until* gives the years back."""
    assert term == Term.through(term.anchor, term.last_valid_day)


@given(TERMS, st.integers(1, 364))
def test_no_term_ends_between_two_anniversaries(term, days_past):
    """A last day that no number of years explains gives nothing."""
    assert Term.through(term.anchor, term.last_valid_day + timedelta(days=days_past)) is None


@pytest.mark.parametrize(
    ("last_valid_day", "term"),
    [
        (date(2025, 2, 27), Term(date(2024, 2, 29), 1)),
        (date(2028, 2, 28), Term(date(2024, 2, 29), 4)),
        (date(2025, 2, 28), None),
        (date(2024, 2, 28), None),
        (date(2020, 2, 27), None),
    ],
)
def test_through_reads_the_clamped_years_of_a_leap_day(last_valid_day, term):
    """The year that ends on the eve of 28 or 29 February, and no other."""
    assert term == Term.through(date(2024, 2, 29), last_valid_day)


@given(TERMS, st.integers(0, 400))
def test_grace_is_counted_from_the_anniversary(term, grace_days):
    """The anniversary is day zero."""
    assert timedelta(days=grace_days) == term.grace_ends(grace_days) - term.anniversary


@given(TERMS)
def test_one_more_year_is_twelve_months(term):
    """An endorsement extends from the anniversary: the old end is the new start."""
    assert term.anniversary == term.endorsed().current_year_start
    assert add_months(term.anchor, 12 * (term.years + 1)) == term.endorsed().anniversary
