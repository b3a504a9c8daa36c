"""Restriction, its lifting, and erasure: the same for each permit that the holder ever had."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from domain import data_protection
from domain.card import Card
from domain.data_protection import REQUEST_DAYS, TEXT_LENGTH_MAX, Order
from domain.errors import (
    HolderIsRestricted,
    NoErasureRequested,
    NotRestricted,
    PermitEnded,
    TwoOfficersRequired,
)
from domain.events import End
from domain.person import Erasure, Residence
from domain.personal import ERASED
from domain.verification import Reason, verify_card
from tests.domain.scenario import (
    COMMANDS,
    OFFICERS,
    ORDER,
    cancelled,
    claimed,
    erasure_requested,
    erasure_withdrawn,
    given,
    holder_erased,
    holder_restricted,
    holder_restriction_lifted,
    identity_corrected,
    issued,
    on,
    voided,
)

ISSUED, TODAY, UNTIL = date(2025, 3, 31), date(2026, 3, 1), date(2026, 4, 5)
NUMBER = "990000199001010017"
IN_FORCE = [issued(ISSUED), claimed(ISSUED)]
RESTRICTED, ERASED_TODAY = holder_restricted(TODAY), holder_erased(TODAY, UNTIL)
ASKED = erasure_requested(TODAY)
EVERY_PERMIT = pytest.mark.parametrize(
    "history",
    [IN_FORCE, [issued(ISSUED), cancelled(ISSUED)], [issued(ISSUED), voided(ISSUED)]],
    ids=["in-force", "cancelled", "voided"],
)


def restrict(permit, order=ORDER):
    data_protection.restrict([permit], order, on(TODAY))


def lift_restriction(permit, order=ORDER):
    data_protection.lift_restriction([permit], order, on(TODAY))


def erase_by(officer, *permits, order=ORDER, day=TODAY):
    data_protection.erase(
        permits,
        order,
        key="key-commitment",
        backups_hold_key_until=UNTIL,
        context=replace(on(day), actor=officer),
    )


def erase(*permits, order=ORDER):
    """What the second officer does."""
    erase_by(OFFICERS[1], *permits, order=order)


# -- restricted --------------------------------------------------------------------------------


@EVERY_PERMIT
def test_every_permit_is_restricted_once(history):
    """Ended ones too."""
    permit = given(*history).when(restrict).then(RESTRICTED)

    assert permit.restricted
    given(*history, RESTRICTED).when(restrict).then_nothing()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_restricted_holder_is_not_used(command):
    """Every command is refused for this reason and changes nothing."""
    (
        given(*IN_FORCE, RESTRICTED)
        .when(lambda permit: COMMANDS[command](permit, on(TODAY)))
        .refused(HolderIsRestricted)
    )


@EVERY_PERMIT
def test_no_check_is_answered_from_a_restricted_record(standing, history):
    """Neither yes nor why not, whether the permit is in force or has ended."""
    now = standing(given(*history, RESTRICTED).aggregate, TODAY)

    assert Reason.UNDETERMINED == verify_card(now, 1).reason
    assert (False, False) == (now.physical_effective, now.electronic_effective)


@EVERY_PERMIT
def test_a_lifted_restriction_leaves_the_permit_as_it_was(history):
    """But for its count of events and the time of the last."""
    permit = (
        given(*history, RESTRICTED).when(lift_restriction).then(holder_restriction_lifted(TODAY))
    )

    assert facts(given(*history).aggregate) == facts(permit)


def test_a_restriction_that_is_not_there_is_not_lifted():
    """Never restricted, or lifted already."""
    given(*IN_FORCE).when(lift_restriction).refused(NotRestricted)
    lifted = given(*IN_FORCE, RESTRICTED, holder_restriction_lifted(TODAY))
    lifted.when(lift_restriction).refused(NotRestricted)


def test_one_command_is_for_all_permits_of_the_holder():
    """Each has the event; one that has it already is left out."""
    permits = [given(*IN_FORCE).aggregate, given(issued(ISSUED), RESTRICTED).aggregate]

    data_protection.restrict(permits, ORDER, on(TODAY))

    assert [[RESTRICTED.at(3)], []] == [permit.collect_events() for permit in permits]
    data_protection.lift_restriction(permits, ORDER, on(TODAY))
    lifted = holder_restriction_lifted(TODAY)
    assert [[lifted.at(4)], [lifted.at(3)]] == [permit.collect_events() for permit in permits]
    erase_by("officer-1", *permits)
    assert [[ASKED.at(5)], [ASKED.at(4)]] == [permit.collect_events() for permit in permits]
    erase(*permits)
    assert [[ERASED_TODAY.at(6)], [ERASED_TODAY.at(5)]] == [
        permit.collect_events() for permit in permits
    ]


# -- erased ------------------------------------------------------------------------------------


@EVERY_PERMIT
def test_an_erasure_is_the_last_event_of_every_permit(history):
    """It ends one that is in force and leaves the end of another as it was."""
    before = given(*history).aggregate.end

    permit = given(*history, ASKED).when(erase).then(ERASED_TODAY)

    assert (before or End.ENDED) is permit.end
    given(*history, ERASED_TODAY).when(erase).then_nothing()
    given(*history, ERASED_TODAY).when(restrict).then_nothing()


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_follows_an_erasure(command):
    """The permit has ended."""
    (
        given(*IN_FORCE, ERASED_TODAY)
        .when(lambda permit: COMMANDS[command](permit, on(TODAY)))
        .refused(PermitEnded)
    )


def test_a_restricted_holder_can_be_erased():
    """The restriction is gone with the person."""
    permit = given(*IN_FORCE, RESTRICTED, ASKED).when(erase).then(ERASED_TODAY)

    assert not permit.restricted
    given(*IN_FORCE, RESTRICTED, ERASED_TODAY).when(lift_restriction).refused(NotRestricted)


def test_no_personal_data_is_left_after_an_erasure():
    """But for the division, and what is on record of the erasure itself."""
    corrected = identity_corrected(TODAY, name="欧阳改名")

    permit = given(*IN_FORCE, corrected, ASKED).when(erase).then(ERASED_TODAY)

    assert (ERASED, {}, Residence("320211", ERASED)) == (
        permit.identity,
        permit.devices,
        permit.residence,
    )
    assert Card(1, permit.card.due_on) == permit.card
    assert "欧阳" not in str(vars(permit))
    assert permit.erasure == Erasure(
        on(TODAY).at, ORDER.legal_basis, ORDER.case, tuple(OFFICERS), "key-commitment", UNTIL
    )
    with pytest.raises(PermitEnded):
        _ = permit.person


def test_the_first_officer_only_asks():
    """Nothing but the request is on record, for seven days; the same officer adds nothing."""
    first = given(*IN_FORCE)
    permit = first.when(lambda permit: erase_by("officer-1", permit)).then(ASKED)

    assert (False, None) == (permit.erased, permit.end)
    given(*IN_FORCE, ASKED).when(lambda permit: erase_by("officer-1", permit)).then_nothing()
    in_time = TODAY + timedelta(days=REQUEST_DAYS - 1)
    assert data_protection.waiting_request([permit], on(in_time).at).officer == "officer-1"


def test_a_late_approval_is_a_request_of_its_own():
    late = TODAY + timedelta(days=REQUEST_DAYS)
    (
        given(*IN_FORCE, ASKED)
        .when(lambda permit: erase_by("officer-2", permit, day=late))
        .then(erasure_requested(late, officer="officer-2"))
    )


@pytest.mark.parametrize("other", [{"case": "2026-DP-18"}, {"legal_basis": "PIPL 15"}])
def test_both_officers_give_the_same_reason_and_case(other):
    order = replace(ORDER, **other)
    given(*IN_FORCE, ASKED).when(lambda permit: erase(permit, order=order)).refused(
        TwoOfficersRequired
    )


def test_a_request_is_withdrawn_once():
    """By anyone who could approve; afterwards an order is a first one again."""

    def withdraw(permit):
        data_protection.withdraw_erasure([permit], replace(on(TODAY), actor="officer-2"))

    withdrawn = erasure_withdrawn(TODAY)
    given(*IN_FORCE, ASKED).when(withdraw).then(withdrawn)
    given(*IN_FORCE, ASKED, withdrawn).when(withdraw).refused(NoErasureRequested)
    given(*IN_FORCE).when(withdraw).refused(NoErasureRequested)
    (
        given(*IN_FORCE, ASKED, withdrawn)
        .when(erase)
        .then(erasure_requested(TODAY, officer="officer-2"))
    )


# -- what stays in the clear -------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x" * (TEXT_LENGTH_MAX + 1),
        "two\nlines",
        "of 欧阳测试",
        "欧阳测试",
        "欧阳 测试",
        "欧阳·测试先生",
        NUMBER,
        f"of {NUMBER}.",
        f"1{NUMBER}2",
        "990000 19900101 0017",
        "990000-19900101-0017",
        "99.00.00.1990.01.01.00.17",
        "990000–19900101, 0017",
        "990000199001010017".translate({48 + n: 0xFF10 + n for n in range(10)}),
        "990000199001010017".translate({48 + n: 0x0660 + n for n in range(10)}),
        "\u3164".join(NUMBER),
        "欧\u3164阳\uffa0测试",
        "\u3164",
        "officer-1\u2800",
        "officer-1\ufe0f",
        "offi\u034fcer-1",
        "王\U000e0100",
    ],
    ids=repr,
)
@pytest.mark.parametrize("command", [restrict, lift_restriction, erase])
@pytest.mark.parametrize("field", ["legal_basis", "case"])
def test_a_text_must_not_identify_the_holder(command, field, text):
    """It stays in the log for ever, in the clear: no name of the holder, no citizen number, however
    it is written, and nothing that can't be seen."""
    order = replace(ORDER, **{field: text})
    given(*IN_FORCE, RESTRICTED).when(lambda permit: command(permit, order=order)).invalid(field)


@pytest.mark.parametrize("text", ["GDPR 17 (1)", "案号 2026-007", "9" * 17, "x" * TEXT_LENGTH_MAX])
def test_other_texts_are_kept(text):
    """As they are given, without the space around."""
    order = Order(f" {text} ".ljust(3), text)
    (
        given(*IN_FORCE)
        .when(lambda permit: erase_by("officer-1", permit, order=order))
        .then(erasure_requested(TODAY, order=Order(text, text)))
    )


def facts(permit):
    """All that is on record, without the counts of events and the time of the last."""
    counts = {"_version", "_modified_on", "acts"}
    return {k: v for k, v in vars(permit).items() if k not in counts}
