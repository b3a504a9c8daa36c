"""C1-C9, C12, C14: who may apply, with what, and what a refusal names."""

from dataclasses import replace
from datetime import date
from itertools import combinations

import pytest

from domain.calendar import add_months
from domain.errors import GuardianRequired
from domain.id_cards.errors import (
    CommitmentMissing,
    MaterialsMissing,
    NotAvailable,
    NotFirst,
    NotInterprovincial,
)
from domain.id_cards.materials import Material
from domain.id_cards.people import Applicant
from domain.id_cards.submission import CollectionMethod, card_term_years
from domain.person import Guardian
from tests.domain.id_cards.scenario import (
    APPLICANT,
    CHILDS_SUBMISSION,
    DAY,
    SUBMISSION,
    accept,
    accepted,
)
from tests.domain.scenario import given

M = Material
PROOFS = "employment_proof|study_proof|residence_proof"


def submission(**changes):
    """A grown-up's, all in order but for the changes."""
    return replace(SUBMISSION, **changes)


def child(**changes):
    """Of a boy of twelve with a parent, all in order but for the changes."""
    return replace(CHILDS_SUBMISSION, **changes)


def accepts(brought, day=DAY, **changes):
    """Whatever is in it is on the event."""
    return given().when(accept(brought, day)).then(accepted(brought, day, **changes))


def refuses(kind, brought, day=DAY, **attributes):
    return given().when(accept(brought, day)).refused(kind, **attributes)


@pytest.mark.parametrize("province", ["31", "33", "34"])
def test_c1_residents_of_these_provinces_may_apply(province):
    """By the household register, whatever area the number begins with."""
    accepts(submission(hukou_province=province))


@pytest.mark.parametrize("province", ["11", "32", "35", "65", "99"])
def test_c1_others_may_not(province):
    """The city's own province neither: that is another counter."""
    refuses(NotInterprovincial, submission(hukou_province=province))


@pytest.mark.parametrize("province", ["", "3", "310", "3a", "上海", "03"])
def test_c1_a_malformed_province_is_invalid(province):
    """It is refused as such, not by the rule."""
    (given().when(accept(submission(hukou_province=province))).invalid("applicant.hukou_province"))


def test_c2_an_applicant_who_held_a_card_before_is_refused():
    """This is for the first one."""
    refuses(NotFirst, submission(ever_held_id_card=True))


@pytest.mark.parametrize("proof", [M.EMPLOYMENT_PROOF, M.STUDY_PROOF, M.RESIDENCE_PROOF])
def test_c3_the_register_and_any_one_proof_are_enough(proof):
    """Of employment, study or residence."""
    accepts(submission(materials=frozenset({M.HOUSEHOLD_REGISTER, proof})))


@pytest.mark.parametrize(
    ("materials", "missing"),
    [
        ([], ["household_register", PROOFS]),
        ([M.HOUSEHOLD_REGISTER], [PROOFS]),
        ([M.STUDY_PROOF], ["household_register"]),
        ([M.BIRTH_CERTIFICATE, M.GUARDIAN_ID_CARD], ["household_register", PROOFS]),
    ],
)
def test_c3_every_missing_thing_is_named_at_once(materials, missing):
    """Alternatives are named together."""
    brought = submission(materials=frozenset(materials))
    refuses(MaterialsMissing, brought, missing=tuple(missing))


def test_c4_a_child_comes_with_a_guardian():
    """And with both registers, the guardian's card and one proof."""
    accepts(child(), card_term_years=5)


CHILD_NEEDS = [
    "guardian_id_card",
    "guardian_household_register",
    "household_register",
    "study_proof|residence_proof",
]


def test_c4_without_a_guardian_every_missing_thing_is_named():
    """The guardian first."""
    refuses(
        GuardianRequired,
        child(guardian=None, materials=frozenset(), commitment_signed=False),
        missing=("guardian", *CHILD_NEEDS, "commitment_letter"),
    )


def test_c4_only_the_guardian_is_missing():
    """Then only the guardian is named."""
    refuses(GuardianRequired, child(guardian=None), missing=("guardian",))


@pytest.mark.parametrize("number", range(5))
def test_c4_everything_that_a_child_lacks_is_named_at_once(number):
    """Every combination of what can be missing."""
    everything = [
        M.GUARDIAN_ID_CARD,
        M.GUARDIAN_HOUSEHOLD_REGISTER,
        M.HOUSEHOLD_REGISTER,
        M.STUDY_PROOF,
    ]
    for materials in combinations(everything, number):
        brought = child(materials=frozenset(materials))
        lacking = [CHILD_NEEDS[n] for n, one in enumerate(everything) if one not in materials]
        if lacking:
            refuses(MaterialsMissing, brought, missing=tuple(lacking))
        else:
            accepts(brought, card_term_years=5)


def test_c4_a_childs_employment_proves_nothing():
    """Study or residence does."""
    others = child().materials - {M.STUDY_PROOF}
    refuses(
        MaterialsMissing,
        child(materials=others | {M.EMPLOYMENT_PROOF}),
        missing=("study_proof|residence_proof",),
    )
    accepts(child(materials=others | {M.RESIDENCE_PROOF}), card_term_years=5)


@pytest.mark.parametrize("proof", [M.BIRTH_CERTIFICATE, M.GUARDIANSHIP_PROOF])
def test_c4_a_relation_that_is_not_registered_is_proved_otherwise(proof):
    """By the birth certificate or another proof."""
    unregistered = child(guardian_relation_registered=False)
    proved = replace(unregistered, materials=unregistered.materials | {proof})

    refuses(MaterialsMissing, unregistered, missing=("birth_certificate|guardianship_proof",))
    accepts(proved, card_term_years=5)


