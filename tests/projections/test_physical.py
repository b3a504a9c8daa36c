"""The physical track: what each event does to a row."""

from dataclasses import asdict, replace
from datetime import date

import pytest

from domain import events
from domain.device import Device, FaceMatch
from domain.events import EVENTS
from domain.person import Identity, Residence
from projections.physical import PhysicalPermit, evolve

PHONE = {"device": Device("thumbprint-2", {}), "face_match": FaceMatch("provider", 0.9, True)}
DUE = date(2026, 12, 8)
NEW_CARD = {
    "card_serial": 2,
    "card_status": "issued",
    "identity_stale": False,
    "card_due_on": DUE,
    "card_delivered_on": None,
}
BEFORE = PhysicalPermit(
    permit_number="7Q2M9K4T8XW5",
    holder_id="holder-1",
    version=1,
    name="欧阳测试",
    sex="1",
    ethnicity="01",
    birth_date=date(1990, 1, 1),
    citizen_id_number="990000199001010017",
    hukou_address="安徽省合肥市测试路1号",
    portrait="0f" * 32,
    division="320211",
    address="蠡湖大道1号",
    issuing_authority="320211-01",
    issued_on=date(2024, 2, 29),
    anchor=date(2024, 2, 29),
    years=2,
    endorsements=1,
    ended=None,
    card_serial=1,
    card_status="reported_lost",
    identity_stale=True,
    card_due_on=date(2024, 3, 15),
    card_delivered_on=date(2024, 3, 1),
)
EFFECTS = [
    (events.ElectronicPermitClaimed, PHONE, {}),
    (events.DeviceBound, PHONE, {}),
    (events.DeviceRevoked, {"thumbprint": "thumbprint-1"}, {}),
    (
        events.PermitEndorsed,
        {
            "endorsed_on": date(2026, 11, 23),
            "card_presented": events.CardPresented.CARD,
            "kind": events.EndorsementKind.RE_ANCHORED,
            "anchor": date(2026, 11, 23),
            "years": 1,
            "fee_yuan": 0,
        },
        {"anchor": date(2026, 11, 23), "years": 1, "endorsements": 2},
    ),
    (events.CardReportedLost, {"reported_on": DUE, "card_serial": 1}, {"card_status": "reported_lost"}),
    (events.LossLifted, {"lifted_on": DUE, "card_serial": 1}, {"card_status": "issued"}),
    (events.CardReissued, {"card_serial": 2, "card_due_on": DUE, "fee_yuan": 20}, NEW_CARD),
    (
        events.CardReplaced,
        {
            "card_serial": 2,
            "reason": events.ReplacementReason.DAMAGED,
            "old_card_returned": True,
            "card_due_on": DUE,
            "fee_yuan": 20,
        },
        NEW_CARD,
    ),
    (events.CardDelivered, {"card_serial": 1, "delivered_on": DUE}, {"card_delivered_on": DUE}),
    (
        events.AddressChanged,
        {"residence": Residence("320281", "澄江中路2号"), "moved_on": DUE, "reported_late": True},
        {"division": "320281", "address": "澄江中路2号"},
    ),
    (
        events.IdentityCorrected,
        {"name": "欧阳改名", "citizen_id_number": "990000199001010033", "hukou_address": None},
        {"name": "欧阳改名", "citizen_id_number": "990000199001010033", "identity_stale": True},
    ),
    (events.PermitCancelled, {"reason": events.CancellationReason.DECEASED}, {"ended": "ended"}),
    (events.PermitVoided, {"finding": "就业证明系伪造"}, {"ended": "voided"}),
]
