"""The electronic track: what each event does to a row."""

from dataclasses import replace
from datetime import date

import pytest

from domain import events, personal
from projections.views.electronic import ElectronicPermit, evolve
from projections.views.track import RowMissing, RowOutOfOrder
from tests.projections.scenarios import ERASED, FACE, ISSUED, LATER

PHONE = "NzbLsXh8uDCc"
BEGUN = ElectronicPermit(
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
    claimed=False,
    devices=[],
)
CLAIMED = replace(BEGUN, claimed=True, devices=["another phone"], restricted=True)
EFFECTS = {
    events.PermitEndorsed: {"anchor": date(2026, 11, 23), "years": 1, "endorsements": 2},
    events.CardReportedLost: {},
    events.LossLifted: {},
    events.CardReissued: {"card_serial": 2},
    events.CardReplaced: {"card_serial": 2},
    events.CardDelivered: {},
    events.AddressChanged: {"division": "320281", "face": replace(FACE, address="澄江中路2号")},
    events.IdentityCorrected: {
        "face": replace(FACE, name="欧阳改名", citizen_id_number="990000199001010033"),
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
        "devices": [],
    },
}
OF_PHONES = {
    events.ElectronicPermitClaimed: ([], {"claimed": True, "devices": [PHONE]}),
    events.DeviceBound: (["another phone"], {"devices": ["another phone", PHONE]}),
    events.DeviceRevoked: (
        ["another phone", PHONE, "a third"],
        {"devices": ["another phone", "a third"]},
    ),
}
OTHERS = [event for event in LATER if type(event) not in OF_PHONES]


def test_a_row_begins_with_the_issue():
    """Unclaimed; the holder has no phone bound."""
    assert BEGUN == evolve(None, ISSUED)


@pytest.mark.parametrize("event", OTHERS, ids=lambda event: event.TOPIC)
@pytest.mark.parametrize("before", [BEGUN, CLAIMED], ids=["begun", "claimed"])
def test_each_event_changes_only_its_columns(before, event):
    """And the version; a lost card does not concern the phone. [W5]"""
    expected = replace(before, version=2, **EFFECTS[type(event)])
    assert expected == evolve(replace(before), event)


@pytest.mark.parametrize("kind", OF_PHONES, ids=lambda kind: kind.TOPIC)
def test_devices_are_listed_while_they_are_bound(kind):
    """In the order in which they were bound; the claim remains."""
    [event] = [event for event in LATER if type(event) is kind]
    phones, changes = OF_PHONES[kind]
    before = replace(BEGUN, claimed=bool(phones), devices=[*phones])

    assert replace(before, version=2, **changes) == evolve(replace(before), event)
    assert phones == before.devices


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
