"""C10, C11: who may have the card, and what has to be done before."""

from dataclasses import replace
from itertools import product

import pytest

from domain.errors import HolderIsRestricted
from domain.id_cards.collection import CollectedBy, Collection
from domain.id_cards.errors import CollectionIncomplete, CollectionNotAsChosen, WrongStage
from domain.id_cards.events import ApplicantRestricted
from domain.id_cards.stages import Stage
from domain.id_cards.submission import CollectionMethod
from domain.person import Guardian
from tests.domain.id_cards.scenario import (
    CHILDS_SUBMISSION,
    DAY,
    IN_PERSON,
    SUBMISSION,
    collect,
    collected,
    reached,
)
from tests.domain.scenario import given, holder_restricted

AGENT = Guardian("测代办", "990000199001010025")
BY_AGENT = Collection(CollectedBy.AGENT, receipt_shown=True, signed=True, agent=AGENT)
BY_MAIL = Collection(CollectedBy.MAIL)
STEPS = ["receipt_shown", "details_checked", "fingerprint_checked", "signed"]


def arrived(method=CollectionMethod.IN_PERSON):
    """A card at the counter, to be handed over as was chosen."""
    return given(*reached(Stage.ARRIVED, replace(SUBMISSION, collection=method)))


@pytest.mark.parametrize("done", [*product([True, False], repeat=4)])
def test_c10_in_person_all_four_steps_are_taken(done):
    """Receipt, details, fingerprint, signature: the refusal names all that are left to do."""
    collection = replace(IN_PERSON, **dict(zip(STEPS, done, strict=True)))
    missing = tuple(step for step, is_done in zip(STEPS, done, strict=True) if not is_done)
    if missing:
        arrived().when(collect(collection)).refused(CollectionIncomplete, missing=missing)
    else:
        application = arrived().when(collect(collection)).then(collected(IN_PERSON))
        assert (Stage.COLLECTED, "applicant") == (application.stage, application.collected_by)


def test_c10_for_a_child_nothing_is_waived():
    """The guardian signs."""
    childs = given(*reached(Stage.ARRIVED, CHILDS_SUBMISSION))

    childs.when(collect(replace(IN_PERSON, fingerprint_checked=False))).refused(
        CollectionIncomplete
    )
    childs.when(collect(IN_PERSON)).then(collected(IN_PERSON))


@pytest.mark.parametrize("method", CollectionMethod)
@pytest.mark.parametrize("collection", [IN_PERSON, BY_AGENT, BY_MAIL], ids=lambda one: one.by)
def test_c11_by_agent_or_by_mail_only_if_chosen(method, collection):
    """In person in any case."""
    handed_over = arrived(method).when(collect(collection))
    if collection.by in {"applicant", method}:
        handed_over.then(collected(collection))
    else:
        handed_over.refused(CollectionNotAsChosen)


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"receipt_shown": False}, ["receipt_shown"]),
        ({"signed": False}, ["signed"]),
        ({"agent": None}, ["agent"]),
        (
            {"receipt_shown": False, "agent": None, "signed": False},
            ["receipt_shown", "agent", "signed"],
        ),
    ],
)
def test_c11_an_agent_shows_a_card_and_the_receipt_and_signs(change, missing):
    """No fingerprint: an agent's is not the applicant's."""
    (
        arrived(CollectionMethod.AGENT)
        .when(collect(replace(BY_AGENT, **change)))
        .refused(CollectionIncomplete, missing=tuple(missing))
    )


@pytest.mark.parametrize(
    ("agent", "field", "code"),
    [
        (Guardian("x", "990000199001010025"), "agent.name", "INVALID_REQUEST"),
        (
            Guardian("测代办", "990000199001010026"),
            "agent.citizen_id_number",
            "INVALID_CITIZEN_ID",
        ),
        (Guardian("测代办", "990000199001010017"), "agent.citizen_id_number", "INVALID_REQUEST"),
    ],
)
def test_an_agent_is_another_person_with_an_own_number(agent, field, code):
    """The applicant is no agent."""
    (
        arrived(CollectionMethod.AGENT)
        .when(collect(replace(BY_AGENT, agent=agent)))
        .invalid(field, code=code)
    )


@pytest.mark.parametrize("collection", [IN_PERSON, BY_MAIL], ids=lambda one: one.by)
def test_an_agent_is_named_only_where_one_collects(collection):
    """An agent who did not come is not put on record."""
    (
        arrived(CollectionMethod.MAIL)
        .when(collect(replace(collection, agent=AGENT)))
        .invalid("agent")
    )


def test_the_stage_comes_first_then_the_choice_then_what_is_missing():
    """Of several reasons."""
    nothing = collect(Collection(CollectedBy.AGENT))

    given(*reached(Stage.PRODUCED)).when(nothing).refused(WrongStage)
    arrived().when(nothing).refused(CollectionNotAsChosen)


def test_a_restricted_applicants_number_is_not_compared_with_an_agents():
    """A refusal that differs for the applicant's own number would tell it."""
    by_agent = replace(SUBMISSION, collection=CollectionMethod.AGENT)
    restricted = holder_restricted(DAY, ApplicantRestricted)
    for agent in (AGENT, Guardian("测代办", "990000199001010017")):
        (
            given(*reached(Stage.ARRIVED, by_agent), restricted)
            .when(collect(replace(BY_AGENT, agent=agent)))
            .refused(HolderIsRestricted)
        )