def test_c4_the_sixteenth_birthday_decides():
    """The day before it a child, on it a grown-up: at the acceptance, not later."""
    birthday = date(2025, 3, 5)
    boy = Applicant("测小明", "1", "01", date(2009, 3, 5), "990000200903050013")
    alone = child(applicant=boy, guardian=None)

    refuses(GuardianRequired, alone, date(2025, 3, 4))
    accepts(alone, birthday, card_term_years=10, due_date=date(2025, 4, 2))


def test_c5_a_proof_without_a_photo_is_advice():
    """It is accepted, and the answer advises to bring one with a photo."""
    application = accepts(submission(proofs_without_photo=frozenset({M.EMPLOYMENT_PROOF})))

    assert [("PROOF_WITHOUT_PHOTO", M.EMPLOYMENT_PROOF)] == [
        (one.code, one.material) for one in application.advice
    ]
    assert [] == accepts(submission()).advice


def test_c5_there_is_no_advice_on_a_proof_that_was_not_brought():
    """It is not on the event either."""
    application = (
        given()
        .when(accept(submission(proofs_without_photo=frozenset({M.STUDY_PROOF}))))
        .then(accepted(submission()))
    )
    assert [] == application.advice


def test_c6_the_letter_of_commitment_is_signed():
    """By the applicant or the guardian."""
    unsigned = submission(commitment_signed=False)
    refuses(CommitmentMissing, unsigned, missing=("commitment_letter",))


def test_c6_a_missing_signature_is_named_with_the_missing_materials():
    """All at once."""
    refuses(
        MaterialsMissing,
        submission(commitment_signed=False, materials=frozenset()),
        missing=("household_register", PROOFS, "commitment_letter"),
    )


def test_c7_it_costs_nothing():
    """The fee is on the event."""
    accepts(submission(), fee_yuan=0)


@pytest.mark.parametrize(
    ("accepted_on", "due"),
    [
        (date(2021, 12, 1), date(2021, 12, 29)),
        (date(2025, 9, 22), date(2025, 10, 24)),
        (date(2026, 1, 30), date(2026, 3, 5)),
        (date(2026, 9, 14), date(2026, 10, 16)),
    ],
)
def test_c8_it_is_due_after_twenty_working_days(accepted_on, due):
    """Make-up workdays count, holidays don't, the day itself neither."""
    accepts(submission(), accepted_on, due_date=due)


@pytest.mark.parametrize("station", ["320205-03", "320282-window"])
def test_c9_any_station_accepts(station):
    """In whatever county of the city; the event has the station."""
    application = accept(station=station)(None)
    [event] = application.collect_events()

    assert station == event.station == application.accepted_by


def test_c12_a_temporary_card_is_not_available():
    """Nor is one promised for later."""
    refuses(NotAvailable, submission(temporary_card_requested=True))


@pytest.mark.parametrize(
    ("age", "years"),
    [(0, 5), (15, 5), (16, 10), (25, 10), (26, 20), (45, 20), (46, None), (90, None)],
)
def test_c14_the_term_goes_by_age(age, years):
    """On the day of the acceptance; ``None`` means for good."""
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
def test_of_two_reasons_the_earlier_one_is_the_refusal(first, later):
    """What no paper can mend comes before what can be brought."""
    refuses(first, child(**WRONG[later], **WRONG[first]))


def test_invalid_fields_come_before_every_rule():
    """All such fields at once."""
    invalid = replace(
        APPLICANT, name="x", sex="3", ethnicity="77", citizen_id_number="990000199001010018"
    )
    (
        given()
        .when(accept(submission(applicant=invalid, hukou_province="11", ever_held_id_card=True)))
        .invalid(
            "applicant.name",
            "applicant.citizen_id_number",
            "applicant.sex",
            "applicant.ethnicity",
            code="INVALID_CITIZEN_ID",
        )
    )


@pytest.mark.parametrize(
    ("guardian", "field", "code"),
    [
        (Guardian("x", "990000199001010017"), "guardian.name", "INVALID_REQUEST"),
        (
            Guardian("欧阳测试", "990000199001010018"),
            "guardian.citizen_id_number",
            "INVALID_CITIZEN_ID",
        ),
        (
            Guardian("欧阳测试", "990000201403050011"),
            "guardian.citizen_id_number",
            "INVALID_REQUEST",
        ),
    ],
)
def test_a_guardian_is_another_person_with_an_own_number(guardian, field, code):
    """And not the child."""
    given().when(accept(child(guardian=guardian))).invalid(field, code=code)


def test_a_birth_date_is_not_in_the_future():
    """Though the number agrees with it."""
    unborn = replace(APPLICANT, birth_date=date(2027, 1, 1), citizen_id_number="990000202701010012")
    given().when(accept(submission(applicant=unborn))).invalid("applicant.birth_date")


def test_the_event_lists_materials_in_a_fixed_order():
    """In whatever order they were brought."""
    materials = frozenset({M.RESIDENCE_PROOF, M.EMPLOYMENT_PROOF, M.HOUSEHOLD_REGISTER})
    accepts(
        submission(materials=materials, collection=CollectionMethod.MAIL),
        materials=[M.EMPLOYMENT_PROOF, M.HOUSEHOLD_REGISTER, M.RESIDENCE_PROOF],
        collection=CollectionMethod.MAIL,
        policy_version="wuxi-2026.1",
    )
