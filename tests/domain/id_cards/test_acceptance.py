"""C1-C9, C12, C14: who may apply, with what, and what they are told."""

from dataclasses import replace
from datetime import date
from itertools import combinations

import pytest

from domain.calendar import add_months
from domain.errors import GuardianRequired, InvalidDetails
from domain.id_cards.application import IdCardApplication
from domain.id_cards.errors import (
    CommitmentMissing,
    MaterialsMissing,
    NotAvailable,
    NotFirst,
    NotInterprovincial,
)
from domain.id_cards.materials import Material
from domain.id_cards.stages import Stage
from domain.id_cards.submission import CollectionMethod, card_term_years
from domain.person import Guardian
from permit_ledger.bootstrap.workdays import MainlandWorkdays
from tests.domain.id_cards.conftest import DAY, RECEIPT

M = Material
PROOFS = "employment_proof|study_proof|residence_proof"


@pytest.mark.parametrize("province", ["31", "33", "34"])
def test_c1_residents_of_these_provinces_may_apply(accept, submission, province):
    """By the household register."""
    assert province == accept(submission(hukou_province=province)).hukou_province


@pytest.mark.parametrize("province", ["11", "32", "35", "65", "99"])
def test_c1_others_may_not(accept, submission, province):
    """The city's own province neither: that is another counter."""
    with pytest.raises(NotInterprovincial):
        accept(submission(hukou_province=province))


def test_c1_the_register_counts_and_not_the_number(accept, submission):
    """The number of area 99 says nothing of where the household is registered."""
    accepted = accept(submission(hukou_province="33"))
    assert "990000199001010017" == accepted.identity.citizen_id_number


@pytest.mark.parametrize("province", ["", "3", "310", "3a", "上海", "03"])
def test_c1_what_is_no_province_is_bad_input(accept, submission, province):
    """It is refused as such, not by the rule."""
    with pytest.raises(InvalidDetails) as refused:
        accept(submission(hukou_province=province))
    assert ["applicant.hukou_province"] == [p.field for p in refused.value.problems]


def test_c2_who_held_a_card_before_is_refused(accept, submission):
    """This is for the first one."""
    with pytest.raises(NotFirst):
        accept(submission(ever_held_id_card=True))


@pytest.mark.parametrize("proof", [M.EMPLOYMENT_PROOF, M.STUDY_PROOF, M.RESIDENCE_PROOF])
def test_c3_the_register_and_any_one_proof_are_enough(accept, submission, proof):
    """Of employment, study or residence."""
    brought = submission(materials=frozenset({M.HOUSEHOLD_REGISTER, proof}))
    assert Stage.ACCEPTED is accept(brought).stage


@pytest.mark.parametrize(
    ("materials", "missing"),
    [
        ([], ["household_register", PROOFS]),
        ([M.HOUSEHOLD_REGISTER], [PROOFS]),
        ([M.STUDY_PROOF], ["household_register"]),
        ([M.BIRTH_CERTIFICATE, M.GUARDIAN_ID_CARD], ["household_register", PROOFS]),
    ],
)
def test_c3_everything_that_is_missing_is_told_at_once(accept, submission, materials, missing):
    """Nobody comes back twice; what will do instead of another is said with it."""
    with pytest.raises(MaterialsMissing) as refused:
        accept(submission(materials=frozenset(materials)))
    assert missing == [*refused.value.missing]


def test_c4_a_child_comes_with_a_guardian(accept, child):
    """And with both registers, the guardian's card and one proof."""
    assert "欧阳测试" == accept(child()).collect_events()[0].guardian.name


CHILD_NEEDS = [
    "guardian_id_card",
    "guardian_household_register",
    "household_register",
    "study_proof|residence_proof",
]


def test_c4_without_a_guardian_all_that_is_missing_is_told(accept, child):
    """The guardian first."""
    with pytest.raises(GuardianRequired) as refused:
        accept(child(guardian=None, materials=frozenset(), commitment_signed=False))
    assert ["guardian", *CHILD_NEEDS, "commitment_letter"] == [*refused.value.missing]


def test_c4_only_the_guardian_is_missing(accept, child):
    """Then that alone is told."""
    with pytest.raises(GuardianRequired) as refused:
        accept(child(guardian=None))
    assert ("guardian",) == refused.value.missing


