"""P6-P11: the yearly endorsement (签注)."""

from datetime import date, timedelta

import pytest

from domain.calendar import Term
from domain.endorsement import EndorsementKind
from domain.errors import PermitEnded, ReissueFirst, TooEarlyToEndorse
from domain.events import CardPresented
from domain.standing import PermitStatus
from tests.domain.scenario import (
    cancelled,
    claimed,
    endorsed,
    given,
    issued,
    loss_reported,
    on,
    reissued,
    replaced,
    voided,
)

ISSUED = date(2025, 3, 31)
WINDOW_OPENS, LAST_DAY = date(2026, 2, 28), date(2026, 3, 30)
ANNIVERSARY, LAST_OF_GRACE = date(2026, 3, 31), date(2026, 4, 30)
CARD, RECEIPT = CardPresented.CARD, CardPresented.REISSUE_RECEIPT
IN_GRACE, RE_ANCHORED = EndorsementKind.IN_GRACE, EndorsementKind.RE_ANCHORED


def endorse(day, presented=CARD, **changes):
    return lambda permit: permit.endorse(presented, on(day, **changes))


@pytest.mark.parametrize("day", [ISSUED, date(2026, 2, 27)])
def test_p06_before_the_window_it_is_too_early(day):
    """The refusal says when the window opens."""
    refusal = (
        given(issued(ISSUED))
        .when(endorse(day))
        .refused(TooEarlyToEndorse, opens=WINDOW_OPENS, code="TOO_EARLY")
    )
    assert "2026-02-28" in refusal.detail


@pytest.mark.parametrize("day", [ANNIVERSARY, date(2027, 2, 27)])
def test_p06_an_endorsed_permit_waits_for_its_next_window(day):
    """Once the new year has begun, a visit is for the year after it."""
    (
        given(issued(ISSUED), endorsed(LAST_DAY, ISSUED, 2))
        .when(endorse(day))
        .refused(TooEarlyToEndorse, opens=date(2027, 2, 28))
    )


@pytest.mark.parametrize("day", [WINDOW_OPENS, date(2026, 3, 15), LAST_DAY])
def test_p07_in_the_window_both_tracks_extend_in_one_event(standing, day):
    """A year from the anniversary, not from the visit, for the card and the phone alike."""
    permit = (
        given(issued(ISSUED), claimed(ISSUED)).when(endorse(day)).then(endorsed(day, ISSUED, 2))
    )

    last_day = standing(permit, date(2027, 3, 30))
    assert date(2027, 3, 30) == last_day.valid_until
    assert last_day.physical_effective
    assert last_day.electronic_effective
    next_day = standing(permit, date(2027, 3, 31))
    assert not next_day.physical_effective
    assert not next_day.electronic_effective


@pytest.mark.parametrize("again", [date(2026, 3, 1), date(2026, 3, 2), LAST_DAY])
def test_p08_twice_in_the_window_is_one_endorsement(again):
    """The second request is fulfilled already."""
    (
        given(issued(ISSUED), endorsed(date(2026, 3, 1), ISSUED, 2))
        .when(endorse(again))
        .then_nothing()
    )


@pytest.mark.parametrize(
    "late",
    [
        endorsed(ANNIVERSARY, ISSUED, 2, IN_GRACE),
        endorsed(LAST_OF_GRACE, ISSUED, 2, IN_GRACE),
        endorsed(date(2026, 9, 1), date(2026, 9, 1), 1, RE_ANCHORED),
    ],
)
def test_p08_twice_on_the_day_of_a_late_endorsement_is_one(late):
    """In grace or re-anchored, a repeated request changes nothing."""
    given(issued(ISSUED), late).when(endorse(late.fields["endorsed_on"])).then_nothing()


def test_p08_a_late_endorsement_is_not_repeated_within_the_grace_days():
    """Through the last of the thirty; after that it is early."""
    late = given(issued(ISSUED), endorsed(ANNIVERSARY, ISSUED, 2, IN_GRACE))

    late.when(endorse(LAST_OF_GRACE)).then_nothing()
    late.when(endorse(LAST_OF_GRACE + timedelta(days=1))).refused(TooEarlyToEndorse)


