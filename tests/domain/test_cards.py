"""P12-P17: cards lost, found, reissued and replaced."""

from datetime import date

import pytest

from domain.calendar import Term
from domain.card import Card
from domain.errors import InvalidDetails, NotReportedLost, OldCardNotReturned, ReissueFirst
from domain.events import (
    CardDelivered,
    CardPresented,
    CardReissued,
    CardReplaced,
    CardReportedLost,
    LossLifted,
    ReplacementReason,
)
from domain.standing import ElectronicStatus, PhysicalStatus
from domain.verification import Reason, Verdict, verify_card

ISSUED = date(2025, 3, 31)
TODAY = date(2025, 9, 1)
OVERDUE = date(2026, 9, 1)


def test_p12_a_lost_card_has_no_effect_and_the_phone_keeps_its_own(
    given_permit, on, when, standing
):
    """[W5] From the report on, the same day."""
    permit = given_permit(ISSUED, claimed=True)

    [event] = when(permit.report_loss, on(TODAY))

    assert (CardReportedLost, TODAY, 1) == (type(event), event.reported_on, event.card_serial)
    after = standing(permit, TODAY)
    assert PhysicalStatus.REPORTED_LOST is after.physical_status
    assert not after.physical_effective
    assert ElectronicStatus.ACTIVE is after.electronic_status
    assert after.electronic_effective


def test_p12_a_second_report_changes_nothing(given_permit, on, when):
    """The loss is on record already."""
    permit = given_permit(ISSUED)

    assert len(when(permit.report_loss, on(TODAY))) == 1
    assert when(permit.report_loss, on(TODAY)) == []


def test_p13_a_loss_is_recorded_while_use_is_suspended(given_permit, on, when, standing):
    """The e-permit was suspended and stays so."""
    permit = given_permit(ISSUED, claimed=True)

    [event] = when(permit.report_loss, on(OVERDUE))

    assert CardReportedLost is type(event)
    after = standing(permit, OVERDUE)
    assert PhysicalStatus.REPORTED_LOST is after.physical_status
    assert ElectronicStatus.USE_SUSPENDED is after.electronic_status
    assert not after.electronic_effective


def test_p14_found_before_a_reissue_the_card_is_effective_again(given_permit, on, when, standing):
    """Same serial, same card."""
    permit = given_permit(ISSUED)
    before = permit.card
    permit.report_loss(on(TODAY))

    [event] = when(permit.lift_loss, on(TODAY))

    assert (LossLifted, TODAY, 1) == (type(event), event.lifted_on, event.card_serial)
    assert before == permit.card
    assert standing(permit, TODAY).physical_effective


def test_p14_found_after_a_reissue_the_old_serial_stays_dead(given_permit, on, standing):
    """There is no loss left to lift, and the old card is superseded for ever."""
    permit = given_permit(ISSUED)
    permit.report_loss(on(TODAY))
    permit.reissue(on(TODAY))

    with pytest.raises(NotReportedLost):
        permit.lift_loss(on(TODAY))

    assert Verdict(Reason.SUPERSEDED_CARD) == verify_card(standing(permit, TODAY), 1)
    assert Verdict(None) == verify_card(standing(permit, TODAY), 2)


def test_p14_what_was_not_lost_is_not_found(given_permit, on):
    """Lifting needs a report."""
    with pytest.raises(NotReportedLost):
        given_permit(ISSUED).lift_loss(on(TODAY))


def test_p15_a_reissue_gives_the_next_serial_to_both_tracks(given_permit, on, when, standing):
    """[W5] One event: the new card is in force and the e-permit goes on in the same instant."""
    permit = given_permit(ISSUED, claimed=True)
    permit.report_loss(on(TODAY))

    [event] = when(permit.reissue, on(TODAY))

    assert (CardReissued, 2) == (type(event), event.card_serial)
    assert Card(serial=2, due_on=date(2025, 9, 16)) == permit.card
    after = standing(permit, TODAY)
    assert after.physical_effective
    assert after.electronic_effective


def test_p15_a_damaged_card_is_replaced_against_the_old_one(given_permit, on, when):
    """Refused without it, done with it."""
    permit = given_permit(ISSUED)

    damaged, now = ReplacementReason.DAMAGED, on(TODAY)

    with pytest.raises(OldCardNotReturned) as refusal:
        permit.replace(damaged, old_card_returned=False, context=now)
    [event] = when(permit.replace, damaged, old_card_returned=True, context=now)

    assert refusal.value.code == "OLD_CARD_NOT_RETURNED"
    assert (CardReplaced, 2, True) == (type(event), event.card_serial, event.old_card_returned)


