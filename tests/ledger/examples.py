"""One example of every event, with all fields filled where they can be, and the variants of it."""

from dataclasses import replace
from datetime import UTC, date, datetime

from domain import events
from domain.device import Device, FaceMatch, FaceMatchProof
from domain.person import Guardian, Identity, Residence
from tests.ledger import id_card_examples

PERMIT_NUMBER = "7Q2M9K4T8XW5"
STAMP = {
    "originator_id": PERMIT_NUMBER,
    "originator_version": 2,
    "timestamp": datetime(2026, 11, 23, 2, 0, 0, 123456, tzinfo=UTC),
    "actor": "officer-1",
    "station": "320211-01",
    "policy_version": "wuxi-2026.1",
    "correlation_id": "request-1",
}
BY_HOLDER = {**STAMP, "actor": "holder-1", "station": None}
ORDER = {"legal_basis": "PIPL 47", "case": "case-2026-7"}
CLAIM = {
    "device": Device("NzbLsXh8uDCc", {"kty": "EC", "crv": "P-256", "x": "MKBC", "y": "4Etl"}),
    "face_match": FaceMatch(
        provider="https://face.example",
        score=0.98,
        matched=True,
        proof=FaceMatchProof.ASSERTION,
        reference="8e5c1f0a",
        compared_at=datetime(2026, 11, 23, 1, 58, tzinfo=UTC),
    ),
}
EXAMPLES = (
    events.PermitIssued(
        **{**STAMP, "originator_version": 1},
        originator_topic="permit",
        holder_id="holder-1",
        identity=Identity(
            name="测小明",
            sex="1",
            ethnicity="01",
            birth_date=date(2008, 2, 29),
            citizen_id_number="990000200802290034",
            hukou_address="安徽省合肥市测试路1号",
            portrait="0f" * 32,
        ),
        residence=Residence("320211", "蠡湖大道1号"),
        residence_registered_on=date(2020, 1, 15),
        ground=events.Ground.SCHOOLING,
        guardian=Guardian("欧阳测试", "990000199001010017"),
        anchor=date(2024, 2, 28),
        years=2,
        card_serial=3,
        card_due_on=date(2024, 3, 14),
        fee_yuan=0,
        taken_over_from="OLD-1",
    ),
    events.ElectronicPermitClaimed(**BY_HOLDER, **CLAIM),
    events.DeviceBound(**BY_HOLDER, **CLAIM),
    events.DeviceRevoked(**BY_HOLDER, thumbprint="NzbLsXh8uDCc"),
    events.PermitEndorsed(
        **STAMP,
        endorsed_on=date(2026, 11, 23),
        card_presented=events.CardPresented.REISSUE_RECEIPT,
        kind=events.EndorsementKind.RE_ANCHORED,
        anchor=date(2026, 11, 23),
        years=1,
        fee_yuan=0,
    ),
    events.CardReportedLost(
        **STAMP, reported_on=date(2026, 11, 23), card_serial=1, lost_on=date(2026, 11, 20)
    ),
    events.LossLifted(**STAMP, lifted_on=date(2026, 11, 23), card_serial=1),
    events.CardReissued(**STAMP, card_serial=2, card_due_on=date(2026, 12, 8), fee_yuan=20),
    events.CardReplaced(
        **STAMP,
        card_serial=2,
        reason=events.ReplacementReason.DETAILS_CHANGED,
        old_card_returned=True,
        card_due_on=date(2026, 12, 8),
        fee_yuan=20,
    ),
    events.CardDelivered(**STAMP, card_serial=1, delivered_on=date(2026, 11, 23)),
    events.AddressChanged(
        **STAMP,
        residence=Residence("320281", "澄江中路2号"),
        moved_on=date(2026, 11, 1),
        reported_late=True,
    ),
    events.IdentityCorrected(
        **STAMP,
        name="欧阳改名",
        citizen_id_number="990000199001010033",
        sex=None,
        birth_date=None,
        hukou_address=None,
        outdates_card=True,
    ),
    events.PermitCancelled(**STAMP, reason=events.CancellationReason.MOVED_AWAY),
    events.PermitVoided(**STAMP, finding="就业证明系伪造"),
    events.HolderRestricted(**STAMP, **ORDER),
    events.HolderRestrictionLifted(**STAMP, **ORDER),
    events.ErasureRequested(**STAMP, **ORDER, expires_at=datetime(2026, 11, 30, 2, 0, tzinfo=UTC)),
    events.ErasureWithdrawn(**STAMP),
    events.HolderErased(
        **STAMP,
        holder_id="holder-1",
        **ORDER,
        approvals=["officer-1", "officer-2"],
        key="ac7a7e681af0d6cd91b33bc561d378f523b5431ec0107727982793c1165b2cd5",
        backups_hold_key_until=date(2026, 12, 28),
    ),
    *id_card_examples.EXAMPLES,
)

_BY_TOPIC = {example.TOPIC: example for example in EXAMPLES}
_VARIANTS = {
    **id_card_examples.VARIANTS,
    "permit.issued.v1": {
        "adult": {"guardian": None, "ground": events.Ground.EMPLOYMENT, "taken_over_from": None},
        "no-portrait": {
            "identity": replace(_BY_TOPIC["permit.issued.v1"].identity, portrait=None),
            "ground": events.Ground.DWELLING,
        },
    },
    "permit.electronic-claimed.v2": {
        "step-up": {
            "face_match": replace(
                CLAIM["face_match"], score=None, proof=FaceMatchProof.STEP_UP, reference="urn:acr:3"
            )
        },
        "unsigned": {"face_match": FaceMatch.unsigned("development", 0.99, matched=True)},
    },
    "permit.endorsed.v1": {
        "on-time": {
            "card_presented": events.CardPresented.CARD,
            "kind": events.EndorsementKind.ON_TIME,
        },
        "in-grace": {"kind": events.EndorsementKind.IN_GRACE},
    },
    "permit.card-reported-lost.v2": {"day-unknown": {"lost_on": None}},
    "permit.card-replaced.v1": {
        "damaged": {"reason": events.ReplacementReason.DAMAGED},
        "office-error": {
            "reason": events.ReplacementReason.OFFICE_ERROR,
            "old_card_returned": False,
            "fee_yuan": 0,
        },
    },
    "permit.address-changed.v1": {"in-time": {"reported_late": False}},
    "permit.identity-corrected.v3": {
        "birth-date-and-sex": {
            "name": None,
            "citizen_id_number": "990000199002010043",
            "sex": "2",
            "birth_date": date(1990, 2, 1),
        },
        "hukou": {
            "name": None,
            "citizen_id_number": None,
            "hukou_address": "安徽省合肥市测试路2号",
            "outdates_card": False,
        },
        "not-kept": {"outdates_card": None},
    },
    "permit.cancelled.v1": {
        "local-hukou": {"reason": events.CancellationReason.LOCAL_HUKOU},
        "deceased": {"reason": events.CancellationReason.DECEASED},
        "renounced": {"reason": events.CancellationReason.RENOUNCED},
    },
}
GOLDEN_EXAMPLES = {
    **_BY_TOPIC,
    **{
        f"{topic}.{variant}": replace(_BY_TOPIC[topic], **changes)
        for topic, variants in _VARIANTS.items()
        for variant, changes in variants.items()
    },
}
"""By the name of the golden file that each has."""
