"""P23, P24: the end of a permit."""

from datetime import date

import pytest

from domain.errors import PermitEnded
from domain.events import CancellationReason
from domain.standing import ElectronicStatus, PermitStatus, PhysicalStatus
from domain.verification import Reason, Verdict, verify_card
from tests.domain.scenario import (
    COMMANDS,
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
