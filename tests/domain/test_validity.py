"""The two times of every event: since when it is true, and when it was recorded."""

from datetime import date, datetime, time, timedelta

import pytest

from domain.calendar import SHANGHAI
from domain.endorsement import EndorsementKind
from domain.events import (
    BEGINNING,
    EVENTS,
    AddressChanged,
    CardReportedLost,
    IdentityCorrected,
    PermitEndorsed,
    PermitEvent,
    PermitIssued,
)
from domain.person import Residence
from domain.personal import ERASED
from domain.standing import ElectronicStatus, PermitStatus, PhysicalStatus
from domain.timeline import bands
from domain.validity import History
from tests.domain.scenario import (
    IDENTITY,
    address_changed,
    cancelled,
    claimed,
    endorsed,
    given,
    identity_corrected,
    issued,
    loss_lifted,
    loss_reported,
    reissued,
    replaced,
    voided,
)
from tests.ledger.examples import EXAMPLES

ISSUED = date(2025, 3, 31)
HOME, SECOND, THIRD = (Residence("320211", f"测试路{n}号") for n in (1, 2, 3))
TRUE_FROM_DAY = {
    PermitIssued: date(2024, 2, 28),
    PermitEndorsed: date(2026, 11, 23),
    AddressChanged: date(2026, 11, 1),
    CardReportedLost: date(2026, 11, 20),
}
"""Of the examples; all others but one are true from their recording."""


def noon(day):
    return datetime.combine(day, time(12), SHANGHAI)


def midnight(day):
    return datetime.combine(day, time(), SHANGHAI)


def history_of(*happened, **changes):
    """The history of a permit issued on ISSUED, with these changes, and of these events."""
    return History(given(issued(ISSUED, **changes), *happened).events)


def permit_at(history, at, known_at):
    """The permit at noon of a day, as known at noon of another."""
    return history.as_of(noon(at), history.known_by(noon(known_at)))


@pytest.mark.parametrize(
    "event",
    [event for event in EXAMPLES if isinstance(event, PermitEvent)],
    ids=lambda event: event.TOPIC,
)
def test_an_event_is_true_from_its_own_day_or_from_its_recording(event):
    """A correction alone from the beginning: a name was wrong on every day."""
    recorded_at = noon(date(2027, 1, 1))
    from_own_day = {kind: midnight(day) for kind, day in TRUE_FROM_DAY.items()}
    expected = {**from_own_day, IdentityCorrected: BEGINNING}

    assert expected.get(type(event), recorded_at) == (event.true_from or recorded_at)


def test_every_event_has_an_example():
    """So that the test above judges it."""
    assert set(EVENTS) <= {type(event) for event in EXAMPLES}


def test_a_loss_that_was_reported_late_was_true_before_it_was_known():
    """Between the two days the answer depends on when it is read."""
    lost, reported = date(2025, 8, 1), date(2025, 8, 20)
    history = history_of(loss_reported(reported, lost_on=lost))
    between = date(2025, 8, 10)

    assert permit_at(history, between, between).standing.physical_effective
    assert not permit_at(history, between, reported).standing.physical_effective
    assert permit_at(history, date(2025, 7, 31), reported).standing.physical_effective
    assert not history.as_of(midnight(lost), 2).standing.physical_effective
    assert permit_at(history, between, reported).standing.electronic_status is (
        ElectronicStatus.UNCLAIMED
    )


def test_a_loss_of_unknown_day_is_true_from_its_report():
    """To the second."""
    reported = date(2025, 8, 20)
    history = history_of(loss_reported(reported))

    before = history.as_of(noon(reported) - timedelta(seconds=1), 2)
    assert before.standing.physical_effective
    assert not permit_at(history, reported, reported).standing.physical_effective


def test_a_card_is_not_lost_before_it_was_made():
    """The holder is mistaken about the day: the new card is the lost one, and stays lost."""
    history = history_of(
        replaced(date(2025, 8, 1)),
        loss_reported(date(2025, 8, 20), serial=2, lost_on=date(2025, 7, 1)),
    )

    assert noon(date(2025, 8, 1)) == history.true_from(3)
    assert permit_at(history, date(2025, 7, 15), date(2025, 9, 1)).standing.physical_effective
    after = permit_at(history, date(2025, 9, 1), date(2025, 9, 1)).standing
    assert (2, PhysicalStatus.REPORTED_LOST) == (after.facts.card.serial, after.physical_status)


def test_a_card_that_was_found_is_not_lost_from_before():
    """A second loss begins after the first one ended."""
    history = history_of(
        loss_reported(date(2025, 8, 1)),
        loss_lifted(date(2025, 8, 5)),
        loss_reported(date(2025, 8, 20), lost_on=date(2025, 7, 1)),
    )

    today = date(2025, 9, 1)
    assert PhysicalStatus.REPORTED_LOST is permit_at(history, today, today).standing.physical_status


def test_a_corrected_name_is_true_from_the_issue_and_the_card_stale_from_the_correction():
    """Who it was is corrected from the issue on; the card had its effect until then."""
    corrected = date(2025, 8, 20)
    history = history_of(identity_corrected(corrected, name="欧阳改名"))
    before = date(2025, 4, 1)

    assert IDENTITY.name == permit_at(history, before, before).permit.identity.name
    then = permit_at(history, before, corrected)
    assert ("欧阳改名", True) == (then.permit.identity.name, then.standing.physical_effective)
    assert permit_at(history, corrected, corrected).permit.card.identity_stale


