"""What is asked for a holder: kept unused, used again, erased; told to each of the permits."""

from copy import deepcopy
from dataclasses import replace
from datetime import date

import pytest

from domain.card import Card
from domain.data_protection import TEXT_LENGTH_MAX, Order, erase, lift_restriction, restrict
from domain.errors import (
    HolderIsRestricted,
    InvalidDetails,
    NotRestricted,
    PermitEnded,
    TwoOfficersRequired,
)
from domain.events import CancellationReason, CardPresented, End, ReplacementReason
from domain.person import Erasure, Residence
from domain.personal import ERASED
from domain.verification import Reason, verify_card

ISSUED, TODAY, UNTIL = date(2025, 3, 31), date(2026, 3, 1), date(2026, 4, 5)
ORDER = Order("PIPL 47", "case 2026-7")
OFFICERS = ["officer-1", "officer-2"]
NUMBER = "990000199001010017"


@pytest.fixture
def permits(given_permit, on):
    """An ended one and one that is in force, of the same holder; nothing pending."""
    ended, current = given_permit(ISSUED), given_permit(ISSUED, claimed=True)
    ended.cancel(CancellationReason.MOVED_AWAY, on(ISSUED))
    ended.collect_events()
    return [ended, current]


@pytest.fixture
def erased(on):
    """``erased(permits, order, approvals)``: what happened to each."""

    def erased(permits, order=ORDER, approvals=OFFICERS):
        erase(permits, order, approvals, key="k", backups_hold_key_until=UNTIL, context=on(TODAY))
        return topics(permits)

    return erased


@pytest.fixture
def commands(phone, face_match, on):
    """``commands(permit)``: each command that there is."""

    def commands(permit):
        now = on(TODAY)
        new_home = Residence("320281", "澄江中路2号")
        return [
            lambda: permit.endorse(CardPresented.CARD, now),
            lambda: permit.report_loss(now),
            lambda: permit.lift_loss(now),
            lambda: permit.reissue(now),
            lambda: permit.replace(ReplacementReason.DAMAGED, old_card_returned=True, context=now),
            lambda: permit.deliver_card(now),
            lambda: permit.claim(phone(2), face_match, confirmed=True, context=now),
            lambda: permit.revoke_device("thumbprint-1", now),
            lambda: permit.change_address(new_home, TODAY, now),
            lambda: permit.correct_identity(name="欧阳改名", context=now),
            lambda: permit.cancel(CancellationReason.MOVED_AWAY, now),
            lambda: permit.void("forged proof of employment", now),
        ]

    return commands


def topics(permits):
    return [
        [event.TOPIC.removeprefix("permit.") for event in permit.collect_events()]
        for permit in permits
    ]


# -- restricted --------------------------------------------------------------------------------


def test_a_restriction_is_told_to_every_permit(permits, on):
    """Ended ones too; again changes nothing."""
    restrict(permits, ORDER, on(TODAY))

    assert [["holder-restricted.v1"]] * 2 == topics(permits)
    assert [True, True] == [permit.restricted for permit in permits]
    restrict(permits, ORDER, on(TODAY))
    assert [[], []] == topics(permits)


def test_a_restricted_holder_is_not_used(permits, commands, on):
    """Every command is refused, and says why; nothing happens."""
    restrict(permits, ORDER, on(TODAY))
    topics(permits)
    before = deepcopy(permits[1])

    for act in commands(permits[1]):
        with pytest.raises(HolderIsRestricted):
            act()

    assert before == permits[1]


def test_no_check_is_answered_from_a_restricted_record(permits, standing, on):
    """Neither yes nor why not, whether the permit is in force or has ended."""
    restrict(permits, ORDER, on(TODAY))

    for permit in permits:
        now = standing(permit, TODAY)
        assert Reason.UNDETERMINED == verify_card(now, 1).reason
        assert (False, False) == (now.physical_effective, now.electronic_effective)


def test_a_lifted_restriction_leaves_the_permit_as_it_was(permits, on):
    """But for its count of events; where none is restricted, that is said."""
    before = [facts(permit) for permit in permits]
    restrict(permits, ORDER, on(TODAY))
    topics(permits)

    lift_restriction(permits, ORDER, on(TODAY))

    assert [["holder-restriction-lifted.v1"]] * 2 == topics(permits)
    assert before == [facts(permit) for permit in permits]
    with pytest.raises(NotRestricted):
        lift_restriction(permits, ORDER, on(TODAY))


