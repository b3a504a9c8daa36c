"""P12-P17: cards lost, found, reissued and replaced."""

from datetime import date

import pytest

from domain.calendar import Term
from domain.card import Card
from domain.errors import NotReportedLost, OldCardNotReturned, ReissueFirst
from domain.events import ReplacementReason
from domain.standing import ElectronicStatus, PhysicalStatus
from domain.verification import Reason, Verdict, verify_card
from tests.domain.scenario import (
    claimed,
    delivered,
    endorsed,
    given,
    issued,
    loss_lifted,
    loss_reported,
    on,
    reissued,
    replaced,
)

ISSUED = date(2025, 3, 31)
TODAY = date(2025, 9, 1)
OVERDUE = date(2026, 9, 1)
DAMAGED = ReplacementReason.DAMAGED


def report_loss(day=TODAY, lost_on=None):
    return lambda permit: permit.report_loss(on(day), lost_on)


def lift_loss(permit):
    permit.lift_loss(on(TODAY))


def reissue(permit):
    permit.reissue(on(TODAY))


def replace(reason=DAMAGED, *, returned=True, day=TODAY):
    return lambda permit: permit.replace(reason, old_card_returned=returned, context=on(day))


def deliver(permit):
    permit.deliver_card(on(TODAY))


def test_p12_a_lost_card_has_no_effect_and_the_phone_keeps_its_own(standing):
    """[W5] From the report on, the same day."""
    permit = given(issued(ISSUED), claimed(ISSUED)).when(report_loss()).then(loss_reported(TODAY))

    after = standing(permit, TODAY)
    assert PhysicalStatus.REPORTED_LOST is after.physical_status
    assert not after.physical_effective
    assert ElectronicStatus.ACTIVE is after.electronic_status
    assert after.electronic_effective


def test_p12_a_second_report_changes_nothing():
    """The loss is on record already."""
    given(issued(ISSUED), loss_reported(TODAY)).when(report_loss()).then_nothing()


@pytest.mark.parametrize("lost_on", [ISSUED, date(2025, 8, 20), TODAY, None])
def test_p12_the_day_of_the_loss_is_on_record_if_it_is_known(lost_on):
    """From the day of issue to the day of the report, both included."""
    (
        given(issued(ISSUED))
        .when(report_loss(lost_on=lost_on))
        .then(loss_reported(TODAY, lost_on=lost_on))
    )


@pytest.mark.parametrize("lost_on", [date(2025, 3, 30), date(2025, 9, 2)])
def test_p12_a_card_is_not_lost_before_its_issue_nor_in_the_future(lost_on):
    """Neither can be true."""
    given(issued(ISSUED)).when(report_loss(lost_on=lost_on)).invalid("lost_on")


def test_p13_a_loss_is_recorded_while_use_is_suspended(standing):
    """The e-permit was suspended and stays so."""
    permit = (
        given(issued(ISSUED), claimed(ISSUED))
        .when(report_loss(OVERDUE))
        .then(loss_reported(OVERDUE))
    )

    after = standing(permit, OVERDUE)
    assert PhysicalStatus.REPORTED_LOST is after.physical_status
    assert ElectronicStatus.USE_SUSPENDED is after.electronic_status
    assert not after.electronic_effective


def test_p14_found_before_a_reissue_the_card_is_effective_again(standing):
    """Same serial, same card."""
    permit = given(issued(ISSUED), loss_reported(TODAY)).when(lift_loss).then(loss_lifted(TODAY))

    assert given(issued(ISSUED)).aggregate.card == permit.card
    assert standing(permit, TODAY).physical_effective


def test_p14_found_after_a_reissue_the_old_serial_stays_dead(standing):
    """There is no loss left to lift, and the old card is superseded for ever."""
    after_reissue = given(issued(ISSUED), loss_reported(TODAY), reissued(TODAY))

    after_reissue.when(lift_loss).refused(NotReportedLost)

    permit = after_reissue.aggregate
    assert Verdict(Reason.SUPERSEDED_CARD) == verify_card(standing(permit, TODAY), 1)
    assert Verdict(None) == verify_card(standing(permit, TODAY), 2)


