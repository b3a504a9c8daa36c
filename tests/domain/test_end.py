"""P23, P24: the end of a permit."""

from datetime import date

import pytest

from domain.errors import InvalidDetails, PermitEnded
from domain.events import (
    CancellationReason,
    CardPresented,
    PermitCancelled,
    PermitVoided,
    ReplacementReason,
)
from domain.person import Residence
from domain.standing import ElectronicStatus, PermitStatus, PhysicalStatus
from domain.verification import Reason, Verdict, verify_card

ISSUED = date(2025, 3, 31)
TODAY = date(2025, 9, 1)
HOME = Residence("320281", "澄江中路2号")


@pytest.mark.parametrize("reason", ["moved_away", "local_hukou", "deceased", "renounced"])
def test_p23_cancelling_ends_both_tracks_at_once(given_permit, on, when, standing, reason):
    """History stays: the term, the card and the phones are still on record."""
    permit = given_permit(ISSUED, claimed=True)
    term, devices = permit.term, permit.devices

    [event] = when(permit.cancel, CancellationReason(reason), on(TODAY))

    assert (PermitCancelled, reason) == (type(event), event.reason)
    after = standing(permit, TODAY)
    assert PermitStatus.ENDED is after.status
    assert (after.physical_status, after.physical_effective) == (PhysicalStatus.ENDED, False)
    assert (after.electronic_status, after.electronic_effective) == (ElectronicStatus.ENDED, False)
    assert (term, devices) == (permit.term, permit.devices)


def test_p24_a_voided_permit_is_void_from_discovery(given_permit, on, when, standing):
    """[N18] Both tracks end; the finding is on record."""
    permit = given_permit(ISSUED, claimed=True)

    [event] = when(permit.void, " forged proof of employment\n", on(TODAY))

    assert (PermitVoided, "forged proof of employment") == (type(event), event.finding)
    after = standing(permit, TODAY)
    assert PermitStatus.VOIDED is after.status
    assert Verdict(Reason.VOIDED) == verify_card(after, 1)
    assert not after.electronic_effective


@pytest.mark.parametrize("finding", ["伪", "伪" * 2000])
def test_p24_a_finding_has_up_to_2000_characters(given_permit, on, when, finding):
    """Both bounds included."""
    [event] = when(given_permit(ISSUED).void, finding, on(TODAY))

    assert finding == event.finding


@pytest.mark.parametrize("finding", ["", " \n", "伪" * 2001])
def test_p24_voiding_needs_a_finding(given_permit, on, finding):
    """Nobody's permit is voided without a stated reason of bounded length."""
    with pytest.raises(InvalidDetails) as refusal:
        given_permit(ISSUED).void(finding, on(TODAY))

    assert [problem.field for problem in refusal.value.problems] == ["finding"]


@pytest.mark.parametrize("ended_by", ["cancel", "void"])
def test_p23_p24_nothing_happens_after_the_end(given_permit, on, phone, face_match, ended_by):
    """Each command is refused; who returns gets a new permit."""
    permit = given_permit(ISSUED, claimed=True)
    now = on(TODAY)
    end = {
        "cancel": lambda: permit.cancel(CancellationReason.MOVED_AWAY, now),
        "void": lambda: permit.void("forged proof of employment", now),
    }
    end[ended_by]()

    for command in (
        *end.values(),
        lambda: permit.endorse(CardPresented.CARD, now),
        lambda: permit.report_loss(now),
        lambda: permit.lift_loss(now),
        lambda: permit.reissue(now),
        lambda: permit.replace(ReplacementReason.DAMAGED, old_card_returned=True, context=now),
        lambda: permit.deliver_card(now),
        lambda: permit.claim(phone(1), face_match, confirmed=True, context=now),
        lambda: permit.revoke_device(phone(1).thumbprint, now),
        lambda: permit.change_address(HOME, TODAY, now),
        lambda: permit.correct_identity(name="欧阳改名", context=now),
    ):
        with pytest.raises(PermitEnded):
            command()
