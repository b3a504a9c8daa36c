"""P23, P24: the end of a permit."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from domain.data_protection import lift_restriction, restrict
from domain.errors import OtherDistrict, PermitEnded, Refused, TooManyToday
from domain.events import CancellationReason
from domain.person import Residence
from domain.policy import Ending
from domain.standing import ElectronicStatus, PermitStatus, PhysicalStatus
from domain.verification import Reason, Verdict, verify_card
from tests.domain.scenario import (
    COMMANDS,
    FINDING,
    ORDER,
    POLICY,
    address_changed,
    cancelled,
    claimed,
    given,
    issued,
    on,
    voided,
)

ISSUED = date(2025, 3, 31)
TODAY = date(2025, 9, 1)


def void(finding):
    return lambda permit: permit.void(finding, on(TODAY))


@pytest.mark.parametrize("reason", CancellationReason)
def test_p23_cancelling_ends_both_tracks_at_once(standing, reason):
    """History stays: the term, the card and the phones are still on record."""
    in_force = given(issued(ISSUED), claimed(ISSUED))
    term, devices = in_force.aggregate.term, in_force.aggregate.devices

    permit = in_force.when(lambda permit: permit.cancel(reason, on(TODAY))).then(
        cancelled(TODAY, reason)
    )

    after = standing(permit, TODAY)
    assert PermitStatus.ENDED is after.status
    assert (after.physical_status, after.physical_effective) == (PhysicalStatus.ENDED, False)
    assert (after.electronic_status, after.electronic_effective) == (ElectronicStatus.ENDED, False)
    assert (term, devices) == (permit.term, permit.devices)


def test_p24_a_voided_permit_is_void_from_discovery(standing):
    """[N18] Both tracks end; the finding is on record."""
    permit = (
        given(issued(ISSUED), claimed(ISSUED))
        .when(void(" forged proof of employment\n"))
        .then(voided(TODAY, "forged proof of employment"))
    )

    after = standing(permit, TODAY)
    assert PermitStatus.VOIDED is after.status
    assert Verdict(Reason.VOIDED) == verify_card(after, 1)
    assert not after.electronic_effective


@pytest.mark.parametrize("finding", ["伪", "伪" * 2000])
def test_p24_a_finding_has_up_to_2000_characters(finding):
    """Both bounds included."""
    given(issued(ISSUED)).when(void(finding)).then(voided(TODAY, finding))


@pytest.mark.parametrize("finding", ["", " \n", "伪" * 2001])
def test_p24_voiding_needs_a_finding(finding):
    """A stated reason of bounded length."""
    given(issued(ISSUED)).when(void(finding)).invalid("finding")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("end", [cancelled(TODAY), voided(TODAY)], ids=["cancelled", "voided"])
def test_p23_p24_no_event_follows_the_end(end, command):
    """Each command is refused; a holder who returns gets a new permit."""
    (
        given(issued(ISSUED), claimed(ISSUED), end)
        .when(lambda permit: COMMANDS[command](permit, on(TODAY)))
        .refused(PermitEnded)
    )


# -- by which station ----------------------------------------------------------------------------

DECEASED = CancellationReason.DECEASED
ELSEWHERE = "320281-03"
MOVED = Residence("320213", "崇安新村2号")
OUTSIDE = Residence("320508", "平江路3号")


def cancel_at(station, reason=DECEASED, under=POLICY):
    return lambda permit: permit.cancel(reason, on(TODAY, under, station=station))


def void_at(station, under=POLICY):
    return lambda permit: permit.void(FINDING, on(TODAY, under, station=station))


@pytest.mark.parametrize("end", [cancel_at, void_at])
@pytest.mark.parametrize("station", [ELSEWHERE, "999999-99", "320211", None])
def test_an_end_without_a_visit_is_refused_to_another_district(end, station):
    """[D] A death, a fraud: recorded where the holder lives."""
    given(issued(ISSUED)).when(end(station)).refused(OtherDistrict, code="OTHER_DISTRICT")


@pytest.mark.parametrize("station", ["320211-01", "320211-12"])
def test_any_station_of_the_own_district_records_it(station):
    permit = given(issued(ISSUED)).aggregate
    cancel_at(station)(permit)

    assert permit.end


@pytest.mark.parametrize("reason", sorted({*CancellationReason} - {DECEASED}))
def test_an_end_at_the_holders_wish_is_recorded_anywhere(reason):
    """The holder comes to the counter."""
    permit = given(issued(ISSUED)).aggregate
    cancel_at(ELSEWHERE, reason)(permit)

    assert permit.end


MOVED_ON = TODAY - timedelta(days=POLICY.move_settles_days)


def test_the_district_is_that_of_the_residence_now():
    """After a move it is the new one; a retired division counts as its successor."""
    moved = [issued(ISSUED), address_changed(MOVED_ON, MOVED, MOVED_ON)]
    given(*moved).when(void_at("320211-01")).refused(OtherDistrict)
    retired = issued(ISSUED, residence=Residence("320202", "学前街1号"))
    for history in (moved, [retired]):
        permit = given(*history).aggregate
        void_at("320213-04")(permit)
        assert permit.end


def test_a_move_does_not_bring_an_end_to_the_own_district_at_once():
    """However long ago it is said to have been, and through however many districts: the residence
    that has been on record for a month counts."""
    long_ago = date(2025, 4, 1)
    recent = MOVED_ON + timedelta(days=1)
    back = Residence("320205", "东亭街道1号")
    for moves in (
        [address_changed(recent, MOVED, long_ago)],
        [address_changed(recent, back, long_ago), address_changed(TODAY, MOVED, long_ago)],
        [address_changed(recent, OUTSIDE, long_ago), address_changed(TODAY, MOVED, long_ago)],
    ):
        for end in (cancel_at, void_at):
            given(issued(ISSUED), *moves).when(end("320213-04")).refused(OtherDistrict)
            permit = given(issued(ISSUED), *moves).aggregate
            end("320211-01")(permit)
            assert permit.end


def test_a_residence_outside_the_city_counts_as_in_the_district_of_issue():
    """No station here is of that district."""
    away = [issued(ISSUED), address_changed(MOVED_ON, OUTSIDE, MOVED_ON)]
    given(*away).when(void_at(ELSEWHERE)).refused(OtherDistrict)
    permit = given(*away).aggregate
    void_at("320211-05")(permit)
    assert permit.end


def test_the_policy_may_allow_it_anywhere():
    """Or require it for other ends."""
    free = replace(POLICY, endings_in_own_district=())
    permit = given(issued(ISSUED)).aggregate
    void_at(ELSEWHERE, free)(permit)
    assert permit.end

    strict = replace(POLICY, endings_in_own_district=tuple(Ending))
    for reason in CancellationReason:
        given(issued(ISSUED)).when(cancel_at(ELSEWHERE, reason, strict)).refused(OtherDistrict)


# -- how many events -----------------------------------------------------------------------------


def test_an_account_adds_a_bounded_number_of_events_to_a_permit_in_a_day():
    """Another account and the next day are not concerned, nor is what changes nothing."""
    few = replace(POLICY, events_per_account_and_day_max=4)
    permit = given(issued(ISSUED)).aggregate

    def lose(day=TODAY, actor="officer-1"):
        context = replace(on(day, few), actor=actor)
        permit.report_loss(context)
        permit.report_loss(context)
        permit.lift_loss(context)

    for _ in "12":
        lose()
    with pytest.raises(TooManyToday) as refused:
        lose()
    assert not isinstance(refused.value, Refused)  # it is not kept as the answer to a retry
    assert 0 < refused.value.wait_s <= 86_400
    lose(actor="officer-2")
    lose(day=TODAY + timedelta(days=1))


def test_a_holder_is_restricted_and_lifted_a_bounded_number_of_times_in_a_day():
    """Such events are added like any other."""
    few = on(TODAY, replace(POLICY, events_per_account_and_day_max=4))
    permit = given(issued(ISSUED)).aggregate
    for _ in "12":
        restrict([permit], ORDER, few)
        lift_restriction([permit], ORDER, few)

    with pytest.raises(TooManyToday):
        restrict([permit], ORDER, few)
