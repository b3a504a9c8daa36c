"""P18-P20: the electronic permit and its phones."""

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from domain.calendar import SHANGHAI
from domain.device import FaceMatch
from domain.errors import (
    FaceMatchRequired,
    NotConfirmed,
    TooManyDevices,
    TooManyDevicesToday,
    UnknownDevice,
)
from domain.standing import ElectronicStatus
from domain.verification import verify_card
from tests.domain.scenario import (
    FACE_MATCH,
    claimed,
    device_bound,
    device_revoked,
    given,
    issued,
    loss_reported,
    on,
    phone,
    voided,
)

ISSUED = date(2025, 3, 31)
TODAY = date(2025, 9, 1)
OVERDUE = date(2026, 9, 1)
CLAIMED = [issued(ISSUED), claimed(ISSUED)]
FIVE_PHONES = [*CLAIMED, *(device_bound(ISSUED, phone(n)) for n in (2, 3, 4, 5))]
NO_MATCH = FaceMatch.unsigned("identity-provider", 0.31, matched=False)


def claim(number, day=TODAY, face_match=FACE_MATCH, *, confirmed=True):
    return lambda permit: permit.claim(
        phone(number), face_match, confirmed=confirmed, context=on(day)
    )


def revoke(number):
    return lambda permit: permit.revoke_device(phone(number).thumbprint, on(TODAY))


def test_p18_a_claim_while_the_card_is_lost_is_allowed(standing):
    """[W2] In term, the phone is effective though the card is not."""
    permit = given(issued(ISSUED), loss_reported(TODAY)).when(claim(1)).then(claimed(TODAY))

    assert standing(permit, TODAY).electronic_effective
    assert not standing(permit, TODAY).physical_effective


def test_p18_a_claim_while_suspended_shows_a_suspended_permit(standing):
    """The claim is no way around the endorsement."""
    permit = given(issued(ISSUED)).when(claim(1, OVERDUE)).then(claimed(OVERDUE))

    assert ElectronicStatus.USE_SUSPENDED is standing(permit, OVERDUE).electronic_status


def test_p18_nothing_is_effective_before_the_claim(standing):
    """A permit is unclaimed until its holder has claimed it."""
    permit = given(issued(ISSUED)).aggregate

    assert ElectronicStatus.UNCLAIMED is standing(permit, TODAY).electronic_status
    assert not standing(permit, TODAY).electronic_effective


@pytest.mark.parametrize("history", [[issued(ISSUED)], CLAIMED], ids=["first", "second"])
@pytest.mark.parametrize("face_match", [None, NO_MATCH], ids=["none", "no"])
@pytest.mark.parametrize("confirmed", [True, False])
def test_p19_every_phone_needs_the_face_match(history, face_match, confirmed):
    """The provider's yes to a live portrait, not just its answer."""
    (
        given(*history)
        .when(claim(2, face_match=face_match, confirmed=confirmed))
        .refused(FaceMatchRequired, code="FACE_MATCH_REQUIRED")
    )


@pytest.mark.parametrize("history", [[issued(ISSUED)], CLAIMED], ids=["first", "second"])
def test_p19_every_phone_needs_the_holders_confirmation(history):
    """The holder confirms that the details are right."""
    (given(*history).when(claim(2, confirmed=False)).refused(NotConfirmed, code="NOT_CONFIRMED"))


def test_p19_a_second_claim_on_the_same_phone_changes_nothing():
    """The phone shows the permit already."""
    given(*CLAIMED).when(claim(1)).then_nothing()


def test_p19_a_second_phone_is_bound():
    """The claim was the first phone's; both show the permit."""
    permit = given(*CLAIMED).when(claim(2)).then(device_bound(TODAY, phone(2)))

    assert [phone(1).thumbprint, phone(2).thumbprint] == list(permit.devices)


def test_p19_the_policy_bounds_the_phones():
    """Five may show the permit at a time; one of the five may claim again."""
    given(*FIVE_PHONES[:-1]).when(claim(5)).then(device_bound(TODAY, phone(5)))
    given(*FIVE_PHONES).when(claim(6)).refused(TooManyDevices, code="TOO_MANY_DEVICES")
    given(*FIVE_PHONES).when(claim(5)).then_nothing()


def bound_and_revoked(day, numbers):
    pairs = ((device_bound(day, phone(n)), device_revoked(day, phone(n))) for n in numbers)
    return [event for pair in pairs for event in pair]


def test_the_policy_bounds_the_phones_of_a_day():
    """Revoking one gives no further one that day; the claim's own phone counts. The next day is a
    new one, and what is bound already stays so."""
    today = [issued(ISSUED), claimed(TODAY), *bound_and_revoked(TODAY, range(2, 11))]
    given(*today[:-2]).when(claim(11)).then(device_bound(TODAY, phone(11)))
    given(*today).when(claim(11)).refused(TooManyDevicesToday, code="TOO_MANY_DEVICES_TODAY")
    given(*today).when(claim(1)).then_nothing()
    tomorrow = TODAY + timedelta(days=1)
    given(*today).when(claim(11, tomorrow)).then(device_bound(tomorrow, phone(11)))


def test_a_day_of_phones_is_one_in_shanghai():
    """It begins at midnight there, eight hours before it does in UTC."""
    late = datetime.combine(TODAY, time(23, 59, 59), SHANGHAI)
    today = [issued(ISSUED), claimed(TODAY), *bound_and_revoked(TODAY, range(2, 11))]

    def at(instant):
        return lambda permit: permit.claim(
            phone(11), FACE_MATCH, confirmed=True, context=on(TODAY, at=instant)
        )

    given(*today).when(at(late)).refused(TooManyDevicesToday)
    permit = given(*today).aggregate
    at(late + timedelta(seconds=1))(permit)
    assert phone(11).thumbprint in permit.devices


def test_p19_a_revoked_phone_makes_room():
    """Only the revoked phone goes."""
    permit = given(*FIVE_PHONES).when(revoke(3)).then(device_revoked(TODAY, phone(3)))

    assert {phone(n).thumbprint for n in (1, 2, 4, 5)} == set(permit.devices)
    (
        given(*FIVE_PHONES, device_revoked(TODAY, phone(3)))
        .when(claim(6))
        .then(device_bound(TODAY, phone(6)))
    )


def test_p19_the_claim_outlives_its_phones(standing):
    """With the last phone revoked the permit stays claimed, and the next phone is just bound."""
    no_phone = given(*CLAIMED, device_revoked(TODAY, phone(1)))

    assert ElectronicStatus.ACTIVE is standing(no_phone.aggregate, TODAY).electronic_status
    no_phone.when(claim(1)).then(device_bound(TODAY, phone(1)))


def test_a_phone_is_not_revoked_twice():
    """It is no longer bound to the permit."""
    (
        given(*CLAIMED, device_revoked(TODAY, phone(1)))
        .when(revoke(1))
        .refused(UnknownDevice, code="UNKNOWN_DEVICE")
    )


@drawn(days=st.integers(0, 1000), ended=st.booleans())
def test_p20_equal_state_gives_the_equal_answer(standing, days, ended):
    """[W4] A good card and a claimed permit are effective, or not, together."""
    day = ISSUED + timedelta(days=days)
    permit = given(*CLAIMED, *([voided(day)] if ended else [])).aggregate

    on_that_day = standing(permit, day)
    by_card = verify_card(on_that_day, 1).reason is None

    assert by_card is on_that_day.electronic_effective
    assert by_card is on_that_day.physical_effective
