"""P18: what can be claimed, and by whom, as far as it takes the whole ledger to know."""

from datetime import date

import pytest

from domain.errors import NoPhysicalPermit, NumberOnRecord
from domain.events import CancellationReason
from ledger.errors import UnknownPermit

NOBODYS = "7Q2M9K4T8XW5"


@pytest.fixture
def claim(ledger, phone, face_match, command):
    """``claim(number, holder_id)``: on the holder's own phone, all in order."""

    def claim(number, holder_id):
        by = command(actor=holder_id, station=None)
        return ledger.permits.claim(number, holder_id, phone(1), face_match, by, confirmed=True)

    return claim


def test_p18_nothing_can_be_claimed_without_a_physical_permit(ledger, issue, claim):
    """[W2] No such permit, and none was ever issued to this holder."""
    issue()

    with pytest.raises(NoPhysicalPermit):
        claim(NOBODYS, "holder-without-permit")

    assert ledger.head() == 1


def test_p18_a_permit_with_a_lost_card_can_be_claimed(ledger, issue, claim, command):
    """The permit was issued, and is in its term."""
    number = issue()
    ledger.permits.report_loss(number, command(on=date(2026, 6, 1)))

    assert claim(number, ledger.permit(number).holder_id).version == 3


def test_p18_a_mistyped_number_is_unknown(ledger, issue, claim):
    """A former holder is not refused for never having had a permit."""
    holder_id = ledger.permit(issue()).holder_id

    with pytest.raises(UnknownPermit):
        claim(NOBODYS, holder_id)


def test_p18_a_former_holder_gets_unknown_permit(ledger, issue, claim, command):
    """A physical permit was issued to them, even if it has ended."""
    number = issue()
    ledger.permits.cancel(number, CancellationReason.MOVED_AWAY, command())

    with pytest.raises(UnknownPermit):
        claim(NOBODYS, ledger.permit(number).holder_id)


def test_p18_a_holder_stays_known_after_a_correction(ledger, issue, claim, command, citizen_number):
    """A later permit can't be corrected onto their number: the earlier record keeps its place."""
    right = citizen_number()
    earlier = issue(right)
    ledger.permits.cancel(earlier, CancellationReason.MOVED_AWAY, command())
    with pytest.raises(NumberOnRecord):
        ledger.permits.correct_identity(issue(), command(), citizen_id_number=right)

    with pytest.raises(UnknownPermit):
        claim(NOBODYS, ledger.permit(earlier).holder_id)


def test_anothers_permit_can_be_neither_claimed_nor_changed(ledger, issue, claim, command):
    """The response is that for an unknown permit."""
    number, own = issue(), issue()
    holder_id = ledger.permit(own).holder_id

    with pytest.raises(UnknownPermit):
        claim(number, holder_id)
    with pytest.raises(UnknownPermit):
        ledger.permits.revoke_device(number, holder_id, "thumbprint-1", command())
    assert ledger.head() == 2


def test_p18_another_holders_permit_is_as_if_it_did_not_exist(ledger, issue, claim):
    """The refusal depends on the holder only."""
    number, holder_id = issue(), ledger.permit(issue()).holder_id

    for anothers in (number, NOBODYS):
        with pytest.raises(UnknownPermit):
            claim(anothers, holder_id)
        with pytest.raises(NoPhysicalPermit):
            claim(anothers, "holder-without-permit")