@pytest.mark.parametrize(
    ("outdates_card", "effective", "uncertain"),
    [
        (False, True, ()),
        (True, False, ()),
        (None, False, ("identity_stale", "physical.effective")),
    ],
    ids=["not on the card", "on the card", "an earlier version"],
)
def test_a_card_after_a_correction_whose_fields_are_erased(outdates_card, effective, uncertain):
    """What is in the clear holds; what an earlier version kept sealed is lost, and a new card ends
    the doubt."""
    corrected, renewed = date(2025, 8, 20), date(2025, 9, 1)
    fields = ("name", "citizen_id_number", "sex", "birth_date", "hukou_address")
    history = history_of(
        identity_corrected(corrected, **dict.fromkeys(fields, ERASED), outdates_card=outdates_card),
        replaced(renewed),
    )

    then = permit_at(history, corrected, corrected)
    assert (effective, uncertain) == (then.standing.physical_effective, then.uncertain)
    after = permit_at(history, renewed, renewed)
    assert (True, ()) == (after.standing.physical_effective, after.uncertain)


def test_moves_are_in_the_order_in_which_people_moved():
    """Though reported in another: the later move is where they live."""
    history = history_of(
        address_changed(date(2025, 8, 20), THIRD, date(2025, 8, 1)),
        address_changed(date(2025, 9, 1), SECOND, date(2025, 6, 1)),
        residence=HOME,
    )

    def home(at, known_at):
        return permit_at(history, at, known_at).permit.residence

    assert [HOME, HOME, THIRD] == [
        home(date(2025, month, 15), date(2025, 8, 21)) for month in (5, 7, 8)
    ]
    assert [HOME, SECOND, THIRD] == [
        home(date(2025, month, 15), date(2025, 9, 2)) for month in (5, 7, 8)
    ]


def test_nothing_is_true_of_a_permit_before_its_issue():
    """A move before it is where the holder lived when it was issued."""
    history = history_of(
        address_changed(date(2025, 8, 20), SECOND, date(2025, 1, 1)), residence=HOME
    )

    assert permit_at(history, date(2025, 3, 30), date(2025, 9, 1)) is None
    assert SECOND == history.as_of(midnight(ISSUED), 2).permit.residence


def test_p24_a_voided_permit_was_in_force_until_the_discovery():
    """[N18] Whatever is known later."""
    history = history_of(voided(date(2025, 8, 20)))

    assert PermitStatus.IN_FORCE is (
        permit_at(history, date(2025, 8, 19), date(2026, 1, 1)).standing.status
    )
    assert PermitStatus.VOIDED is (
        permit_at(history, date(2025, 8, 20), date(2026, 1, 1)).standing.status
    )


def test_the_anniversary_suspends_without_an_event():
    """It follows from the date that is asked for."""
    history = history_of()

    assert PermitStatus.IN_FORCE is (
        history.as_of(midnight(date(2026, 3, 31)) - timedelta(seconds=1), 1).standing.status
    )
    assert PermitStatus.USE_SUSPENDED is (
        history.as_of(midnight(date(2026, 3, 31)), 1).standing.status
    )


def test_a_clock_that_went_back_makes_no_event_known_before_the_one_it_follows():
    """The order of the log is the order in which things became known."""
    skewed = History(given(issued(date(2025, 10, 1)), cancelled(date(2025, 9, 1))).events)

    assert 0 == skewed.known_by(noon(date(2025, 9, 15)))
    assert 2 == skewed.known_by(noon(date(2025, 10, 1)))


def test_the_version_is_the_newest_that_the_state_is_made_of():
    """An event that was true later is not in it, though it is known."""
    history = history_of(loss_reported(date(2025, 8, 20), lost_on=date(2025, 8, 1)))

    assert (1, 2) == (
        permit_at(history, date(2025, 7, 1), date(2025, 9, 1)).standing.facts.version,
        permit_at(history, date(2025, 8, 2), date(2025, 9, 1)).standing.facts.version,
    )


# -- over time ---------------------------------------------------------------------------------


def test_a_timeline_shows_both_tracks_in_bands():
    """Lost, suspended by the date alone, endorsed late, ended: one band each."""
    lost, reported = date(2026, 3, 1), date(2026, 3, 10)
    history = history_of(
        claimed(date(2025, 6, 1)),
        loss_reported(reported, lost_on=lost),
        reissued(date(2026, 4, 10)),
        endorsed(date(2026, 4, 20), ISSUED, 2, EndorsementKind.IN_GRACE),
        cancelled(date(2026, 6, 1)),
    )

    found = bands(history, len(history.events))

    active, suspended = ElectronicStatus.ACTIVE, ElectronicStatus.USE_SUSPENDED
    issued, missing = PhysicalStatus.ISSUED, PhysicalStatus.REPORTED_LOST
    assert [
        (midnight(ISSUED), issued, True, ElectronicStatus.UNCLAIMED, False),
        (noon(date(2025, 6, 1)), issued, True, active, True),
        (midnight(lost), missing, False, active, True),
        (midnight(date(2026, 3, 31)), missing, False, suspended, False),
        (noon(date(2026, 4, 10)), issued, False, suspended, False),
        (midnight(date(2026, 4, 20)), issued, True, active, True),
        (noon(date(2026, 6, 1)), PhysicalStatus.ENDED, False, ElectronicStatus.ENDED, False),
    ] == [
        (
            band.since,
            band.states.physical,
            band.states.physical_effective,
            band.states.electronic,
            band.states.electronic_effective,
        )
        for band in found
    ]
    assert [band.since for band in found[1:]] + [None] == [band.until for band in found]


def test_a_timeline_goes_on_to_the_suspension_that_will_come():
    """As long as there is no endorsement."""
    assert [midnight(ISSUED), midnight(date(2026, 3, 31))] == [
        band.since for band in bands(history_of(), 1)
    ]
