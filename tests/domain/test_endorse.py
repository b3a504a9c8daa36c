"""P6-P11: the yearly endorsement (签注)."""

from datetime import date, timedelta

import pytest

from domain.calendar import Term
from domain.endorsement import EndorsementKind
from domain.errors import PermitEnded, ReissueFirst, TooEarlyToEndorse
from domain.events import (
    CancellationReason,
    CardPresented,
    CardReissued,
    PermitEndorsed,
    ReplacementReason,
)
from domain.standing import PermitStatus

ISSUED = date(2025, 3, 31)
WINDOW_OPENS, LAST_DAY = date(2026, 2, 28), date(2026, 3, 30)
ANNIVERSARY, LAST_OF_GRACE = date(2026, 3, 31), date(2026, 4, 30)
CARD, RECEIPT = CardPresented.CARD, CardPresented.REISSUE_RECEIPT


@pytest.mark.parametrize("day", [ISSUED, date(2026, 2, 27)])
def test_p06_before_the_window_it_is_too_early(given_permit, on, day):
    """The refusal says when the window opens."""
    permit = given_permit(ISSUED)

    with pytest.raises(TooEarlyToEndorse, match="2026-02-28") as refusal:
        permit.endorse(CARD, on(day))

    assert refusal.value.opens == WINDOW_OPENS
    assert refusal.value.code == "TOO_EARLY"


@pytest.mark.parametrize("day", [ANNIVERSARY, date(2027, 2, 27)])
def test_p06_an_endorsed_permit_waits_for_its_next_window(given_permit, on, day):
    """Once the new year has begun, a visit is for the year after it."""
    permit = given_permit(ISSUED)
    permit.endorse(CARD, on(LAST_DAY))

    with pytest.raises(TooEarlyToEndorse, match="2027-02-28"):
        permit.endorse(CARD, on(day))


@pytest.mark.parametrize("day", [WINDOW_OPENS, date(2026, 3, 15), LAST_DAY])
def test_p07_in_the_window_both_tracks_extend_in_one_event(given_permit, on, when, standing, day):
    """A year from the anniversary, not from the visit, for the card and the phone alike."""
    permit = given_permit(ISSUED, claimed=True)

    [event] = when(permit.endorse, CARD, on(day))

    assert PermitEndorsed is type(event)
    assert (EndorsementKind.ON_TIME, day) == (event.kind, event.endorsed_on)
    assert Term(ISSUED, 2) == Term(event.anchor, event.years) == permit.term
    last_day = standing(permit, date(2027, 3, 30))
    assert date(2027, 3, 30) == last_day.valid_until
    assert last_day.physical_effective
    assert last_day.electronic_effective
    next_day = standing(permit, date(2027, 3, 31))
    assert not next_day.physical_effective
    assert not next_day.electronic_effective


@pytest.mark.parametrize("again", [date(2026, 3, 1), date(2026, 3, 2), LAST_DAY])
def test_p08_twice_in_the_window_is_one_endorsement(given_permit, on, when, again):
    """The second request finds its wish fulfilled."""
    permit = given_permit(ISSUED)
    permit.endorse(CARD, on(date(2026, 3, 1)))

    assert when(permit.endorse, CARD, on(again)) == []
    assert Term(ISSUED, 2) == permit.term


@pytest.mark.parametrize("late", [ANNIVERSARY, LAST_OF_GRACE, date(2026, 9, 1)])
def test_p08_twice_on_the_day_of_a_late_endorsement_is_one(given_permit, on, when, late):
    """In grace or re-anchored, a repeated request changes nothing."""
    permit = given_permit(ISSUED)
    permit.endorse(CARD, on(late))

    assert when(permit.endorse, CARD, on(late)) == []


def test_p08_a_late_endorsement_is_not_repeated_within_the_grace_days(given_permit, on, when):
    """Asked again the next day, and through the last of the thirty; after that it is early."""
    permit = given_permit(ISSUED)
    permit.endorse(CARD, on(ANNIVERSARY))

    assert [] == when(permit.endorse, CARD, on(LAST_OF_GRACE))
    with pytest.raises(TooEarlyToEndorse):
        permit.endorse(CARD, on(LAST_OF_GRACE + timedelta(days=1)))


def test_p08_the_next_year_is_another_endorsement(given_permit, on, when):
    """One event for each year."""
    permit = given_permit(ISSUED)
    permit.endorse(CARD, on(date(2026, 3, 1)))

    [event] = when(permit.endorse, CARD, on(date(2027, 3, 1)))

    assert event.years == 3
    assert permit.endorsements == 2


