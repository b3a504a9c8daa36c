"""The same for applications for identity cards."""

from datetime import UTC, date, datetime

from domain.id_cards import events
from domain.id_cards.collection import CollectedBy
from domain.id_cards.materials import Material
from domain.id_cards.people import Applicant
from domain.id_cards.submission import CollectionMethod
from domain.person import Guardian

STAMP = {
    "originator_id": "7Q2M9K4T8XW5",
    "originator_version": 2,
    "timestamp": datetime(2026, 11, 23, 2, 0, 0, 123456, tzinfo=UTC),
    "actor": "officer-1",
    "station": "320211-01",
    "policy_version": "wuxi-2026.1",
    "correlation_id": "request-1",
}
ORDER = {"legal_basis": "PIPL 47", "case": "case-2026-7"}
EXAMPLES = (
    events.ApplicationAccepted(
        **{**STAMP, "originator_version": 1},
        originator_topic="id-card",
        holder_id="holder-1",
        identity=Applicant(
            name="测小明",
            sex="1",
            ethnicity="01",
            birth_date=date(2014, 3, 5),
            citizen_id_number="990000201403050011",
        ),
        hukou_province="31",
        guardian=Guardian("欧阳测试", "990000199001010017"),
        guardian_relation_registered=True,
        materials=[Material.HOUSEHOLD_REGISTER, Material.STUDY_PROOF],
        proofs_without_photo=[Material.STUDY_PROOF],
        collection=CollectionMethod.IN_PERSON,
        accepted_on=date(2026, 11, 23),
        due_date=date(2026, 12, 21),
        due_date_provisional=False,
        card_term_years=5,
        fee_yuan=0,
    ),
    events.SentToHukouPolice(**STAMP),
    events.ApplicationApproved(**STAMP),
    events.ApplicationReturned(**STAMP, reason="照片与户籍档案不符"),
    events.CardProduced(**STAMP),
    events.CardArrived(**STAMP),
    events.CardCollected(
        **STAMP,
        by=CollectedBy.AGENT,
        receipt_shown=True,
        details_checked=False,
        fingerprint_checked=False,
        signed=True,
        agent=Guardian("测代办", "990000199001010025"),
    ),
    events.ApplicationWithdrawn(**STAMP),
    events.DueDateSet(**STAMP, due_date=date(2027, 1, 13)),
    events.ApplicantRestricted(**STAMP, **ORDER),
    events.ApplicantRestrictionLifted(**STAMP, **ORDER),
    events.ApplicantErasureRequested(
        **STAMP, **ORDER, expires_at=datetime(2026, 11, 30, 2, 0, tzinfo=UTC)
    ),
    events.ApplicantErasureWithdrawn(**STAMP),
    events.ApplicantErased(
        **STAMP,
        holder_id="holder-1",
        **ORDER,
        approvals=["officer-1", "officer-2"],
        key="ac7a7e681af0d6cd91b33bc561d378f523b5431ec0107727982793c1165b2cd5",
        backups_hold_key_until=date(2026, 12, 28),
    ),
)
VARIANTS = {
    "id-card.accepted.v1": {
        "grown-up": {
            "guardian": None,
            "materials": [*Material],
            "proofs_without_photo": [*Material],
            "collection": CollectionMethod.AGENT,
            "due_date_provisional": True,
        },
        "for-good": {"card_term_years": None, "collection": CollectionMethod.MAIL},
    },
    "id-card.collected.v1": {
        "in-person": {
            "by": CollectedBy.APPLICANT,
            "details_checked": True,
            "fingerprint_checked": True,
            "agent": None,
        },
        "by-mail": {
            "by": CollectedBy.MAIL,
            "receipt_shown": False,
            "signed": False,
            "agent": None,
        },
    },
}
