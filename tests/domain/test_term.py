"""Properties that every term has, whatever its anchor."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import Term, add_months
from domain.endorsement import EndorsementKind
from domain.events import CardPresented

ONE_DAY = timedelta(days=1)
DAYS = st.dates(date(2016, 1, 1), date(2090, 12, 31))
EDGES = st.sampled_from([date(2024, 2, 29), date(2025, 3, 31), date(2021, 1, 1)])
ANCHORS = DAYS | EDGES
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
def test_an_on_time_endorsement_never_moves_the_anchor(issue, on, anchor, data):
    """Visits on any days of the windows give the term of the anchor and the years, no other."""
    permit = issue(anchor)
    for years in range(2, 7):
        window = permit.term.endorsement_window
        visit = data.draw(st.dates(window.opens, window.closes))

        permit.endorse(CardPresented.CARD, on(visit))

        assert EndorsementKind.ON_TIME is permit.pending_events[-1].kind
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
    ("anchor", "last_valid_day", "years"),
    [
        (date(2024, 2, 29), date(2025, 2, 27), 1),
        (date(2024, 2, 29), date(2028, 2, 28), 4),
        (date(2021, 1, 1), date(2021, 12, 31), 1),
        (date(2021, 1, 1), date(2022, 12, 31), 2),
    ],
)
def test_through_counts_the_years(anchor, last_valid_day, years):
    """Also those that end on the eve of a clamped day, or of New Year."""
    assert Term(anchor, years) == Term.through(anchor, last_valid_day)


@pytest.mark.parametrize(
    "last_valid_day", [date(2025, 2, 28), date(2024, 2, 28), date(2020, 2, 27)]
)
def test_no_term_of_a_leap_day_ends_then(last_valid_day):
    """A day late, on the eve of its start, or before there was a permit."""
    assert Term.through(date(2024, 2, 29), last_valid_day) is None


@given(TERMS, st.integers(1, 400))
def test_grace_is_counted_from_the_anniversary(term, grace_days):
    """The anniversary is day zero; no days of grace are none at all, not the anniversary."""
    assert timedelta(days=grace_days) == term.grace_ends(grace_days) - term.anniversary
    assert term.last_valid_day == term.grace_ends(0)


@given(TERMS)
def test_one_more_year_is_twelve_months(term):
    """An endorsement extends from the anniversary: the old end is the new start."""
    assert term.anniversary == term.endorsed().current_year_start
    assert add_months(term.anchor, 12 * (term.years + 1)) == term.endorsed().anniversary
