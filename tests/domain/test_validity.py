"""Two times of every event: since when it is true, and since when it is known."""

from datetime import date, datetime, time, timedelta

import pytest

from domain.calendar import SHANGHAI
from domain.events import EVENTS, CancellationReason, CardPresented, PermitEvent, ReplacementReason
from domain.person import Residence
from domain.standing import ElectronicStatus, PermitStatus, PhysicalStatus
from domain.timeline import bands
from domain.validity import TRUE_FROM, History
from tests.ledger.examples import EXAMPLES

ISSUED = date(2025, 3, 31)
HOME, SECOND, THIRD = (Residence("320211", f"测试路{n}号") for n in (1, 2, 3))
FINDING = "就业证明系伪造"
MIDNIGHT_OF = {
    "PermitIssued": date(2024, 2, 28),
    "PermitEndorsed": date(2026, 11, 23),
    "AddressChanged": date(2026, 11, 1),
    "CardReportedLost": date(2026, 11, 20),
}
"""Of the examples; all others but one are true from their recording."""


def noon(day):
    return datetime.combine(day, time(12), SHANGHAI)


def midnight(day):
    return datetime.combine(day, time(), SHANGHAI)


@pytest.fixture
def live(issue, on):
    """``live((day, command, arguments…), …)``: the history of a permit issued on ISSUED."""

    def live(*acts, **changes):
        permit = issue(ISSUED, **changes)
        for day, command, *arguments in acts:
            if command == "report_loss":
                permit.report_loss(on(day), *arguments)
                continue
            named = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
            getattr(permit, command)(*arguments, context=on(day), **named)
        return History(permit.collect_events())

    return live


def looked(history, at, known_at):
    """The permit at noon of a day, as known at noon of another."""
    return history.as_of(noon(at), history.known_by(noon(known_at)))


def test_every_event_says_since_when_it_is_true():
    """A new one can't be forgotten."""
    assert set(EVENTS) == set(TRUE_FROM)


@pytest.mark.parametrize(
    "event",
    [event for event in EXAMPLES if isinstance(event, PermitEvent)],
    ids=lambda event: event.TOPIC,
)
def test_an_event_is_true_from_its_own_day_or_from_its_recording(event):
    """A correction alone from the beginning: a name was wrong on every day."""
    kind, recorded_at = type(event), noon(date(2027, 1, 1))
    true_from = TRUE_FROM[kind](event, recorded_at)

    if kind.__name__ == "IdentityCorrected":
        assert true_from.year == 1
    elif kind.__name__ in MIDNIGHT_OF:
        assert midnight(MIDNIGHT_OF[kind.__name__]) == true_from
    else:
        assert recorded_at == true_from


def test_a_loss_that_was_reported_late_was_true_before_it_was_known(live):
    """Between the two days the answer depends on when one asks."""
    lost, reported = date(2025, 8, 1), date(2025, 8, 20)
    history = live((reported, "report_loss", lost))
    between = date(2025, 8, 10)

    assert looked(history, between, between).standing.physical_effective
    assert not looked(history, between, reported).standing.physical_effective
    assert looked(history, date(2025, 7, 31), reported).standing.physical_effective
    assert not history.as_of(midnight(lost), 2).standing.physical_effective
    assert looked(history, between, reported).standing.electronic_status is (
        ElectronicStatus.UNCLAIMED
    )


def test_a_loss_whose_day_nobody_knows_is_true_from_its_report(live):
    """To the second."""
    reported = date(2025, 8, 20)
    history = live((reported, "report_loss"))

    before = history.as_of(noon(reported) - timedelta(seconds=1), 2)
    assert before.standing.physical_effective
    assert not looked(history, reported, reported).standing.physical_effective


def test_a_card_is_not_lost_before_it_was_made(live):
    """The holder errs in the day: the new card is the lost one, and stays lost."""
    history = live(
        (date(2025, 8, 1), "replace", ReplacementReason.OFFICE_ERROR, {"old_card_returned": True}),
        (date(2025, 8, 20), "report_loss", date(2025, 7, 1)),
    )

    assert noon(date(2025, 8, 1)) == history.true_from(3)
    assert looked(history, date(2025, 7, 15), date(2025, 9, 1)).standing.physical_effective
    after = looked(history, date(2025, 9, 1), date(2025, 9, 1)).standing
    assert (2, PhysicalStatus.REPORTED_LOST) == (after.facts.card.serial, after.physical_status)


def test_a_card_that_was_found_is_not_lost_from_before(live):
    """A second loss begins after the first one ended."""
    history = live(
        (date(2025, 8, 1), "report_loss"),
        (date(2025, 8, 5), "lift_loss"),
        (date(2025, 8, 20), "report_loss", date(2025, 7, 1)),
    )

    today = date(2025, 9, 1)
    assert PhysicalStatus.REPORTED_LOST is looked(history, today, today).standing.physical_status


