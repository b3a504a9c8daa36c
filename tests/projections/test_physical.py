"""The physical track: what each event does to a row."""

from dataclasses import replace
from datetime import date

import pytest

from domain import events
from projections.physical import PhysicalPermit, evolve
from tests.ledger.examples import EXAMPLES

ISSUED, *LATER = EXAMPLES
BEGUN = PhysicalPermit(
    permit_number="7Q2M9K4T8XW5",
    holder_id="holder-1",
    version=1,
    name="测小明",
    sex="1",
    ethnicity="01",
    birth_date=date(2008, 2, 29),
    citizen_id_number="990000200802290034",
    hukou_address="安徽省合肥市测试路1号",
    portrait="0f" * 32,
    division="320211",
    address="蠡湖大道1号",
    issuing_authority="320211-01",
    issued_on=date(2024, 2, 28),
    anchor=date(2024, 2, 28),
    years=2,
    endorsements=1,
    ended=None,
    card_serial=3,
    card_status="issued",
    identity_stale=False,
    card_due_on=date(2024, 3, 14),
    card_delivered_on=None,
)
WORN = replace(
    BEGUN,
    card_status="reported_lost",
    identity_stale=True,
    card_delivered_on=date(2024, 3, 1),
)
NEW_CARD = {
    "card_serial": 2,
    "card_status": "issued",
    "identity_stale": False,
    "card_due_on": date(2026, 12, 8),
    "card_delivered_on": None,
}
EFFECTS = {
    events.ElectronicPermitClaimed: {},
    events.DeviceBound: {},
    events.DeviceRevoked: {},
    events.PermitEndorsed: {"anchor": date(2026, 11, 23), "years": 1, "endorsements": 2},
    events.CardReportedLost: {"card_status": "reported_lost"},
    events.LossLifted: {"card_status": "issued"},
    events.CardReissued: NEW_CARD,
    events.CardReplaced: NEW_CARD,
    events.CardDelivered: {"card_delivered_on": date(2026, 11, 23)},
    events.AddressChanged: {"division": "320281", "address": "澄江中路2号"},
    events.IdentityCorrected: {
        "name": "欧阳改名",
        "citizen_id_number": "990000199001010033",
        "identity_stale": True,
    },
    events.PermitCancelled: {"ended": "ended"},
    events.PermitVoided: {"ended": "voided"},
}


def test_a_row_begins_with_the_issue():
    """Also of a permit taken over with its years and its card."""
    assert BEGUN == evolve(None, ISSUED)


@pytest.mark.parametrize("event", LATER, ids=lambda event: event.TOPIC)
@pytest.mark.parametrize("before", [BEGUN, WORN], ids=["begun", "worn"])
def test_each_event_changes_its_own_columns(before, event):
    """And the version; nothing else."""
    expected = replace(before, version=2, **EFFECTS[type(event)])
    assert expected == evolve(before, event)


def test_a_corrected_address_outdates_no_card():
    """The card's face does not show the hukou address as wrong. [P26]"""
    [corrected] = [event for event in LATER if isinstance(event, events.IdentityCorrected)]
    moved = replace(corrected, name=None, citizen_id_number=None, hukou_address="安徽省芜湖市2号")

    expected = replace(BEGUN, version=2, hukou_address="安徽省芜湖市2号")
    assert expected == evolve(BEGUN, moved)


def test_no_row_begins_in_the_middle():
    """A permit whose beginning was missed is a fault of the log, not a row of guesses."""
    with pytest.raises(AssertionError):
        evolve(None, LATER[0])