@pytest.mark.parametrize("returned", [True, False])
@pytest.mark.parametrize(
    "reason", [ReplacementReason.DETAILS_CHANGED, ReplacementReason.OFFICE_ERROR]
)
def test_p15_other_replacements_do_not_wait_for_the_old_card(
    given_permit, on, when, reason, returned
):
    """What was done with the old card is on record either way."""
    permit = given_permit(ISSUED)

    [event] = when(permit.replace, reason, old_card_returned=returned, context=on(TODAY))

    assert (reason, returned, 2) == (event.reason, event.old_card_returned, permit.card.serial)


def test_p15_a_lost_card_is_reissued_and_not_replaced(given_permit, on):
    """Nobody can hand in what is lost."""
    permit = given_permit(ISSUED)
    permit.report_loss(on(TODAY))

    with pytest.raises(ReissueFirst):
        permit.replace(ReplacementReason.DAMAGED, old_card_returned=True, context=on(TODAY))


@pytest.mark.parametrize("lost", [True, False])
def test_p16_a_new_card_never_moves_the_anchor(given_permit, on, lost):
    """Nor does it add a year."""
    permit, now = given_permit(ISSUED), on(OVERDUE)
    if lost:
        permit.report_loss(now)
        permit.reissue(now)
    else:
        permit.replace(ReplacementReason.DAMAGED, old_card_returned=True, context=now)

    assert (Term(ISSUED), 2) == (permit.term, permit.card.serial)


def test_p16_a_card_made_while_suspended_is_suspended(given_permit, on, standing):
    """Until the endorsement, which needs no further card."""
    permit = given_permit(ISSUED)
    permit.replace(ReplacementReason.DAMAGED, old_card_returned=True, context=on(OVERDUE))
    assert Verdict(Reason.USE_SUSPENDED) == verify_card(standing(permit, OVERDUE), 2)

    permit.endorse(CardPresented.CARD, on(OVERDUE))

    assert Verdict(None) == verify_card(standing(permit, OVERDUE), 2)


def test_p17_a_reissue_needs_a_loss_report(given_permit, on):
    """Also right after another reissue."""
    permit = given_permit(ISSUED)
    for _ in range(2):
        with pytest.raises(NotReportedLost, match="not reported lost"):
            permit.reissue(on(TODAY))
        permit.report_loss(on(TODAY))
        permit.reissue(on(TODAY))

    assert permit.card.serial == 3


def test_a_card_is_delivered_once(given_permit, on, when):
    """The day is on record, and a second delivery of the same card changes nothing."""
    permit = given_permit(ISSUED)

    [event] = when(permit.deliver_card, on(TODAY))

    assert (CardDelivered, 1, TODAY) == (type(event), event.card_serial, event.delivered_on)
    assert permit.card.delivered_on == TODAY
    assert when(permit.deliver_card, on(date(2025, 9, 2))) == []


def test_a_new_card_is_yet_to_be_delivered(given_permit, on, when):
    """Each serial has its own delivery."""
    permit = given_permit(ISSUED)
    permit.deliver_card(on(TODAY))
    permit.replace(ReplacementReason.DAMAGED, old_card_returned=True, context=on(TODAY))

    assert permit.card.delivered_on is None
    assert [event.card_serial for event in when(permit.deliver_card, on(TODAY))] == [2]


def test_p12_the_day_that_a_card_is_missing_since_stands_on_the_event(given_permit, on, when):
    """It is not the day of the report."""
    permit = given_permit(ISSUED)

    [event] = when(permit.report_loss, on(TODAY), date(2025, 8, 20))

    assert (TODAY, date(2025, 8, 20)) == (event.reported_on, event.lost_on)


@pytest.mark.parametrize("lost_on", [date(2025, 3, 30), date(2025, 9, 2)])
def test_p12_a_card_is_not_lost_before_its_issue_nor_ahead_of_time(given_permit, on, lost_on):
    """Neither can be true."""
    with pytest.raises(InvalidDetails) as refused:
        given_permit(ISSUED).report_loss(on(TODAY), lost_on)

    assert ["lost_on"] == [problem.field for problem in refused.value.problems]


@pytest.mark.parametrize("lost_on", [ISSUED, TODAY, None])
def test_p12_both_ends_of_the_span_are_days_like_others(given_permit, on, when, lost_on):
    """And nobody has to know the day."""
    [event] = when(given_permit(ISSUED).report_loss, on(TODAY), lost_on)

    assert lost_on == event.lost_on