@pytest.mark.parametrize("number", range(5))
def test_c4_whatever_a_child_lacks_is_told_at_once(accept, child, number):
    """Every combination of what can be missing."""
    everything = [
        M.GUARDIAN_ID_CARD,
        M.GUARDIAN_HOUSEHOLD_REGISTER,
        M.HOUSEHOLD_REGISTER,
        M.STUDY_PROOF,
    ]
    for brought in combinations(everything, number):
        lacking = [CHILD_NEEDS[n] for n, one in enumerate(everything) if one not in brought]
        if lacking:
            with pytest.raises(MaterialsMissing) as refused:
                accept(child(materials=frozenset(brought)))
            assert lacking == [*refused.value.missing]
        else:
            accept(child(materials=frozenset(brought)))


def test_c4_a_childs_employment_proves_nothing(accept, child):
    """Study or residence does."""
    brought = child().materials - {M.STUDY_PROOF}
    with pytest.raises(MaterialsMissing) as refused:
        accept(child(materials=brought | {M.EMPLOYMENT_PROOF}))
    assert ("study_proof|residence_proof",) == refused.value.missing
    accept(child(materials=brought | {M.RESIDENCE_PROOF}))


@pytest.mark.parametrize("proof", [M.BIRTH_CERTIFICATE, M.GUARDIANSHIP_PROOF])
def test_c4_a_relation_that_is_not_registered_is_proved_otherwise(accept, child, proof):
    """By the birth certificate or another proof."""
    with pytest.raises(MaterialsMissing) as refused:
        accept(child(guardian_relation_registered=False))
    assert ("birth_certificate|guardianship_proof",) == refused.value.missing
    materials = child().materials | {proof}
    accept(child(guardian_relation_registered=False, materials=materials))


def test_c4_the_sixteenth_birthday_decides(accept, applicant, child):
    """The day before it a child, on it a grown-up: at the acceptance, not later."""
    birthday = date(2025, 3, 5)
    boy = child().applicant.__class__("测小明", "1", "01", date(2009, 3, 5), "990000200903050013")
    alone = child(applicant=boy, guardian=None)
    with pytest.raises(GuardianRequired):
        accept(alone, date(2025, 3, 4))
    assert 10 == accept(alone, birthday).card_term_years


def test_c5_a_proof_without_a_photo_is_advice(accept, submission):
    """It is accepted, and something is said."""
    accepted = accept(submission(proofs_without_photo=frozenset({M.EMPLOYMENT_PROOF})))
    assert [("PROOF_WITHOUT_PHOTO", M.EMPLOYMENT_PROOF)] == [
        (one.code, one.material) for one in accepted.advice
    ]
    assert [] == accept().advice


def test_c5_of_what_was_not_brought_nothing_is_said(accept, submission):
    """There is nothing to advise."""
    accepted = accept(submission(proofs_without_photo=frozenset({M.STUDY_PROOF})))
    assert [] == accepted.advice


def test_c6_the_letter_of_commitment_is_signed(accept, submission):
    """By the applicant or the guardian."""
    with pytest.raises(CommitmentMissing) as refused:
        accept(submission(commitment_signed=False))
    assert ("commitment_letter",) == refused.value.missing


def test_c6_with_other_things_missing_it_is_told_with_them(accept, submission):
    """All at once."""
    with pytest.raises(MaterialsMissing) as refused:
        accept(submission(commitment_signed=False, materials=frozenset()))
    assert ("household_register", PROOFS, "commitment_letter") == refused.value.missing


def test_c7_it_costs_nothing(accept):
    """Which is on the event."""
    assert 0 == accept().collect_events()[0].fee_yuan


@pytest.mark.parametrize(
    ("accepted_on", "due"),
    [
        (date(2021, 12, 1), date(2021, 12, 29)),
        (date(2025, 9, 22), date(2025, 10, 24)),
        (date(2026, 1, 30), date(2026, 3, 5)),
        (date(2026, 9, 14), date(2026, 10, 16)),
    ],
)
def test_c8_it_is_due_after_twenty_working_days(accept, accepted_on, due):
    """Make-up workdays count, holidays don't, the day itself neither."""
    accepted = accept(day=accepted_on)
    assert (due, False) == (accepted.due_date, accepted.due_date_provisional)


