"""The events of an application for an identity card, for :mod:`tests.domain.scenario`.

``given(*reached(Stage.APPROVED))`` is an application at that stage.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from domain.context import CommandContext
from domain.id_cards.application import IdCardApplication
from domain.id_cards.collection import CollectedBy, Collection
from domain.id_cards.events import (
    ApplicationAccepted,
    ApplicationApproved,
    ApplicationReturned,
    ApplicationWithdrawn,
    CardArrived,
    CardCollected,
    CardProduced,
    DueDateSet,
    IdCardEvent,
    SentToHukouPolice,
)
from domain.id_cards.materials import Material
from domain.id_cards.people import Applicant
from domain.id_cards.stages import Stage
from domain.id_cards.submission import CollectionMethod, Submission
from domain.person import Guardian
from permit_ledger.bootstrap.workdays import MainlandWorkdays
from tests.domain.scenario import RECEIPT_NUMBER, Happened, happened, on

DAY, DUE = date(2026, 9, 14), date(2026, 10, 16)
APPLICANT = Applicant(
    name="欧阳测试",
    sex="1",
    ethnicity="01",
    birth_date=date(1990, 1, 1),
    citizen_id_number="990000199001010017",
)
SUBMISSION = Submission(
    applicant=APPLICANT,
    hukou_province="31",
    materials=frozenset({Material.HOUSEHOLD_REGISTER, Material.EMPLOYMENT_PROOF}),
    proofs_without_photo=frozenset(),
    guardian=None,
    guardian_relation_registered=True,
    commitment_signed=True,
    ever_held_id_card=False,
    temporary_card_requested=False,
    collection=CollectionMethod.IN_PERSON,
)
"""A grown-up's, all in order."""
CHILDS_SUBMISSION = replace(
    SUBMISSION,
    applicant=replace(
        APPLICANT,
        name="测小明",
        birth_date=date(2014, 3, 5),
        citizen_id_number="990000201403050011",
    ),
    materials=frozenset(
        {
            Material.HOUSEHOLD_REGISTER,
            Material.STUDY_PROOF,
            Material.GUARDIAN_ID_CARD,
            Material.GUARDIAN_HOUSEHOLD_REGISTER,
        }
    ),
    guardian=Guardian("欧阳测试", "990000199001010017"),
)
"""Of a boy of twelve with a parent, all in order."""
IN_PERSON = Collection(
    CollectedBy.APPLICANT,
    receipt_shown=True,
    details_checked=True,
    fingerprint_checked=True,
    signed=True,
)
REASON = "照片与户籍档案不符"

COMMANDS: Mapping[Stage, Callable[[IdCardApplication, CommandContext], None]] = {
    Stage.SENT_TO_HUKOU_POLICE: lambda application, now: application.dispatch(now),
    Stage.APPROVED: lambda application, now: application.approve(now),
    Stage.RETURNED: lambda application, now: application.send_back(REASON, now),
    Stage.PRODUCED: lambda application, now: application.produce(now),
    Stage.ARRIVED: lambda application, now: application.arrive(now),
    Stage.COLLECTED: lambda application, now: application.collect(IN_PERSON, now),
    Stage.WITHDRAWN: lambda application, now: application.withdraw(now),
}
"""The command that leads to each stage."""

_KINDS: Mapping[Stage, type[IdCardEvent]] = {
    Stage.SENT_TO_HUKOU_POLICE: SentToHukouPolice,
    Stage.APPROVED: ApplicationApproved,
    Stage.PRODUCED: CardProduced,
    Stage.ARRIVED: CardArrived,
    Stage.WITHDRAWN: ApplicationWithdrawn,
}
_IN_ORDER = [*_KINDS][:4]


def accept(
    brought: Submission = SUBMISSION,
    day: date = DAY,
    workdays: MainlandWorkdays | None = None,
    **context: Any,
) -> Callable[[None], IdCardApplication]:
    """The command that makes an application."""
    return lambda _: IdCardApplication.accept(
        RECEIPT_NUMBER, "holder-1", brought, workdays or MainlandWorkdays(), on(day, **context)
    )


def collect(collection: Collection) -> Callable[[IdCardApplication], None]:
    return lambda application: application.collect(collection, on(DAY))


def command_to(stage: Stage) -> Callable[[IdCardApplication], None]:
    """The command that leads to this stage, given on DAY."""
    return lambda application: COMMANDS[stage](application, on(DAY))


def accepted(brought: Submission = SUBMISSION, day: date = DAY, **changes: Any) -> Happened:
    """Due on DUE if accepted on DAY; other days come with a due date of their own."""
    in_order = {
        "originator_topic": "id-card",
        "holder_id": "holder-1",
        "identity": brought.applicant,
        "hukou_province": brought.hukou_province,
        "guardian": brought.guardian,
        "guardian_relation_registered": brought.guardian_relation_registered,
        "materials": sorted(brought.materials),
        "proofs_without_photo": sorted(brought.proofs_without_photo),
        "collection": brought.collection,
        "accepted_on": day,
        "due_date": DUE,
        "due_date_provisional": False,
        "card_term_years": 20,
        "fee_yuan": 0,
    }
    return happened(ApplicationAccepted, day, **{**in_order, **changes})


def moved_to(stage: Stage, day: date = DAY) -> Happened:
    """The event of a stage, in person where it is the collection."""
    if stage is Stage.RETURNED:
        return happened(ApplicationReturned, day, reason=REASON)
    if stage is Stage.COLLECTED:
        return collected(IN_PERSON, day)
    return happened(_KINDS[stage], day)


def collected(collection: Collection, day: date = DAY) -> Happened:
    return happened(
        CardCollected,
        day,
        by=collection.by,
        receipt_shown=collection.receipt_shown,
        details_checked=collection.details_checked,
        fingerprint_checked=collection.fingerprint_checked,
        signed=collection.signed,
        agent=collection.agent,
    )


def due_date_set(day: date, due: date) -> Happened:
    return happened(DueDateSet, day, due_date=due)


def reached(
    stage: Stage, brought: Submission = SUBMISSION, day: date = DAY, **changes: Any
) -> list[Happened]:
    """The events from the acceptance to this stage."""
    if stage is Stage.RETURNED:
        stages = [Stage.SENT_TO_HUKOU_POLICE, stage]
    elif stage is Stage.WITHDRAWN:
        stages = [stage]
    else:
        in_order = [Stage.ACCEPTED, *_IN_ORDER, Stage.COLLECTED]
        stages = in_order[1 : in_order.index(stage) + 1]
    return [accepted(brought, day, **changes), *(moved_to(each, day) for each in stages)]
