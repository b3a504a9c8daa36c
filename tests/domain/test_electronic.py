"""P18-P20: the electronic permit and its phones."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.device import FaceMatch
from domain.errors import FaceMatchRequired, NotConfirmed, TooManyDevices, UnknownDevice
from domain.events import DeviceBound, DeviceRevoked, ElectronicPermitClaimed
from domain.standing import ElectronicStatus
from domain.verification import verify_card

ISSUED = date(2025, 3, 31)
TODAY = date(2025, 9, 1)
OVERDUE = date(2026, 9, 1)


@pytest.fixture
def claim(phone, face_match, on, when):
    """``claim(permit, number, day)``: the holder claims on that phone, all in order."""

    def claim(permit, number, day=TODAY):
        context = on(day)
        return when(permit.claim, phone(number), face_match, confirmed=True, context=context)

    return claim


def test_p18_a_claim_while_the_card_is_lost_is_allowed(given_permit, on, standing, claim):
    """[W2] In term, the phone is effective though the card is not."""
    permit = given_permit(ISSUED)
    permit.report_loss(on(TODAY))

    [event] = claim(permit, 1)

    assert ElectronicPermitClaimed is type(event)
    assert standing(permit, TODAY).electronic_effective
    assert not standing(permit, TODAY).physical_effective


def test_p18_a_claim_while_suspended_shows_a_suspended_permit(given_permit, standing, claim):
    """The claim is no way around the endorsement."""
    permit = given_permit(ISSUED)

    [_] = claim(permit, 1, OVERDUE)

    assert ElectronicStatus.USE_SUSPENDED is standing(permit, OVERDUE).electronic_status


def test_p18_nothing_is_effective_before_the_claim(given_permit, standing):
    """A permit is unclaimed until its holder has claimed it."""
    permit = given_permit(ISSUED)

    assert ElectronicStatus.UNCLAIMED is standing(permit, TODAY).electronic_status
    assert not standing(permit, TODAY).electronic_effective


@pytest.mark.parametrize(
    "answer", [None, FaceMatch("identity-provider", 0.31, matched=False)], ids=["none", "no"]
)
@pytest.mark.parametrize("confirmed", [True, False])
def test_p19_a_claim_needs_the_face_match(given_permit, on, phone, answer, confirmed):
    """The provider's yes to a live portrait, not just its answer."""
    permit = given_permit(ISSUED)

    with pytest.raises(FaceMatchRequired) as refusal:
        permit.claim(phone(1), answer, confirmed=confirmed, context=on(TODAY))

    assert refusal.value.code == "FACE_MATCH_REQUIRED"


def test_p19_a_claim_needs_the_holders_yes(given_permit, on, phone, face_match):
    """The holder confirms that the details are right."""
    permit = given_permit(ISSUED)

    with pytest.raises(NotConfirmed) as refusal:
        permit.claim(phone(1), face_match, confirmed=False, context=on(TODAY))

    assert refusal.value.code == "NOT_CONFIRMED"


def test_p19_a_second_claim_on_the_same_phone_changes_nothing(given_permit, claim):
    """The phone shows the permit already."""
    permit = given_permit(ISSUED, claimed=True)

    assert claim(permit, 1) == []


def test_p19_a_second_phone_is_bound(given_permit, phone, claim):
    """The claim was the first phone's; both show the permit."""
    permit = given_permit(ISSUED, claimed=True)

    [event] = claim(permit, 2)

    assert (DeviceBound, phone(2)) == (type(event), event.device)
    assert [phone(1), phone(2)] == list(permit.devices.values())


def test_p19_a_second_phone_needs_match_and_confirmation_too(given_permit, on, phone, face_match):
    """The same terms as for the first."""
    permit = given_permit(ISSUED, claimed=True)

    with pytest.raises(FaceMatchRequired):
        permit.claim(phone(2), None, confirmed=True, context=on(TODAY))
    with pytest.raises(NotConfirmed):
        permit.claim(phone(2), face_match, confirmed=False, context=on(TODAY))


def test_p19_the_policy_bounds_the_phones(given_permit, policy, claim):
    """Five may show the permit at a time; one of the five may claim again."""
    permit = given_permit(ISSUED)
    for number in range(1, policy.devices_max + 1):
        assert len(claim(permit, number)) == 1

    with pytest.raises(TooManyDevices) as refusal:
        claim(permit, 6)

    assert refusal.value.code == "TOO_MANY_DEVICES"
    assert len(permit.devices) == 5
    assert claim(permit, 5) == []


def test_p19_a_revoked_phone_makes_room(given_permit, on, when, phone, claim):
    """Only the revoked phone goes."""
    permit = given_permit(ISSUED)
    for number in range(1, 6):
        claim(permit, number)

    [event] = when(permit.revoke_device, phone(3).thumbprint, on(TODAY))

    assert (DeviceRevoked, "thumbprint-3") == (type(event), event.thumbprint)
    assert {phone(n).thumbprint for n in (1, 2, 4, 5)} == set(permit.devices)
    assert [DeviceBound] == [type(bound) for bound in claim(permit, 6)]


def test_p19_the_claim_outlives_its_phones(given_permit, on, phone, standing, claim):
    """With the last phone revoked the right stays claimed, and the next phone is just bound."""
    permit = given_permit(ISSUED, claimed=True)
    permit.revoke_device(phone(1).thumbprint, on(TODAY))

    assert ElectronicStatus.ACTIVE is standing(permit, TODAY).electronic_status
    [event] = claim(permit, 1)
    assert DeviceBound is type(event)


def test_an_unknown_phone_is_not_revoked(given_permit, on, phone):
    """Nor is one revoked twice."""
    permit = given_permit(ISSUED, claimed=True)
    permit.revoke_device(phone(1).thumbprint, on(TODAY))

    with pytest.raises(UnknownDevice) as refusal:
        permit.revoke_device(phone(1).thumbprint, on(TODAY))

    assert refusal.value.code == "UNKNOWN_DEVICE"


@given(days=st.integers(0, 1000), ended=st.booleans())
def test_p20_equal_state_gives_the_equal_answer(given_permit, on, standing, days, ended):
    """[W4] A good card and a claimed permit are effective, or not, together."""
    permit = given_permit(ISSUED, claimed=True)
    day = ISSUED + timedelta(days=days)
    if ended:
        permit.void("forged proof of employment", on(day))

    on_that_day = standing(permit, day)
    by_card = verify_card(on_that_day, 1).reason is None

    assert by_card is on_that_day.electronic_effective
    assert by_card is on_that_day.physical_effective
