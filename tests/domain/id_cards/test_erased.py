"""An applicant's erasure, and what stays of the application."""

from dataclasses import replace
from datetime import date

import pytest

from domain import data_protection
from domain.data_protection import Order
from domain.id_cards.errors import WrongStage
from domain.id_cards.events import ApplicantErased, ApplicantErasureRequested
from domain.id_cards.stages import Stage
from domain.personal import ERASED
from tests.domain.id_cards.scenario import COMMANDS, DAY, command_to, reached
from tests.domain.scenario import OFFICERS, ORDER, erasure_requested, given, holder_erased, on

UNTIL = date(2026, 12, 1)
ASKED = erasure_requested(DAY, ApplicantErasureRequested)
APPLICANT_ERASED = holder_erased(DAY, UNTIL, ApplicantErased)


def erase(application, order=ORDER):
    data_protection.erase(
        [application],
        order,
        key="key-commitment",
        backups_hold_key_until=UNTIL,
        context=replace(on(DAY), actor=OFFICERS[1]),
    )


@pytest.mark.parametrize("stage", Stage)
def test_an_erasure_ends_the_application_and_leaves_no_personal_data(stage):
    """An open one is withdrawn; one that had ended stays as it ended."""
    application = given(*reached(stage), ASKED).when(erase).then(APPLICANT_ERASED)

    assert (ERASED, True) == (application.identity, application.erased)
    assert (Stage.WITHDRAWN if stage.is_open else stage) is application.stage
    assert application.return_reason in {None, ERASED}
    for wanted in COMMANDS:
        (given(*reached(stage), APPLICANT_ERASED).when(command_to(wanted)).refused(WrongStage))


def test_an_order_must_not_identify_the_applicant():
    """It stays in the log in the clear."""
    by_name = Order("PIPL 47", "欧阳测试")
    (
        given(*reached(Stage.ACCEPTED))
        .when(lambda application: erase(application, by_name))
        .invalid("case")
    )


def test_an_applicant_is_erased_once():
    """The second time changes nothing."""
    given(*reached(Stage.ACCEPTED), APPLICANT_ERASED).when(erase).then_nothing()
