"""An example of each event that changes a row, including those of data protection."""

from datetime import date

from domain import events
from projections.views.face import Face
from tests.ledger.examples import EXAMPLES, STAMP

ORDER = {"legal_basis": "个人信息保护法第四十七条", "case": "2026-DP-17"}
RESTRICTED = events.HolderRestricted(**STAMP, **ORDER)
LIFTED = events.HolderRestrictionLifted(**STAMP, **ORDER)
ERASED = events.HolderErased(
    **STAMP,
    **ORDER,
    holder_id="holder-1",
    approvals=["officer-1", "officer-2"],
    key="a commitment",
    backups_hold_key_until=date(2026, 12, 28),
)
_PROTECTION = (RESTRICTED, LIFTED, ERASED)

ISSUED, *_ordinary = (
    event
    for event in EXAMPLES
    if isinstance(event, events.PermitEvent) and type(event) not in map(type, _PROTECTION)
)
LATER = [*_ordinary, *_PROTECTION]
"""What can follow the issue."""

FACE = Face(
    name="测小明",
    sex="1",
    ethnicity="01",
    birth_date=date(2008, 2, 29),
    citizen_id_number="990000200802290034",
    hukou_address="安徽省合肥市测试路1号",
    portrait="0f" * 32,
    address="蠡湖大道1号",
)
"""What the issue shows of its holder."""
