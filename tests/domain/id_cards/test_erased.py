"""An applicant's erasure, and what stays of the application."""

from datetime import date

import pytest

from domain import data_protection
from domain.data_protection import Order
from domain.errors import InvalidDetails
from domain.id_cards.errors import WrongStage
from domain.id_cards.stages import Stage
from domain.personal import ERASED
from tests.domain.id_cards.conftest import DAY

ORDER = Order("PIPL 47", "case-1")


@pytest.fixture
def erase(on):
    """``erase(application)``: by two officers."""

    def erase(application, order=ORDER):
        data_protection.erase(
            [application],
            order,
            ["officer-1", "officer-2"],
            key="c0ffee",
            backups_hold_key_until=date(2026, 12, 1),
            context=on(DAY),
        )

    return erase


@pytest.mark.parametrize("stage", Stage)
def test_nobody_is_left_and_the_application_has_ended(given, erase, acts, stage):
    """What was under way is withdrawn; what had ended stays as it ended."""
    application = given(stage)
    erase(application)

    assert (ERASED, True) == (application.identity, application.erased)
    assert (Stage.WITHDRAWN if stage.is_open else stage) is application.stage
    assert application.return_reason in {None, ERASED}
    for act in acts(application).values():
        with pytest.raises(WrongStage):
            act()


def test_an_order_does_not_tell_whom_it_means(given, erase):
    """It stays in the log in the clear."""
    with pytest.raises(InvalidDetails, match="must not tell"):
        erase(given(Stage.ACCEPTED), Order("PIPL 47", "欧阳测试"))


def test_erased_twice_nothing_happens(given, erase):
    """The second time."""
    application = given(Stage.ACCEPTED)
    erase(application)
    application.collect_events()
    erase(application)
    assert [] == application.collect_events()
