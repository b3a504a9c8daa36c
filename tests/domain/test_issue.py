"""P1, P3, P4, P5: who gets a permit. (P2, one permit a person, is the ledger's to guard.)"""

from datetime import date

import pytest

from domain.calendar import Term
from domain.card import Card
from domain.errors import GuardianRequired, NotEligible
from domain.permit import Permit
from domain.person import Guardian, Residence
from tests.domain.scenario import HOME, IDENTITY, PERMIT_NUMBER, given, issued, on

TODAY = date(2026, 7, 1)
MOTHER = Guardian("欧阳测母", "990000199001010025")


@pytest.fixture
def issue(application):
    """``issue(issued_on, **changes)``: the command, given on ``today`` or the day of issue."""

    def issue(issued_on, today=None, **changes):
        wanted = application(issued_on, **changes)
        return lambda _: Permit.issue(PERMIT_NUMBER, "holder-1", wanted, on(today or issued_on))

    return issue


@pytest.mark.parametrize("ground", ["employment", "dwelling", "schooling"])
def test_p01_any_one_ground_and_half_a_year_are_enough(issue, ground):
    """[N2] A permit is issued, valid for one year from its issue date."""
    permit = given().when(issue(TODAY, ground=ground)).then(issued(TODAY, ground=ground))

    assert Term(TODAY, 1) == permit.term
    assert date(2027, 6, 30) == permit.term.last_valid_day
    assert permit.version == 1


@pytest.mark.parametrize(
    ("registered_on", "issued_on"),
    [(date(2026, 1, 1), TODAY), (date(2025, 8, 31), date(2026, 2, 28))],
)
def test_p01_the_half_year_is_complete_on_its_last_day(issue, registered_on, issued_on):
    """Six calendar months, clamped to a shorter month."""
    (
        given()
        .when(issue(issued_on, residence_registered_on=registered_on))
        .then(issued(issued_on, residence_registered_on=registered_on))
    )


@pytest.mark.parametrize(
    "registered_on", [date(2026, 1, 2), TODAY, date(2026, 7, 2), date.max, None]
)
def test_p01_less_than_half_a_year_is_not_eligible(issue, registered_on):
    """One day short is short; so is a registration yet to come, or none."""
    (
        given()
        .when(issue(TODAY, residence_registered_on=registered_on))
        .refused(NotEligible, missing=("residence_registered_six_months",), code="NOT_ELIGIBLE")
    )


@pytest.mark.parametrize("ground", [None, "", "tourism", "EMPLOYMENT"])
def test_p01_no_ground_of_the_list_is_not_eligible(issue, ground):
    """The policy lists the grounds."""
    given().when(issue(TODAY, ground=ground)).refused(NotEligible, missing=("ground",))


def test_p01_every_missing_thing_is_named_at_once(issue, child):
    """The guardian included, so that one visit more is enough."""
    missing = ("residence_registered_six_months", "ground", "guardian")
    refusal = (
        given()
        .when(issue(date(2022, 7, 1), identity=child, residence_registered_on=None, ground=None))
        .refused(NotEligible, missing=missing)
    )
    assert all(thing in refusal.detail for thing in missing)


def test_p03_under_sixteen_a_guardian_is_required(issue, child):
    """[N9] On the eve of the sixteenth birthday still."""
    (
        given()
        .when(issue(date(2024, 2, 28), identity=child))
        .refused(GuardianRequired, missing=("guardian",), code="GUARDIAN_REQUIRED")
    )


def test_p03_from_sixteen_no_guardian_is_required(issue, child):
    """On the sixteenth birthday itself."""
    birthday = date(2024, 2, 29)
    given().when(issue(birthday, identity=child)).then(issued(birthday, identity=child))


@pytest.mark.parametrize("who", ["child", "adult"])
def test_p03_the_guardian_or_agent_is_on_record_with_an_own_number(issue, child, who):
    """For a child, and for an adult who is unable to come."""
    day, people = date(2022, 7, 1), {"identity": child if who == "child" else IDENTITY}
    people["guardian"] = MOTHER
    given().when(issue(day, **people)).then(issued(day, **people))


