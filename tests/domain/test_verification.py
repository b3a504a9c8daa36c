"""P20, P22 and section 4: what a check of a card answers, and what a verifier may see."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import combinations, product

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from domain.calendar import Term
from domain.card import Card, CardStatus
from domain.events import End
from domain.standing import Facts, PersonalData, Standing
from domain.verification import (
    CardCode,
    Outcome,
    Reason,
    Verdict,
    may_challenge,
    needs_code,
    scenario_fields,
    verify_card,
    verify_display,
)
from tests.domain.scenario import (
    cancelled,
    claimed,
    given,
    identity_corrected,
    issued,
    loss_reported,
    replaced,
    voided,
)

ISSUED = date(2025, 3, 31)
IN_FORCE, OVERDUE = date(2025, 9, 1), date(2026, 9, 1)

TROUBLES = ("voided", "use_suspended", "superseded_card", "reported_lost", "identity_stale")
"""In the order in which one reason hides the next."""


def troubled(troubles):
    """A permit in all of these troubles, and the day of the check."""
    happened = {
        "superseded_card": replaced(IN_FORCE),
        "identity_stale": identity_corrected(IN_FORCE, name="欧阳改名"),
        "reported_lost": loss_reported(IN_FORCE),
        "voided": voided(IN_FORCE),
    }
    events = [event for trouble, event in happened.items() if trouble in troubles]
    permit = given(issued(ISSUED), claimed(ISSUED), *events).aggregate
    return permit, OVERDUE if "use_suspended" in troubles else IN_FORCE


def test_a_card_of_a_permit_in_force_is_effective(standing):
    """One outcome, no reason."""
    verdict = verify_card(standing(given(issued(ISSUED)).aggregate, IN_FORCE), 1)

    assert Verdict(reason=None) == verdict
    assert Outcome.EFFECTIVE is verdict.outcome


@pytest.mark.parametrize("trouble", TROUBLES)
def test_each_trouble_has_its_reason(standing, trouble):
    """One reason, and the outcome is not effective."""
    verdict = verify_card(standing(*troubled({trouble})), 1)

    assert Verdict(Reason(trouble)) == verdict
    assert Outcome.NOT_EFFECTIVE is verdict.outcome


@pytest.mark.parametrize(("first", "second"), list(combinations(TROUBLES, 2)))
def test_p20_the_permits_reasons_come_before_the_cards(standing, first, second):
    """Of two troubles the check names the one that both tracks share, or that is worse."""
    assert Verdict(Reason(first)) == verify_card(standing(*troubled({first, second})), 1)


def test_a_cancelled_permit_is_ended_before_all_else(standing):
    """Overdue and lost no longer matter."""
    permit = given(issued(ISSUED), loss_reported(IN_FORCE), cancelled(IN_FORCE)).aggregate

    assert Verdict(Reason.ENDED) == verify_card(standing(permit, OVERDUE), 1)


def test_a_superseded_serial_is_dead_while_the_new_one_is_lost(standing):
    """Each serial answers for itself."""
    permit = given(issued(ISSUED), replaced(IN_FORCE), loss_reported(IN_FORCE, 2)).aggregate
    now = standing(permit, IN_FORCE)

    assert Verdict(Reason.SUPERSEDED_CARD) == verify_card(now, 1)
    assert Verdict(Reason.REPORTED_LOST) == verify_card(now, 2)


@pytest.mark.parametrize("serial", [-1, 0, 2, 99])
@pytest.mark.parametrize("trouble", [None, "voided", "use_suspended", "reported_lost"])
def test_a_serial_that_was_never_issued_is_unknown(standing, serial, trouble):
    """Below the first card or above the last, whatever state the permit is in."""
    assert Verdict(Reason.UNKNOWN_PERMIT) == verify_card(standing(*troubled({trouble})), serial)


def test_a_permit_never_issued_is_unknown():
    """No standing, no effect."""
    assert Verdict(Reason.UNKNOWN_PERMIT) == verify_card(None, 1)


@pytest.mark.parametrize("reason", list(Reason))
def test_any_reason_is_not_effective(reason):
    """Fail closed: undetermined is not good either."""
    assert Outcome.NOT_EFFECTIVE is Verdict(reason).outcome


def test_p22_a_verifier_sees_the_fields_of_its_own_scenario(policy):
    """As many as the scenario needs."""
    fields = scenario_fields(policy, "patrol_inspection", frozenset({"patrol_inspection"}))

    assert fields == ("name", "portrait", "valid_until")


@pytest.mark.parametrize(
    ("scenario", "registered"),
    [
        pytest.param("entry_exit", {"patrol_inspection"}, id="anothers"),
        pytest.param("entry_exit", set(), id="registered-for-nothing"),
        pytest.param("hotel_check_in", {"patrol_inspection"}, id="not-in-the-policy"),
        pytest.param("hotel_check_in", {"hotel_check_in"}, id="registered-for-no-scenario"),
    ],
)
def test_p22_any_other_scenario_is_not_allowed(policy, scenario, registered):
    """It takes both: the policy's list and the verifier's registration."""
    assert scenario_fields(policy, scenario, frozenset(registered)) is None


# -- both tracks -------------------------------------------------------------------------------

CARDS = st.builds(
    Card,
    serial=st.integers(1, 4),
    due_on=st.just(ISSUED),
    status=st.sampled_from(CardStatus),
    identity_stale=st.booleans(),
    delivered_on=st.none(),
)
FACTS = st.builds(
    Facts,
    permit_number=st.just("7Q2M9K4T8XW5"),
    holder_id=st.just("holder"),
    version=st.integers(1, 50),
    term=st.builds(Term, st.dates(date(2020, 1, 1), date(2026, 1, 1)), st.integers(1, 9)),
    endorsements=st.integers(0, 9),
    card=CARDS,
    claimed=st.booleans(),
    devices=st.integers(0, 5),
    end=st.none() | st.sampled_from(End),
    personal_data=st.sampled_from(PersonalData),
)
DAYS = st.dates(date(2020, 1, 1), date(2036, 1, 1))
OF_THE_CARD = {Reason.SUPERSEDED_CARD, Reason.REPORTED_LOST, Reason.IDENTITY_STALE}


@drawn(FACTS, DAYS, st.booleans())
def test_p20_equal_state_equal_answer(facts, today, is_bound):
    """Whatever the permit's state: but for what is wrong with the card alone, or with the phone
    alone, both tracks answer the same."""
    standing = Standing(facts, today)
    card = verify_card(standing, facts.card.serial)
    shown = verify_display(standing, is_live=True, is_bound=is_bound)

    if card.reason not in OF_THE_CARD and facts.claimed and is_bound:
        assert card == shown
    if shown.reason is Reason.NOT_LIVE:
        assert card.reason in OF_THE_CARD | {None}
    assert shown.reason not in OF_THE_CARD


def test_from_a_day_on_cards_are_checked_with_their_codes(policy, standing):
    """The policy's day counts for when the current card is due. Those before it need their code as
    well: without it they would tell whether the permit is in force."""
    seen = standing(given(issued(ISSUED), replaced(IN_FORCE)).aggregate, IN_FORCE)
    due = seen.facts.card.due_on
    for first, expected in [(None, False), (due, True), (due + timedelta(days=1), False)]:
        assert expected is needs_code(seen, replace(policy, card_codes_from=first))
    assert not needs_code(None, replace(policy, card_codes_from=due))
    for serial, code in product([1, 2], [CardCode.WRONG, CardCode.MISSING]):
        assert Verdict(Reason.UNKNOWN_PERMIT) == verify_card(seen, serial, code)
    assert Verdict(Reason.SUPERSEDED_CARD) == verify_card(seen, 1, CardCode.RIGHT)


@drawn(FACTS, DAYS, st.booleans())
def test_p21_a_code_that_is_not_live_discloses_nothing(facts, today, is_bound):
    """Of any permit, in any state."""
    shown = verify_display(Standing(facts, today), is_live=False, is_bound=is_bound)
    assert Verdict(Reason.NOT_LIVE) == shown == verify_display(None, is_live=False, is_bound=False)


@pytest.mark.parametrize(
    ("scenario", "registered", "may"),
    [
        ("law_enforcement", {"law_enforcement"}, True),
        ("entry_exit", {"entry_exit", "law_enforcement"}, True),
        ("law_enforcement", {"entry_exit"}, False),
        ("patrol_inspection", {"patrol_inspection"}, False),
        ("dog_walking", {"dog_walking"}, False),
    ],
)
def test_which_verifiers_may_require_a_challenge(policy, scenario, registered, may):
    """In the policy's scenarios of high risk, for verifiers registered for them."""
    assert may is may_challenge(policy, scenario, frozenset(registered))