def test_a_name_was_wrong_all_the_time_and_the_card_stale_since_it_is_known(live, identity):
    """Who it was is corrected from the issue on; the card had its effect until then."""
    corrected = date(2025, 8, 20)
    history = live(
        (
            corrected,
            "correct_identity",
            {"name": "欧阳改名", "citizen_id_number": None, "hukou_address": None},
        )
    )
    before = date(2025, 4, 1)

    assert identity().name == looked(history, before, before).permit.identity.name
    then = looked(history, before, corrected)
    assert ("欧阳改名", True) == (then.permit.identity.name, then.standing.physical_effective)
    assert looked(history, corrected, corrected).permit.card.identity_stale


def test_moves_are_in_the_order_in_which_people_moved(live):
    """Told in another: the later move is where they live."""
    history = live(
        (date(2025, 8, 20), "change_address", THIRD, date(2025, 8, 1)),
        (date(2025, 9, 1), "change_address", SECOND, date(2025, 6, 1)),
        residence=HOME,
    )

    def home(at, known_at):
        return looked(history, at, known_at).permit.residence

    assert [HOME, HOME, THIRD] == [
        home(date(2025, month, 15), date(2025, 8, 21)) for month in (5, 7, 8)
    ]
    assert [HOME, SECOND, THIRD] == [
        home(date(2025, month, 15), date(2025, 9, 2)) for month in (5, 7, 8)
    ]


def test_nothing_is_true_of_a_permit_before_its_issue(live):
    """A move before it is where the holder lived when it was issued."""
    history = live((date(2025, 8, 20), "change_address", SECOND, date(2025, 1, 1)), residence=HOME)

    assert looked(history, date(2025, 3, 30), date(2025, 9, 1)) is None
    assert SECOND == history.as_of(midnight(ISSUED), 2).permit.residence


def test_p24_a_voided_permit_was_in_force_until_it_was_found_out(live):
    """[N18] Whatever is known later."""
    history = live((date(2025, 8, 20), "void", FINDING))

    assert PermitStatus.IN_FORCE is (
        looked(history, date(2025, 8, 19), date(2026, 1, 1)).standing.status
    )
    assert PermitStatus.VOIDED is (
        looked(history, date(2025, 8, 20), date(2026, 1, 1)).standing.status
    )


def test_a_day_that_nobody_recorded_suspends_all_the_same(live):
    """Date arithmetic at the instant that is asked for."""
    history = live()

    assert PermitStatus.IN_FORCE is (
        history.as_of(midnight(date(2026, 3, 31)) - timedelta(seconds=1), 1).standing.status
    )
    assert PermitStatus.USE_SUSPENDED is (
        history.as_of(midnight(date(2026, 3, 31)), 1).standing.status
    )


def test_a_clock_that_went_back_makes_no_event_known_before_the_one_it_follows(live):
    """The order of the log is the order in which things became known."""
    history = live(
        (date(2025, 9, 1), "cancel", CancellationReason.MOVED_AWAY),
    )
    issued, cancelled = history.events
    late = type(issued)(**{**vars(issued), "timestamp": noon(date(2025, 10, 1))})
    skewed = History([late, cancelled])

    assert 0 == skewed.known_by(noon(date(2025, 9, 15)))
    assert 2 == skewed.known_by(noon(date(2025, 10, 1)))


def test_the_version_is_the_newest_that_the_state_is_made_of(live):
    """What was true later is not in it, though it is known."""
    history = live((date(2025, 8, 20), "report_loss", date(2025, 8, 1)))

    assert (1, 2) == (
        looked(history, date(2025, 7, 1), date(2025, 9, 1)).standing.facts.version,
        looked(history, date(2025, 8, 2), date(2025, 9, 1)).standing.facts.version,
    )


# -- over time ---------------------------------------------------------------------------------


def test_a_timeline_shows_both_tracks_in_bands(live, phone, face_match):
    """Lost, suspended without anybody's doing, endorsed late, ended: one band each."""
    lost, reported = date(2026, 3, 1), date(2026, 3, 10)
    history = live(
        (date(2025, 6, 1), "claim", phone(1), face_match, {"confirmed": True}),
        (reported, "report_loss", lost),
        (date(2026, 4, 10), "reissue"),
        (date(2026, 4, 20), "endorse", CardPresented.REISSUE_RECEIPT),
        (date(2026, 6, 1), "cancel", CancellationReason.MOVED_AWAY),
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
            band.look.physical,
            band.look.physical_effective,
            band.look.electronic,
            band.look.electronic_effective,
        )
        for band in found
    ]
    assert [band.since for band in found[1:]] + [None] == [band.until for band in found]


def test_a_timeline_goes_on_to_the_suspension_that_will_come(live):
    """Unless somebody endorses."""
    assert [midnight(ISSUED), midnight(date(2026, 3, 31))] == [
        band.since for band in bands(live(), 1)
    ]
