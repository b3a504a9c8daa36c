"""The physical track: what each event does to a row."""

from dataclasses import replace
from datetime import date

import pytest

from domain import events, personal
from projections.views.physical import PhysicalPermit, evolve
from projections.views.track import RowMissing, RowOutOfOrder
from tests.projections.scenarios import ERASED, FACE, ISSUED, LATER

BEGUN = PhysicalPermit(
    permit_number="7Q2M9K4T8XW5",
    holder_id="holder-1",
    version=1,
    face=FACE,
    portrait_version=1,
    division="320211",
    issuing_authority="320211-01",
    issued_on=date(2024, 2, 28),
    anchor=date(2024, 2, 28),
    years=2,
    endorsements=1,
    ended=None,
    restricted=False,
    erased=False,
    card_serial=3,
    card_status="issued",
    identity_stale=False,
    card_due_on=date(2024, 3, 14),
    card_delivered_on=None,
    updated_at=ISSUED.timestamp,
)
WORN = replace(
    BEGUN,
    card_status="reported_lost",
    identity_stale=True,
    card_delivered_on=date(2024, 3, 1),
    restricted=True,
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
    events.AddressChanged: {"division": "320281", "face": replace(FACE, address="澄江中路2号")},
    events.IdentityCorrected: {
        "face": replace(FACE, name="欧阳改名", citizen_id_number="990000199001010033"),
        "identity_stale": True,
    },
    events.PermitCancelled: {"ended": "ended"},
    events.PermitVoided: {"ended": "voided"},
    events.ErasureRequested: {},
    events.ErasureWithdrawn: {},
    events.HolderRestricted: {"restricted": True},
    events.HolderRestrictionLifted: {"restricted": False},
    events.HolderErased: {
        "face": personal.ERASED,
        "portrait_version": None,
        "ended": "ended",
        "restricted": False,
        "erased": True,
        "identity_stale": False,
    },
}


def test_a_row_begins_with_the_issue():
    """Also the row of a permit taken over with its years and its card."""
    assert BEGUN == evolve(None, ISSUED)


@pytest.mark.parametrize("event", LATER, ids=lambda event: event.TOPIC)
@pytest.mark.parametrize("before", [BEGUN, WORN], ids=["begun", "worn"])
def test_each_event_changes_only_its_columns(before, event):
    """And the version, and when it was updated."""
    changed = {"version": 2, "updated_at": event.timestamp, **EFFECTS[type(event)]}
    expected = replace(before, **changed)
    assert expected == evolve(replace(before), event)


def test_a_corrected_hukou_address_requires_no_new_card():
    """The card does not print the hukou address. [P26]"""
    [corrected] = [event for event in LATER if isinstance(event, events.IdentityCorrected)]
    moved = replace(
        corrected,
        name=None,
        citizen_id_number=None,
        hukou_address="安徽省芜湖市2号",
        outdates_card=False,
    )

    face = replace(FACE, hukou_address="安徽省芜湖市2号")
    expected = replace(BEGUN, version=2, face=face, updated_at=moved.timestamp)
    assert expected == evolve(replace(BEGUN), moved)


@pytest.mark.parametrize("end", ["ended", "voided"])
def test_an_end_is_unchanged_by_erasure(end):
    """An ended permit stays ended, and a void one void."""
    assert end == evolve(replace(BEGUN, ended=end), ERASED).ended


def test_a_permit_without_its_first_event_is_an_error():
    """A missing beginning is a fault of the log; no row is guessed."""
    with pytest.raises(RowMissing):
        evolve(None, LATER[0])


def test_a_gap_in_the_versions_is_an_error():
    """A row that missed an event is not updated further."""
    with pytest.raises(RowOutOfOrder):
        evolve(replace(BEGUN, version=3), LATER[0])
