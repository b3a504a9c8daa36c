"""The givens for identity cards: somebody of Shanghai at the counter, all papers in hand."""

from dataclasses import replace
from datetime import date

import pytest

from domain.id_cards.application import IdCardApplication
from domain.id_cards.collection import CollectedBy, Collection
from domain.id_cards.materials import Material
from domain.id_cards.people import Applicant
from domain.id_cards.stages import Stage
from domain.id_cards.submission import CollectionMethod, Submission
from domain.person import Guardian
from permit_ledger.bootstrap.workdays import MainlandWorkdays

RECEIPT = "7Q2M9K4T8XW57Q2M"
DAY = date(2026, 9, 14)
IN_PERSON = Collection(
    CollectedBy.APPLICANT,
    receipt_shown=True,
    details_checked=True,
    fingerprint_checked=True,
    signed=True,
)
WAY = [
    Stage.ACCEPTED,
    Stage.SENT_TO_HUKOU_POLICE,
    Stage.APPROVED,
    Stage.PRODUCED,
    Stage.ARRIVED,
    Stage.COLLECTED,
]


@pytest.fixture(scope="session")
def applicant():
    """``applicant(**changes)``: a man born on 1990-01-01, with these changes."""

    def applicant(**changes):
        person = Applicant(
            name="欧阳测试",
            sex="1",
            ethnicity="01",
            birth_date=date(1990, 1, 1),
            citizen_id_number="990000199001010017",
        )
        return replace(person, **changes)

    return applicant


@pytest.fixture(scope="session")
def submission(applicant):
    """``submission(**changes)``: a grown-up's, all in order but for the changes."""

    def submission(**changes):
        in_order = Submission(
            applicant=applicant(),
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
        return replace(in_order, **changes)

    return submission


@pytest.fixture(scope="session")
def child(applicant, submission):
    """``child(**changes)``: a boy of twelve with a parent, all in order but for the changes."""

    def child(**changes):
        in_order = {
            "applicant": applicant(
                name="测小明",
                birth_date=date(2014, 3, 5),
                citizen_id_number="990000201403050011",
            ),
            "materials": frozenset(
                {
                    Material.HOUSEHOLD_REGISTER,
                    Material.STUDY_PROOF,
                    Material.GUARDIAN_ID_CARD,
                    Material.GUARDIAN_HOUSEHOLD_REGISTER,
                }
            ),
            "guardian": Guardian("欧阳测试", "990000199001010017"),
        }
        return submission(**{**in_order, **changes})

    return child


@pytest.fixture(scope="session")
def accept(submission, on):
    """``accept(submission, day)``: the command, its event still pending."""

    def accept(brought=None, day=DAY, workdays=None):
        return IdCardApplication.accept(
            RECEIPT, "holder-1", brought or submission(), workdays or MainlandWorkdays(), on(day)
        )

    return accept


@pytest.fixture(scope="session")
def acts(on):
    """``acts(application)``: the command that leads to each stage, by stage."""

    def acts(application, collection=IN_PERSON):
        context = on(DAY)
        return {
            Stage.SENT_TO_HUKOU_POLICE: lambda: application.dispatch(context),
            Stage.APPROVED: lambda: application.approve(context),
            Stage.RETURNED: lambda: application.send_back("照片与户籍档案不符", context),
            Stage.PRODUCED: lambda: application.produce(context),
            Stage.ARRIVED: lambda: application.arrive(context),
            Stage.COLLECTED: lambda: application.collect(collection, context),
            Stage.WITHDRAWN: lambda: application.withdraw(context),
        }

    return acts


@pytest.fixture(scope="session")
def given(accept, acts):
    """``given(stage, **changes)``: an application that is there, nothing pending."""

    def given(stage, brought=None, day=DAY, workdays=None):
        application = accept(brought, day, workdays)
        ways = {
            Stage.RETURNED: [Stage.SENT_TO_HUKOU_POLICE, Stage.RETURNED],
            Stage.WITHDRAWN: [Stage.WITHDRAWN],
        }
        way = ways.get(stage, WAY[1:])
        for step in way:
            if application.stage is stage:
                break
            acts(application)[step]()
        assert stage is application.stage
        application.collect_events()
        return application

    return given