@pytest.mark.parametrize(
    ("guardian", "field", "code"),
    [
        (
            Guardian("欧阳测母", "990000199001010026"),
            "guardian.citizen_id_number",
            "INVALID_CITIZEN_ID",
        ),
        (
            Guardian("欧阳测母", "990000200802290034"),
            "guardian.citizen_id_number",
            "INVALID_REQUEST",
        ),
        (Guardian("Mother", "990000199001010025"), "guardian.name", "INVALID_REQUEST"),
    ],
    ids=["wrong-number", "the-child's-own-number", "latin-name"],
)
def test_p03_a_guardian_is_another_person_with_true_details(issue, child, guardian, field, code):
    """The guardian's details are checked as the holder's are."""
    (
        given()
        .when(issue(date(2022, 7, 1), identity=child, guardian=guardian))
        .invalid(field, code=code)
    )


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"citizen_id_number": "990000199001010018"}, id="check-character"),
        pytest.param({"birth_date": date(1990, 1, 2)}, id="birth-date"),
        pytest.param({"sex": "2"}, id="sex-digit"),
        pytest.param({"citizen_id_number": "990000199001010025"}, id="another's-number"),
    ],
)
def test_p04_a_number_that_does_not_fit_its_person_is_invalid(issue, identity, changes):
    """Check character, birth date and sex digit all have to agree."""
    (
        given()
        .when(issue(TODAY, identity=identity(**changes)))
        .invalid("holder.citizen_id_number", code="INVALID_CITIZEN_ID")
    )


def test_p04_a_retired_area_prefix_is_accepted(issue, identity):
    """320202 was dissolved; its people keep their numbers. (None was born in 1850.)"""
    holder = identity(birth_date=date(1850, 1, 1), citizen_id_number="320202185001010019")
    given().when(issue(TODAY, identity=holder)).then(issued(TODAY, identity=holder))


def test_p04_all_fields_are_judged_at_once(issue, identity):
    """One refusal names each field that can't be true, the number's code before the others'."""
    holder = identity(name="Test", ethnicity="00", hukou_address="", sex="2")
    home = Residence("310101", "蠡湖大道\n1号")
    (
        given()
        .when(issue(TODAY, identity=holder, residence=home))
        .invalid(
            "holder.name",
            "holder.hukou_address",
            "holder.citizen_id_number",
            "holder.ethnicity",
            "residence.division",
            "residence.address",
            code="INVALID_CITIZEN_ID",
        )
    )


def test_p05_the_card_is_due_within_fifteen_days(issue):
    """[N9] Calendar days from acceptance."""
    permit = given().when(issue(TODAY)).then(issued(TODAY, card_due_on=date(2026, 7, 16)))
    assert Card(serial=1, due_on=date(2026, 7, 16)) == permit.card


@pytest.mark.parametrize("issued_on", [date(2026, 7, 2), date(1989, 12, 31)])
def test_a_permit_is_issued_between_its_holders_birth_and_today(issue, issued_on):
    """Neither in the future nor before birth."""
    given().when(issue(issued_on, today=TODAY)).invalid("issued_on")


def test_a_permit_taken_over_keeps_its_years_and_serial(issue):
    """It goes on where the other system left it, and the event names that system."""
    anchor = date(2021, 1, 1)
    counted = {"years": 6, "card_serial": 3, "taken_over_from": "old-system"}
    permit = (
        given()
        .when(issue(anchor, today=TODAY, **counted))
        .then(issued(TODAY, **counted, **_registered(anchor)))
    )

    assert date(2026, 12, 31) == permit.term.last_valid_day
    assert permit.card.serial == 3
    assert permit.endorsements == 5


def _registered(anchor):
    """The fields of an issue that are counted from the anchor, whatever day it is recorded."""
    return {
        name: issued(anchor).fields[name]
        for name in ("anchor", "residence_registered_on", "card_due_on")
    }


def test_details_are_stored_normalised(issue, identity):
    """White space around goes, ``x`` becomes ``X``."""
    written = identity(name=" 欧阳测试 ", citizen_id_number="99000019900101005x")
    stored = identity(citizen_id_number="99000019900101005X")
    (
        given()
        .when(issue(TODAY, identity=written, residence=Residence("320211", " 蠡湖大道1号 ")))
        .then(issued(TODAY, identity=stored, residence=HOME))
    )


@pytest.mark.parametrize(
    "numbers", [{"years": 0}, {"years": 2}, {"card_serial": 0}, {"card_serial": 2}]
)
def test_a_new_permit_begins_with_one_year_and_card_one(issue, numbers):
    """Only a permit taken over from another system has more of them."""
    given().when(issue(TODAY, **numbers)).invalid(*numbers)


@pytest.mark.parametrize("numbers", [{"years": 0}, {"years": 101}, {"card_serial": 10_001}])
def test_a_permit_taken_over_has_plausible_numbers(issue, numbers):
    """From one to a hundred years, up to ten thousand cards."""
    given().when(issue(TODAY, taken_over_from="old-1", **numbers)).invalid(*numbers)
