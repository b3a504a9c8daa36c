"""The stages: every pair of one and a command, and random sequences of commands."""

from copy import deepcopy
from itertools import pairwise

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from domain import data_protection
from domain.errors import HolderIsRestricted, Refused
from domain.id_cards.errors import OtherStation, WrongStage
from domain.id_cards.events import ApplicantRestricted, ApplicantRestrictionLifted
from domain.id_cards.stages import COMES_FROM, Stage
from tests.domain.id_cards.scenario import (
    COMMANDS,
    DAY,
    REASON,
    accept,
    command_to,
    moved_to,
    reached,
)
from tests.domain.scenario import (
    ORDER,
    given,
    holder_restricted,
    holder_restriction_lifted,
    on,
)

S = Stage
OPEN = [S.ACCEPTED, S.SENT_TO_HUKOU_POLICE, S.APPROVED, S.PRODUCED, S.ARRIVED]
ALLOWED = {
    (S.ACCEPTED, S.SENT_TO_HUKOU_POLICE),
    (S.SENT_TO_HUKOU_POLICE, S.APPROVED),
    (S.SENT_TO_HUKOU_POLICE, S.RETURNED),
    (S.APPROVED, S.PRODUCED),
    (S.PRODUCED, S.ARRIVED),
    (S.ARRIVED, S.COLLECTED),
    *((stage, S.WITHDRAWN) for stage in OPEN),
}


@pytest.mark.parametrize("wanted", COMMANDS)
@pytest.mark.parametrize("stage", Stage)
def test_every_stage_and_command(stage, wanted):
    """One event where it may follow; elsewhere a refusal that names both stages."""
    asked = given(*reached(stage)).when(command_to(wanted))

    if (stage, wanted) in ALLOWED:
        assert wanted is asked.then(moved_to(wanted)).stage
    else:
        refusal = asked.refused(WrongStage, stage=stage)
        assert f"The application is {stage}; " in refusal.detail
        for expected in COMES_FROM[wanted]:
            assert expected in refusal.detail


def test_the_table_of_the_stages_is_that_of_the_tests():
    """Written twice, on purpose."""
    table = {(stage, wanted) for wanted, before in COMES_FROM.items() for stage in before}
    assert ALLOWED == table


@pytest.mark.parametrize("stage", Stage)
def test_open_and_awaiting(stage):
    """A card that has arrived is late no more; what has ended is neither."""
    assert (stage in OPEN) == stage.is_open
    assert (stage in OPEN and stage is not S.ARRIVED) == stage.awaits_card


@drawn(st.lists(st.sampled_from(list(COMMANDS)), max_size=40))
def test_no_sequence_of_commands_reaches_a_stage_out_of_order(commands):
    """In whatever order commands come, stages follow one another or leave the order for good."""
    application = accept()(None)
    seen = [application.stage]
    for wanted in commands:
        before = deepcopy(application)
        try:
            command_to(wanted)(application)
        except WrongStage:
            assert before == application
        else:
            assert before.version + 1 == application.version
            seen.append(application.stage)
    assert len(seen) == len(set(seen))
    assert all(pair in ALLOWED for pair in pairwise(seen))
    way = [stage for stage in seen if stage not in {S.RETURNED, S.WITHDRAWN}]
    main = [*OPEN, S.COLLECTED]
    assert main[: len(way)] == way


@pytest.mark.parametrize("stage", Stage)
def test_the_history_folds_to_the_same_application(stage):
    """As when it is read from the log."""
    application = accept()(None)
    for event in reached(stage)[1:]:
        wanted = next(each for each in COMMANDS if moved_to(each).kind is event.kind)
        command_to(wanted)(application)
    folded = given(*reached(stage)).aggregate
    assert application.collect_events() == given(*reached(stage)).events
    assert vars(application) == vars(folded)
    assert stage is folded.stage


@pytest.mark.parametrize("wanted", COMMANDS)
@pytest.mark.parametrize("stage", [stage for stage in Stage if stage.is_open])
def test_only_the_station_that_has_accepted_it_takes_a_step(stage, wanted):
    """Neither another one of the district nor one of no station; the stage is not told."""
    for station in ("320211-02", "320281-03", None):
        (
            given(*reached(stage))
            .when(lambda a, station=station: COMMANDS[wanted](a, on(DAY, station=station)))
            .refused(OtherStation, code="OTHER_STATION")
        )


@pytest.mark.parametrize("reason", ["", "  ", "长" * 501])
@pytest.mark.parametrize("stage", [S.SENT_TO_HUKOU_POLICE, S.ACCEPTED])
def test_a_return_needs_a_reason(stage, reason):
    """Of 1 to 500 characters; it is checked before the stage."""
    (
        given(*reached(stage))
        .when(lambda application: application.send_back(reason, on(DAY)))
        .invalid("reason")
    )


def test_a_reason_is_kept_without_the_space_around():
    """On the event and on the application."""
    application = (
        given(*reached(S.SENT_TO_HUKOU_POLICE))
        .when(lambda application: application.send_back(f" {REASON} ", on(DAY)))
        .then(moved_to(S.RETURNED))
    )
    assert REASON == application.return_reason


@pytest.mark.parametrize("wanted", COMMANDS)
@pytest.mark.parametrize("stage", [stage for stage in Stage if stage.is_open])
def test_a_restricted_applicant_is_not_used(stage, wanted):
    """Until the restriction is lifted; what could not be done anyway is refused for the stage."""
    (
        given(*reached(stage), holder_restricted(DAY, ApplicantRestricted))
        .when(command_to(wanted))
        .refused(HolderIsRestricted if (stage, wanted) in ALLOWED else WrongStage)
    )


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage.is_open])
def test_a_lifted_restriction_lets_the_application_go_on(stage):
    """From the stage where it was."""
    restricted = holder_restricted(DAY, ApplicantRestricted)
    lifted = holder_restriction_lifted(DAY, ApplicantRestrictionLifted)

    given(*reached(stage)).when(
        lambda application: data_protection.restrict([application], ORDER, on(DAY))
    ).then(restricted)
    given(*reached(stage), restricted).when(
        lambda application: data_protection.lift_restriction([application], ORDER, on(DAY))
    ).then(lifted)
    given(*reached(stage), restricted, lifted).when(command_to(S.WITHDRAWN)).then(
        moved_to(S.WITHDRAWN)
    )


def test_a_wrong_stage_is_a_refusal_by_a_rule():
    """So its response is idempotent like any other."""
    assert issubclass(WrongStage, Refused)
