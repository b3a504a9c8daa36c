"""The stages: every pair of one and a command, and random sequences of commands."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from domain import data_protection
from domain.data_protection import Order
from domain.errors import HolderIsRestricted, InvalidDetails, Refused
from domain.id_cards.errors import WrongStage
from domain.id_cards.events import (
    ApplicationApproved,
    ApplicationReturned,
    ApplicationWithdrawn,
    CardArrived,
    CardCollected,
    CardProduced,
    SentToHukouPolice,
)
from domain.id_cards.stages import COMES_FROM, Stage
from permit_ledger.bootstrap.workdays import MainlandWorkdays
from tests.domain.id_cards.conftest import DAY

S = Stage
OPEN = [S.ACCEPTED, S.SENT_TO_HUKOU_POLICE, S.APPROVED, S.PRODUCED, S.ARRIVED]
EVENTS = {
    S.SENT_TO_HUKOU_POLICE: SentToHukouPolice,
    S.APPROVED: ApplicationApproved,
    S.RETURNED: ApplicationReturned,
    S.PRODUCED: CardProduced,
    S.ARRIVED: CardArrived,
    S.COLLECTED: CardCollected,
    S.WITHDRAWN: ApplicationWithdrawn,
}
WAYS = {S.RETURNED: [S.SENT_TO_HUKOU_POLICE, S.RETURNED], S.WITHDRAWN: [S.WITHDRAWN]}
ALLOWED = {
    (S.ACCEPTED, S.SENT_TO_HUKOU_POLICE),
    (S.SENT_TO_HUKOU_POLICE, S.APPROVED),
    (S.SENT_TO_HUKOU_POLICE, S.RETURNED),
    (S.APPROVED, S.PRODUCED),
    (S.PRODUCED, S.ARRIVED),
    (S.ARRIVED, S.COLLECTED),
    *((stage, S.WITHDRAWN) for stage in OPEN),
}


@pytest.mark.parametrize("wanted", EVENTS)
@pytest.mark.parametrize("stage", Stage)
def test_every_stage_and_command(given, acts, stage, wanted):
    """One event where it may follow; elsewhere a refusal that names both stages, and nothing."""
    application = given(stage)
    act = acts(application)[wanted]

    if (stage, wanted) in ALLOWED:
        act()
        assert [EVENTS[wanted]] == [type(event) for event in application.collect_events()]
        assert wanted is application.stage
    else:
        with pytest.raises(WrongStage) as refused:
            act()
        assert (stage, []) == (refused.value.stage, application.collect_events())
        assert f"The application is {stage}; " in refused.value.detail
        for expected in COMES_FROM[wanted]:
            assert expected in refused.value.detail


def test_the_table_of_the_stages_is_that_of_the_tests():
    """Said twice, on purpose."""
    told = {(stage, wanted) for wanted, before in COMES_FROM.items() for stage in before}
    assert ALLOWED == told


@pytest.mark.parametrize("stage", Stage)
def test_open_and_awaiting(stage):
    """A card that has arrived is late no more; what has ended is neither."""
    assert (stage in OPEN) == stage.is_open
    assert (stage in OPEN and stage is not S.ARRIVED) == stage.awaits_card


@drawn(st.lists(st.sampled_from(list(EVENTS)), max_size=40))
def test_no_sequence_of_commands_reaches_a_stage_out_of_order(accept, acts, commands):
    """Whatever is asked for in whatever order: the way is the one way, or leaves it for good."""
    application = accept()
    seen = [application.stage]
    for wanted in commands:
        version = application.version
        try:
            acts(application)[wanted]()
        except WrongStage:
            assert version == application.version
            assert seen[-1] is application.stage
        else:
            assert version + 1 == application.version
            seen.append(application.stage)
    assert len(seen) == len(set(seen))
    assert all(pair in ALLOWED for pair in pairwise(seen))
    way = [stage for stage in seen if stage not in {S.RETURNED, S.WITHDRAWN}]
    main = [*OPEN, S.COLLECTED]
    assert main[: len(way)] == way


@pytest.mark.parametrize("stage", Stage)
def test_its_history_makes_the_same_application(accept, acts, stage):
    """Folded from its events, as when it is read from the log."""
    application = accept()
    for wanted in WAYS.get(stage, [*OPEN[1:], S.COLLECTED]):
        if application.stage is not stage:
            acts(application)[wanted]()
    folded = None
    for event in application.collect_events():
        folded = event.mutate(folded)
    assert vars(application) == vars(folded)
    assert stage is folded.stage


def test_a_return_gives_its_reason(given, on):
    """One that says something, and not too much."""
    application = given(S.SENT_TO_HUKOU_POLICE)
    for reason in ("", "  ", "长" * 501):
        with pytest.raises(InvalidDetails, match="reason"):
            application.send_back(reason, on(DAY))
    application.send_back(" 照片不符 ", on(DAY))
    assert "照片不符" == application.return_reason


def test_bad_input_comes_before_the_stage(given, on):
    """A reason that is none is none at any stage."""
    with pytest.raises(InvalidDetails):
        given(S.ACCEPTED).send_back("", on(DAY))


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage.is_open])
def test_nothing_is_done_with_a_restricted_applicant(given, acts, on, stage):
    """Until the restriction is lifted; what could not be done anyway is refused as ever."""
    application = given(stage)
    order = Order("PIPL 47", "case-1")
    data_protection.restrict([application], order, on(DAY))
    for wanted, act in acts(application).items():
        expected = HolderIsRestricted if (stage, wanted) in ALLOWED else WrongStage
        with pytest.raises(expected):
            act()
    data_protection.lift_restriction([application], order, on(DAY))
    acts(application)[S.WITHDRAWN]()


def test_a_due_date_that_is_final_stays(given, on):
    """And one of an application that has ended needs none."""
    application = given(S.ACCEPTED)
    application.settle_due_date(MainlandWorkdays(), on(date(2026, 9, 20)))
    assert [] == application.collect_events()


def test_refusals_are_refusals(given, acts):
    """A rule's no, which is a kept answer."""
    with pytest.raises(Refused):
        acts(given(S.COLLECTED))[S.WITHDRAWN]()