def test_p08_the_next_year_is_another_endorsement():
    """One event for each year."""
    permit = (
        given(issued(ISSUED), endorsed(date(2026, 3, 1), ISSUED, 2))
        .when(endorse(date(2027, 3, 1)))
        .then(endorsed(date(2027, 3, 1), ISSUED, 3))
    )
    assert permit.endorsements == 2


@pytest.mark.parametrize("presented", [CARD, RECEIPT])
@pytest.mark.parametrize("day", [date(2026, 3, 1), date(2026, 9, 1)])
def test_p09_a_lost_card_is_reissued_first(presented, day):
    """In the window or overdue, whatever is presented."""
    (
        given(issued(ISSUED), loss_reported(day))
        .when(endorse(day, presented))
        .refused(ReissueFirst, code="REISSUE_FIRST")
    )


def test_p09_one_visit_can_reissue_and_endorse():
    """The receipt for the new card counts as the card."""
    visit = date(2026, 3, 1)
    (
        given(issued(ISSUED), loss_reported(visit), reissued(visit))
        .when(endorse(visit, RECEIPT))
        .then(endorsed(visit, ISSUED, 2, presented=RECEIPT))
    )


def test_p09_a_receipt_needs_a_reissue():
    """There is no receipt for a card that was never reissued."""
    given(issued(ISSUED)).when(endorse(date(2026, 3, 1), RECEIPT)).refused(ReissueFirst)


@pytest.mark.parametrize("late", [ANNIVERSARY, LAST_OF_GRACE])
def test_p10_in_grace_use_is_restored_and_the_anchor_stays(standing, late):
    """Thirty days after the anniversary, counted from it [J]."""
    overdue = given(issued(ISSUED), claimed(ISSUED))
    assert PermitStatus.USE_SUSPENDED is standing(overdue.aggregate, late).status

    permit = overdue.when(endorse(late)).then(endorsed(late, ISSUED, 2, IN_GRACE))

    assert PermitStatus.IN_FORCE is standing(permit, late).status
    assert standing(permit, late).electronic_effective


@pytest.mark.parametrize("late", [date(2026, 5, 1), date(2029, 2, 28)])
def test_p10_after_grace_the_years_start_again(standing, late):
    """[N10] Use is restored from the day of the visit, which is the new anchor."""
    permit = (
        given(issued(ISSUED), claimed(ISSUED))
        .when(endorse(late))
        .then(endorsed(late, late, 1, RE_ANCHORED))
    )

    assert Term(late, 1) == permit.term
    assert late == standing(permit, late).valid_from
    assert standing(permit, late).electronic_effective
    assert permit.issued_on == ISSUED


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (date(2025, 3, 30), endorsed(date(2025, 3, 30), date(2024, 2, 29), 2, IN_GRACE)),
        (date(2025, 3, 31), endorsed(date(2025, 3, 31), date(2025, 3, 31), 1, RE_ANCHORED)),
    ],
)
def test_p10_the_leap_day_permit_has_grace_through_30_march(late, expected):
    """The anchor stays on 30 March and moves on the 31st."""
    given(issued(date(2024, 2, 29))).when(endorse(late)).then(expected)


@pytest.mark.parametrize("days_overdue", [0, 1, 30])
def test_p10_the_national_regulations_know_no_grace(national, days_overdue):
    """[N10] From the first overdue day on, the years start again."""
    late = ANNIVERSARY + timedelta(days=days_overdue)
    (
        given(issued(ISSUED))
        .when(endorse(late, under=national))
        .then(endorsed(late, late, 1, RE_ANCHORED, policy_version="national-2016.1"))
    )


@pytest.mark.parametrize("presented", CardPresented)
@pytest.mark.parametrize("day", [ISSUED, date(2026, 3, 1), date(2026, 9, 1)])
@pytest.mark.parametrize("end", [cancelled(ISSUED), voided(ISSUED)], ids=["cancelled", "voided"])
def test_p11_an_ended_permit_is_not_endorsed(end, day, presented):
    """Cancelled or voided, in every part of the year, with every card."""
    (
        given(issued(ISSUED), replaced(ISSUED), end)
        .when(endorse(day, presented))
        .refused(PermitEnded, code="PERMIT_ENDED")
    )
