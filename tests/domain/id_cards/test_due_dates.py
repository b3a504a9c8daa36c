"""A due date past the years that are published is provisional, until an event sets it."""

from datetime import date

import pytest

from domain.id_cards.events import DueDateSet
from domain.id_cards.stages import Stage
from permit_ledger.bootstrap.workdays import MainlandWorkdays


class Until(MainlandWorkdays):
    """The calendar as it was when this was the last year published."""

    def __init__(self, year):
        self.year = year

    def is_workday(self, day):
        return None if day.year > self.year else super().is_workday(day)


DECEMBER = date(2025, 12, 15)


def test_in_december_of_the_last_published_year_it_is_provisional(accept):
    """Monday to Friday stand in for the days of January, without New Year itself."""
    accepted = accept(day=DECEMBER, workdays=Until(2025))
    assert (date(2026, 1, 13), True) == (accepted.due_date, accepted.due_date_provisional)


def test_the_calendar_in_use_does_not_know_the_year_after_its_last(accept):
    """Of the library itself: 2026 is the last year that it has."""
    accepted = accept(day=date(2026, 12, 15))
    assert accepted.due_date_provisional


def test_an_event_sets_the_final_date_when_the_calendar_is_extended(accept, on):
    """New Year's holiday of 2026 and its make-up day are known by then."""
    application = accept(day=DECEMBER, workdays=Until(2025))
    application.collect_events()

    application.settle_due_date(Until(2026), on(date(2025, 12, 20)))

    [event] = application.collect_events()
    assert (DueDateSet, accept(day=DECEMBER).due_date) == (type(event), event.due_date)
    assert (event.due_date, False) == (application.due_date, application.due_date_provisional)
    application.settle_due_date(Until(2026), on(date(2025, 12, 21)))
    assert [] == application.collect_events()


def test_while_the_calendar_is_as_it_was_nothing_happens(accept, on):
    """However often it is asked."""
    application = accept(day=DECEMBER, workdays=Until(2025))
    application.collect_events()
    application.settle_due_date(Until(2025), on(date(2025, 12, 20)))
    assert [] == application.collect_events()
    assert application.due_date_provisional


@pytest.mark.parametrize("stage", [Stage.RETURNED, Stage.COLLECTED, Stage.WITHDRAWN])
def test_what_has_ended_is_due_no_more(given, on, stage):
    """No event for nothing."""
    application = given(stage, day=DECEMBER, workdays=Until(2025))
    application.settle_due_date(Until(2026), on(date(2025, 12, 20)))
    assert [] == application.collect_events()