# -- erased ------------------------------------------------------------------------------------


def test_an_erasure_is_the_last_event_of_every_permit(permits, erased, commands, on):
    """It ends the one in force, leaves the other's end as it was, and nothing comes after it."""
    permits[1].void("forged", on(TODAY))
    topics(permits)

    assert [["holder-erased.v1"]] * 2 == erased(permits)

    assert [End.ENDED, End.VOIDED] == [permit.end for permit in permits]
    assert [[], []] == erased(permits)
    restrict(permits, ORDER, on(TODAY))
    assert [[], []] == topics(permits)
    for act in commands(permits[1]):
        with pytest.raises(PermitEnded):
            act()


def test_a_restricted_holder_can_be_erased(permits, erased, on):
    """The restriction is gone with the person."""
    restrict(permits, ORDER, on(TODAY))
    topics(permits)

    erased(permits)

    assert [False, False] == [permit.restricted for permit in permits]
    with pytest.raises(NotRestricted):
        lift_restriction(permits, ORDER, on(TODAY))


def test_nothing_of_the_person_is_left(permits, erased, on):
    """But where the permit was, and what is on record of the erasure itself."""
    permit = permits[1]
    permit.correct_identity(name="欧阳改名", context=on(TODAY))

    erased([permit])

    assert (ERASED, {}, Residence("320211", ERASED)) == (
        permit.identity,
        permit.devices,
        permit.residence,
    )
    assert Card(1, permit.card.due_on) == permit.card
    assert "欧阳" not in str(vars(permit))
    assert Erasure(
        on(TODAY).at, ORDER.legal_basis, ORDER.case, ("officer-1", "officer-2"), "k", UNTIL
    ) == replace(permit.erasure)
    with pytest.raises(PermitEnded):
        _ = permit.person


@pytest.mark.parametrize(
    "approvals",
    [
        [],
        ["officer-1"],
        ["officer-1", "officer-1"],
        ["officer-1", " Officer-1 "],
        ["officer-1", "officer-2", "OFFICER-2"],
        ["officer-1", "ｏｆｆｉｃｅｒ－１"],
        ["officer-1", "officer-\U0001d7cf"],
        ["officer 1", "officer  1"],
    ],
    ids=ascii,
)
def test_two_different_officers_approve(permits, erased, approvals):
    """Neither case, space nor width makes two of one; a third may not be one of the two."""
    with pytest.raises(TwoOfficersRequired):
        erased(permits, approvals=approvals)

    assert [[], []] == topics(permits)


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
@pytest.mark.parametrize("field", ["legal_basis", "case", "approvals"])
def test_a_text_must_not_tell_who_is_meant(permits, erased, on, field, text):
    """It stays in the log for ever, in the clear: no name of the holder, no citizen number, however
    it is written, and nothing that can't be seen."""
    approvals = ["officer-1", text] if field == "approvals" else OFFICERS
    order = ORDER if field == "approvals" else replace(ORDER, **{field: text})

    acts = [lambda: erased(permits, order, approvals)]
    if field != "approvals":
        acts += [
            lambda: restrict(permits, order, on(TODAY)),
            lambda: lift_restriction(permits, order, on(TODAY)),
        ]
    for act in acts:
        with pytest.raises(InvalidDetails) as refused:
            act()
        assert [field] == [problem.field for problem in refused.value.problems]
    assert [[], []] == topics(permits)


@pytest.mark.parametrize("text", ["GDPR 17 (1)", "案号 2026-007", "9" * 17, "x" * TEXT_LENGTH_MAX])
def test_other_texts_may_stand_there(permits, erased, text):
    """As they are given, without the space around."""
    erased(permits, Order(f" {text} ".ljust(3), text))

    assert (text, text) == (permits[0].erasure.legal_basis, permits[0].erasure.case)


def facts(permit):
    """All that is on record, without the count of events and the time of the last."""
    return {k: v for k, v in vars(permit).items() if k not in {"_version", "_modified_on"}}
