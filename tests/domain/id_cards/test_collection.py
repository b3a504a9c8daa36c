"""C10, C11: who may have the card, and what has to be done before."""

from dataclasses import replace
from itertools import product

import pytest

from domain.errors import InvalidDetails
from domain.id_cards.collection import CollectedBy, Collection
from domain.id_cards.errors import CollectionIncomplete, CollectionNotAsChosen, WrongStage
from domain.id_cards.stages import Stage
from domain.id_cards.submission import CollectionMethod
from domain.person import Guardian
from tests.domain.id_cards.conftest import DAY, IN_PERSON

AGENT = Guardian("测代办", "990000199001010025")
BY_AGENT = Collection(CollectedBy.AGENT, receipt_shown=True, signed=True, agent=AGENT)
BY_MAIL = Collection(CollectedBy.MAIL)
STEPS = ["receipt_shown", "details_checked", "fingerprint_checked", "signed"]


@pytest.fixture
def arrived(given, submission):
    """``arrived(method)``: a card that waits, to be handed over as was chosen."""

    def arrived(method=CollectionMethod.IN_PERSON):
        return given(Stage.ARRIVED, submission(collection=method))

    return arrived


@pytest.mark.parametrize("done", [*product([True, False], repeat=4)])
def test_c10_in_person_all_four_steps_are_taken(arrived, on, done):
    """Receipt, details, fingerprint, signature: what is left to do is told at once."""
    application = arrived()
    collection = replace(IN_PERSON, **dict(zip(STEPS, done, strict=True)))
    missing = [step for step, is_done in zip(STEPS, done, strict=True) if not is_done]
    if missing:
        with pytest.raises(CollectionIncomplete) as refused:
            application.collect(collection, on(DAY))
        assert missing == [*refused.value.missing]
        assert Stage.ARRIVED is application.stage
    else:
        application.collect(collection, on(DAY))
        assert (Stage.COLLECTED, "applicant") == (application.stage, application.collected_by)


def test_c10_for_a_child_nothing_is_waived(given, child, on):
    """The guardian signs."""
    application = given(Stage.ARRIVED, child())
    with pytest.raises(CollectionIncomplete):
        application.collect(replace(IN_PERSON, fingerprint_checked=False), on(DAY))
    application.collect(IN_PERSON, on(DAY))


@pytest.mark.parametrize("method", CollectionMethod)
@pytest.mark.parametrize("collection", [IN_PERSON, BY_AGENT, BY_MAIL], ids=lambda one: one.by)
def test_c11_by_agent_or_by_mail_only_if_chosen(arrived, on, method, collection):
    """In person in any case."""
    application = arrived(method)
    if collection.by in {"applicant", method}:
        application.collect(collection, on(DAY))
        assert Stage.COLLECTED is application.stage
    else:
        with pytest.raises(CollectionNotAsChosen):
            application.collect(collection, on(DAY))


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
def test_c11_an_agent_shows_a_card_and_the_receipt_and_signs(arrived, on, change, missing):
    """Nobody takes an agent's fingerprint for the applicant's."""
    application = arrived(CollectionMethod.AGENT)
    with pytest.raises(CollectionIncomplete) as refused:
        application.collect(replace(BY_AGENT, **change), on(DAY))
    assert missing == [*refused.value.missing]
    application.collect(BY_AGENT, on(DAY))
    assert AGENT == application.collect_events()[-1].agent


@pytest.mark.parametrize(
    ("agent", "field"),
    [
        (Guardian("x", "990000199001010025"), "agent.name"),
        (Guardian("测代办", "990000199001010026"), "agent.citizen_id_number"),
        (Guardian("测代办", "990000199001010017"), "agent.citizen_id_number"),
    ],
)
def test_an_agent_is_somebody_else_with_an_own_number(arrived, on, agent, field):
    """The applicant is no agent."""
    with pytest.raises(InvalidDetails) as refused:
        arrived(CollectionMethod.AGENT).collect(replace(BY_AGENT, agent=agent), on(DAY))
    assert [field] == [p.field for p in refused.value.problems]


@pytest.mark.parametrize("collection", [IN_PERSON, BY_MAIL], ids=lambda one: one.by)
def test_nobody_is_put_on_record_who_did_not_come(arrived, on, collection):
    """An agent is named where one collects."""
    with pytest.raises(InvalidDetails, match="where an agent collects"):
        arrived(CollectionMethod.MAIL).collect(replace(collection, agent=AGENT), on(DAY))


def test_the_stage_comes_first_then_the_choice_then_what_is_missing(given, on):
    """Of several reasons."""
    nothing = Collection(CollectedBy.AGENT)
    with pytest.raises(WrongStage):
        given(Stage.PRODUCED).collect(nothing, on(DAY))
    with pytest.raises(CollectionNotAsChosen):
        given(Stage.ARRIVED).collect(nothing, on(DAY))
