"""A due date past the years that are published is provisional, until an event sets it."""

from datetime import date

import pytest

from domain.id_cards.stages import Stage
from permit_ledger.bootstrap.workdays import MainlandWorkdays
from tests.domain.id_cards.scenario import accept, accepted, due_date_set, reached
from tests.domain.scenario import given, on


class Until(MainlandWorkdays):
    """The calendar as it was when this was the last year published."""

    def __init__(self, year):
        self.year = year

    def is_workday(self, day):
        return None if day.year > self.year else super().is_workday(day)


DECEMBER, EXPECTED, FINAL = date(2025, 12, 15), date(2026, 1, 13), date(2026, 1, 13)
PROVISIONAL = {"due_date": EXPECTED, "due_date_provisional": True}
LATER = date(2025, 12, 20)


def settle(workdays):
    return lambda application: application.settle_due_date(workdays, on(LATER))


def test_in_december_of_the_last_published_year_it_is_provisional():
    """Monday to Friday stand in for the days of January, without New Year itself."""
    (
        given()
        .when(accept(day=DECEMBER, workdays=Until(2025)))
        .then(accepted(day=DECEMBER, **PROVISIONAL))
    )


def test_the_calendar_in_use_does_not_know_the_year_after_its_last():
    """Of the library itself: 2026 is the last year that it has."""
    application = accept(day=date(2026, 12, 15))(None)
    assert application.due_date_provisional


def test_an_event_sets_the_final_date_when_the_calendar_is_extended():
    """New Year's holiday of 2026 and its make-up day are known by then."""
    provisional = accepted(day=DECEMBER, **PROVISIONAL)

    application = given(provisional).when(settle(Until(2026))).then(due_date_set(LATER, FINAL))

    assert (FINAL, False) == (application.due_date, application.due_date_provisional)
    final = given(provisional, due_date_set(LATER, FINAL))
    final.when(settle(Until(2026))).then_nothing()


def test_while_the_calendar_is_not_extended_the_date_stays_provisional():
    """However often it is checked."""
    provisional = given(accepted(day=DECEMBER, **PROVISIONAL))

    assert provisional.when(settle(Until(2025))).then_nothing().due_date_provisional


def test_a_final_due_date_stays():
    """The calendar knew all of its days."""
    given(accepted()).when(settle(MainlandWorkdays())).then_nothing()


@pytest.mark.parametrize("stage", [Stage.RETURNED, Stage.COLLECTED, Stage.WITHDRAWN])
def test_an_application_that_has_ended_needs_no_due_date(stage):
    """Nor an event that sets one."""
    given(*reached(stage, day=DECEMBER, **PROVISIONAL)).when(settle(Until(2026))).then_nothing()