@pytest.mark.parametrize("presented", [CARD, RECEIPT])
@pytest.mark.parametrize("day", [date(2026, 3, 1), date(2026, 9, 1)])
def test_p09_a_lost_card_is_reissued_first(given_permit, on, presented, day):
    """In the window or overdue, whatever is presented."""
    permit = given_permit(ISSUED)
    permit.report_loss(on(day))

    with pytest.raises(ReissueFirst) as refusal:
        permit.endorse(presented, on(day))

    assert refusal.value.code == "REISSUE_FIRST"


def test_p09_one_visit_can_reissue_and_endorse(given_permit, on, when):
    """The receipt for the new card counts as the card."""
    permit = given_permit(ISSUED)
    visit = on(date(2026, 3, 1))
    permit.report_loss(visit)

    [reissued] = when(permit.reissue, visit)
    [endorsed] = when(permit.endorse, RECEIPT, visit)

    assert CardReissued is type(reissued)
    assert RECEIPT is endorsed.card_presented
    assert Term(ISSUED, 2) == permit.term


def test_p09_a_receipt_needs_a_reissue(given_permit, on):
    """Nobody has a receipt for a card that was never reissued."""
    permit = given_permit(ISSUED)

    with pytest.raises(ReissueFirst):
        permit.endorse(RECEIPT, on(date(2026, 3, 1)))


@pytest.mark.parametrize("late", [ANNIVERSARY, LAST_OF_GRACE])
def test_p10_in_grace_use_is_restored_and_the_anchor_stays(given_permit, on, when, standing, late):
    """Thirty days after the anniversary, counted from it [J]."""
    permit = given_permit(ISSUED, claimed=True)
    assert PermitStatus.USE_SUSPENDED is standing(permit, late).status

    [event] = when(permit.endorse, CARD, on(late))

    assert EndorsementKind.IN_GRACE is event.kind
    assert Term(ISSUED, 2) == permit.term
    assert PermitStatus.IN_FORCE is standing(permit, late).status
    assert standing(permit, late).electronic_effective


@pytest.mark.parametrize("late", [date(2026, 5, 1), date(2029, 2, 28)])
def test_p10_after_grace_the_years_start_again(given_permit, on, when, standing, late):
    """[N10] Use is restored from the day of the visit, which is the new anchor."""
    permit = given_permit(ISSUED, claimed=True)

    [event] = when(permit.endorse, CARD, on(late))

    assert EndorsementKind.RE_ANCHORED is event.kind
    assert Term(late, 1) == permit.term
    assert late == standing(permit, late).valid_from
    assert standing(permit, late).electronic_effective
    assert permit.issued_on == ISSUED


def test_p10_the_leap_day_permit_has_grace_through_30_march(given_permit, on):
    """The fixture of section 2: the anchor stays on 30 March and moves on the 31st."""
    in_grace, too_late = given_permit(date(2024, 2, 29)), given_permit(date(2024, 2, 29))

    in_grace.endorse(CARD, on(date(2025, 3, 30)))
    too_late.endorse(CARD, on(date(2025, 3, 31)))

    assert date(2024, 2, 29) == in_grace.term.anchor
    assert date(2025, 3, 31) == too_late.term.anchor


@pytest.mark.parametrize("days_overdue", [0, 1, 30])
def test_p10_the_national_regulations_know_no_grace(given_permit, on, when, national, days_overdue):
    """[N10] From the first overdue day on, the years start again."""
    permit = given_permit(ISSUED)
    late = ANNIVERSARY + timedelta(days=days_overdue)

    [event] = when(permit.endorse, CARD, on(late, under=national))

    assert EndorsementKind.RE_ANCHORED is event.kind
    assert Term(late, 1) == permit.term
    assert event.policy_version == "national-2016.1"


@pytest.mark.parametrize("day", [ISSUED, date(2026, 3, 1), date(2026, 9, 1)])
@pytest.mark.parametrize("ended_by", ["cancel", "void"])
def test_p11_an_ended_permit_is_not_endorsed(given_permit, on, day, ended_by):
    """Cancelled or voided, in every part of the year, with every card."""
    permit = given_permit(ISSUED)
    permit.replace(ReplacementReason.OFFICE_ERROR, old_card_returned=True, context=on(ISSUED))
    if ended_by == "cancel":
        permit.cancel(CancellationReason.MOVED_AWAY, on(ISSUED))
    else:
        permit.void("forged proof of employment", on(ISSUED))

    for presented in CardPresented:
        with pytest.raises(PermitEnded) as refusal:
            permit.endorse(presented, on(day))
        assert refusal.value.code == "PERMIT_ENDED"