def test_p14_a_card_that_was_not_lost_is_not_found():
    """Lifting needs a report."""
    given(issued(ISSUED)).when(lift_loss).refused(NotReportedLost)


def test_p15_a_reissue_gives_the_next_serial_to_both_tracks(standing):
    """[W5] One event: the new card is in force and the e-permit goes on in the same instant."""
    permit = (
        given(issued(ISSUED), claimed(ISSUED), loss_reported(TODAY))
        .when(reissue)
        .then(reissued(TODAY, serial=2))
    )

    assert Card(serial=2, due_on=date(2025, 9, 16)) == permit.card
    after = standing(permit, TODAY)
    assert after.physical_effective
    assert after.electronic_effective


def test_p15_a_damaged_card_is_replaced_against_the_old_one():
    """Refused without it, done with it."""
    permit = given(issued(ISSUED))

    permit.when(replace(returned=False)).refused(OldCardNotReturned, code="OLD_CARD_NOT_RETURNED")
    permit.when(replace(returned=True)).then(replaced(TODAY, serial=2))


@pytest.mark.parametrize("returned", [True, False])
@pytest.mark.parametrize(
    "reason", [ReplacementReason.DETAILS_CHANGED, ReplacementReason.OFFICE_ERROR]
)
def test_p15_other_replacements_do_not_need_the_old_card(reason, returned):
    """Whether it was returned is on record either way."""
    (
        given(issued(ISSUED))
        .when(replace(reason, returned=returned))
        .then(replaced(TODAY, 2, reason, returned=returned))
    )


def test_p15_a_lost_card_is_reissued_and_not_replaced():
    """A lost card can't be handed in."""
    given(issued(ISSUED), loss_reported(TODAY)).when(replace()).refused(ReissueFirst)


@pytest.mark.parametrize(
    "new_card", [[loss_reported(OVERDUE), reissued(OVERDUE)], [replaced(OVERDUE)]]
)
def test_p16_a_new_card_never_moves_the_anchor(new_card):
    """Nor does it add a year."""
    permit = given(issued(ISSUED), *new_card).aggregate

    assert (Term(ISSUED), 2) == (permit.term, permit.card.serial)


def test_p16_a_card_made_while_suspended_is_suspended(standing):
    """Until the endorsement, which needs no further card."""
    history = [issued(ISSUED), replaced(OVERDUE)]
    suspended = standing(given(*history).aggregate, OVERDUE)
    in_force = standing(given(*history, endorsed(OVERDUE, OVERDUE, 1)).aggregate, OVERDUE)

    assert Verdict(Reason.USE_SUSPENDED) == verify_card(suspended, 2)
    assert Verdict(None) == verify_card(in_force, 2)


@pytest.mark.parametrize("history", [[], [loss_reported(TODAY), reissued(TODAY)]])
def test_p17_a_reissue_needs_a_loss_report(history):
    """Also right after another reissue."""
    refusal = given(issued(ISSUED), *history).when(reissue).refused(NotReportedLost)
    assert "not reported lost" in refusal.detail


def test_p17_each_reissue_has_the_next_serial():
    """Each after a report of its own."""
    (
        given(issued(ISSUED), loss_reported(TODAY), reissued(TODAY), loss_reported(TODAY, 2))
        .when(reissue)
        .then(reissued(TODAY, serial=3))
    )


def test_a_card_is_delivered_once():
    """The day is on record, and a second delivery of the same card changes nothing."""
    permit = given(issued(ISSUED)).when(deliver).then(delivered(TODAY))

    assert permit.card.delivered_on == TODAY
    given(issued(ISSUED), delivered(ISSUED)).when(deliver).then_nothing()


def test_a_new_card_is_yet_to_be_delivered():
    """Each serial has its own delivery."""
    new_card = given(issued(ISSUED), delivered(TODAY), replaced(TODAY))

    assert new_card.aggregate.card.delivered_on is None
    new_card.when(deliver).then(delivered(TODAY, serial=2))