def test_c9_any_station_accepts(submission, on):
    """Whatever county of the city it stands in; the event says which."""
    for station in ("320205-03", "320282-window"):
        context = replace(on(DAY), station=station)
        accepted = IdCardApplication.accept(
            RECEIPT, "holder-1", submission(), MainlandWorkdays(), context
        )
        assert station == accepted.accepted_by


def test_c12_a_temporary_card_is_not_to_be_had(accept, submission):
    """Nor is one promised for later."""
    with pytest.raises(NotAvailable):
        accept(submission(temporary_card_requested=True))


@pytest.mark.parametrize(
    ("age", "years"),
    [(0, 5), (15, 5), (16, 10), (25, 10), (26, 20), (45, 20), (46, None), (90, None)],
)
def test_c14_the_term_goes_by_age(age, years):
    """On the day of the acceptance; none means for good."""
    born = add_months(DAY, -12 * age)
    assert years == card_term_years(born, DAY)


def test_c14_a_day_before_the_birthday_the_lower_term_holds():
    """26 tomorrow is 25 today."""
    assert 10 == card_term_years(date(2000, 9, 15), DAY)
    assert 20 == card_term_years(date(2000, 9, 14), DAY)


WRONG = {
    NotInterprovincial: {"hukou_province": "11"},
    NotFirst: {"ever_held_id_card": True},
    NotAvailable: {"temporary_card_requested": True},
    GuardianRequired: {"guardian": None},
    MaterialsMissing: {"materials": frozenset()},
    CommitmentMissing: {"commitment_signed": False},
}


@pytest.mark.parametrize(("first", "later"), [*combinations(WRONG, 2)])
def test_of_two_reasons_the_earlier_one_is_answered(accept, child, first, later):
    """What no paper can mend comes before what can be brought."""
    with pytest.raises(first):
        accept(child(**WRONG[later], **WRONG[first]))


def test_what_can_not_be_true_comes_before_every_rule(accept, submission, applicant):
    """All such fields at once."""
    nobody = applicant(name="x", sex="3", ethnicity="77", citizen_id_number="990000199001010018")
    with pytest.raises(InvalidDetails) as refused:
        accept(submission(applicant=nobody, hukou_province="11", ever_held_id_card=True))
    assert [
        "applicant.name",
        "applicant.citizen_id_number",
        "applicant.sex",
        "applicant.ethnicity",
    ] == [p.field for p in refused.value.problems]
    assert "INVALID_CITIZEN_ID" == refused.value.code


@pytest.mark.parametrize(
    ("guardian", "field"),
    [
        (Guardian("x", "990000199001010017"), "guardian.name"),
        (Guardian("欧阳测试", "990000199001010018"), "guardian.citizen_id_number"),
        (Guardian("欧阳测试", "990000201403050011"), "guardian.citizen_id_number"),
    ],
)
def test_a_guardian_is_somebody_with_an_own_number(accept, child, guardian, field):
    """And not the child."""
    with pytest.raises(InvalidDetails) as refused:
        accept(child(guardian=guardian))
    assert [field] == [p.field for p in refused.value.problems]


def test_nobody_is_born_tomorrow(accept, submission, applicant):
    """A number may say so; a person may not."""
    unborn = applicant(birth_date=date(2027, 1, 1), citizen_id_number="990000202701010012")
    with pytest.raises(InvalidDetails, match="birth_date"):
        accept(submission(applicant=unborn))


def test_the_event_says_what_was_decided(accept, submission):
    """In a fixed order, whatever order things were brought in."""
    materials = frozenset({M.RESIDENCE_PROOF, M.EMPLOYMENT_PROOF, M.HOUSEHOLD_REGISTER})
    [event] = accept(
        submission(materials=materials, collection=CollectionMethod.MAIL)
    ).collect_events()
    assert [M.EMPLOYMENT_PROOF, M.HOUSEHOLD_REGISTER, M.RESIDENCE_PROOF] == event.materials
    assert ("mail", DAY, "wuxi-2026.1") == (
        event.collection,
        event.accepted_on,
        event.policy_version,
    )
