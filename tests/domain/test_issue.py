"""P1, P3, P4, P5: who gets a permit. (P2, one permit a person, is the ledger's to guard.)"""

from datetime import date

import pytest

from domain.calendar import Term
from domain.card import Card
from domain.errors import GuardianRequired, InvalidDetails, NotEligible
from domain.events import PermitIssued
from domain.permit import Permit
from domain.person import Guardian, Residence

TODAY = date(2026, 7, 1)
MOTHER = Guardian("欧阳测母", "990000199001010025")


@pytest.mark.parametrize("ground", ["employment", "dwelling", "schooling"])
def test_p01_any_one_ground_and_half_a_year_are_enough(issue, ground):
    """[N2] A permit is issued, valid for one year from its issue date."""
    permit = issue(TODAY, ground=ground)

    [event] = permit.collect_events()
    assert PermitIssued is type(event)
    assert ground == event.ground
    assert Term(TODAY, 1) == permit.term
    assert date(2027, 6, 30) == permit.term.last_valid_day
    assert permit.version == 1


@pytest.mark.parametrize(
    ("registered_on", "issued_on"),
    [(date(2026, 1, 1), TODAY), (date(2025, 8, 31), date(2026, 2, 28))],
)
def test_p01_the_half_year_is_complete_on_its_last_day(issue, registered_on, issued_on):
    """Six calendar months, clamped to a shorter month."""
    assert issue(issued_on, residence_registered_on=registered_on)


@pytest.mark.parametrize(
    "registered_on", [date(2026, 1, 2), TODAY, date(2026, 7, 2), date.max, None]
)
def test_p01_less_than_half_a_year_is_not_eligible(issue, registered_on):
    """One day short is short; so is a registration yet to come, or none."""
    with pytest.raises(NotEligible) as refusal:
        issue(TODAY, residence_registered_on=registered_on)

    assert refusal.value.missing == ("residence_registered_six_months",)
    assert refusal.value.code == "NOT_ELIGIBLE"


@pytest.mark.parametrize("ground", [None, "", "tourism", "EMPLOYMENT"])
def test_p01_no_ground_of_the_list_is_not_eligible(issue, ground):
    """The policy lists the grounds."""
    with pytest.raises(NotEligible) as refusal:
        issue(TODAY, ground=ground)

    assert refusal.value.missing == ("ground",)


def test_p01_every_missing_thing_is_named_at_once(issue, child):
    """A citizen is told once, completely, the guardian included."""
    with pytest.raises(NotEligible) as refusal:
        issue(date(2022, 7, 1), identity=child, residence_registered_on=None, ground=None)

    assert refusal.value.missing == ("residence_registered_six_months", "ground", "guardian")
    assert all(thing in str(refusal.value) for thing in refusal.value.missing)


def test_p03_under_sixteen_a_guardian_is_required(issue, child):
    """[N9] On the eve of the sixteenth birthday still."""
    with pytest.raises(GuardianRequired) as refusal:
        issue(date(2024, 2, 28), identity=child)

    assert refusal.value.missing == ("guardian",)
    assert refusal.value.code == "GUARDIAN_REQUIRED"


def test_p03_from_sixteen_nobody_need_come_along(issue, child):
    """On the sixteenth birthday no guardian is asked for."""
    [event] = issue(date(2024, 2, 29), identity=child).collect_events()
    assert event.guardian is None


@pytest.mark.parametrize("who", ["child", "identity"])
def test_p03_the_guardian_or_agent_is_on_record_with_an_own_number(issue, child, identity, who):
    """For a child, and for an adult who is unable to come."""
    holder = child if who == "child" else identity()
    [event] = issue(date(2022, 7, 1), identity=holder, guardian=MOTHER).collect_events()
    assert event.guardian == MOTHER


@pytest.mark.parametrize(
    ("guardian", "field"),
    [
        (Guardian("欧阳测母", "990000199001010026"), "guardian.citizen_id_number"),
        (Guardian("欧阳测母", "990000200802290034"), "guardian.citizen_id_number"),
        (Guardian("Mother", "990000199001010025"), "guardian.name"),
    ],
    ids=["wrong-number", "the-child's-own-number", "latin-name"],
)
def test_p03_a_guardian_is_another_person_with_true_details(issue, child, guardian, field):
    """The guardian's details are checked as the holder's are."""
    with pytest.raises(InvalidDetails) as refusal:
        issue(date(2022, 7, 1), identity=child, guardian=guardian)

    assert [field] == [problem.field for problem in refusal.value.problems]


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
    with pytest.raises(InvalidDetails) as refusal:
        issue(TODAY, identity=identity(**changes))

    assert [p.field for p in refusal.value.problems] == ["holder.citizen_id_number"]
    assert refusal.value.code == "INVALID_CITIZEN_ID"


def test_p04_a_retired_area_prefix_is_accepted(issue, identity):
    """320202 was dissolved; its people keep their numbers. (Nobody born in 1850 had one.)"""
    holder = identity(birth_date=date(1850, 1, 1), citizen_id_number="320202185001010019")
    assert issue(TODAY, identity=holder).identity.citizen_id_number == "320202185001010019"


def test_p04_all_fields_are_judged_at_once(issue, identity):
    """One refusal names each field that can't be true, the number's code before the others'."""
    holder = identity(name="Test", ethnicity="00", hukou_address="", sex="2")
    with pytest.raises(InvalidDetails) as refusal:
        issue(TODAY, identity=holder, residence=Residence("310101", "蠡湖大道\n1号"))

    named = {problem.field for problem in refusal.value.problems}
    of_holder = {"name", "ethnicity", "hukou_address", "citizen_id_number"}
    assert {f"holder.{field}" for field in of_holder} < named
    assert {"residence.division", "residence.address"} < named
    assert refusal.value.code == "INVALID_CITIZEN_ID"


def test_p05_the_card_is_due_within_fifteen_days(issue):
    """[N9] Calendar days from acceptance."""
    assert Card(serial=1, due_on=date(2026, 7, 16)) == issue(TODAY).card


@pytest.mark.parametrize("issued_on", [date(2026, 7, 2), date(1989, 12, 31)])
def test_a_permit_is_issued_on_a_day_its_holder_has_seen(application, on, issued_on):
    """Neither ahead of time nor before birth."""
    with pytest.raises(InvalidDetails) as refusal:
        Permit.issue("7Q2M9K4T8XW5", "holder-1", application(issued_on), on(TODAY))

    assert [problem.field for problem in refusal.value.problems] == ["issued_on"]


def test_a_permit_taken_over_keeps_its_years_and_serial(application, on):
    """What another system counted goes on from there, and the event says whence."""
    taken = application(date(2021, 1, 1), years=6, card_serial=3, taken_over_from="old-system")
    permit = Permit.issue("7Q2M9K4T8XW5", "holder-1", taken, on(TODAY))

    [event] = permit.collect_events()
    assert event.taken_over_from == "old-system"
    assert date(2026, 12, 31) == permit.term.last_valid_day
    assert permit.card.serial == 3
    assert permit.endorsements == 5


def test_details_are_stored_normalised(issue, identity):
    """White space around goes, ``x`` becomes ``X``."""
    holder = identity(name=" 欧阳测试 ", citizen_id_number="99000019900101005x")
    permit = issue(TODAY, identity=holder, residence=Residence("320211", " 蠡湖大道1号 "))

    assert identity(citizen_id_number="99000019900101005X") == permit.identity
    assert Residence("320211", "蠡湖大道1号") == permit.residence


@pytest.mark.parametrize(
    "numbers", [{"years": 0}, {"years": 2}, {"card_serial": 0}, {"card_serial": 2}]
)
def test_a_new_permit_begins_with_one_year_and_card_one(issue, numbers):
    """Only a permit taken over from another system brings years and cards with it."""
    with pytest.raises(InvalidDetails):
        issue(TODAY, **numbers)


@pytest.mark.parametrize("numbers", [{"years": 0}, {"years": 101}, {"card_serial": 10_001}])
def test_a_permit_taken_over_has_believable_numbers(issue, numbers):
    """From one to a hundred years, up to ten thousand cards."""
    with pytest.raises(InvalidDetails):
        issue(TODAY, taken_over_from="old-1", **numbers)


def test_a_permit_taken_over_keeps_its_years_and_card(issue):
    """Its term and serial go on where the other system left them."""
    permit = issue(TODAY, taken_over_from="old-1", years=3, card_serial=2)

    assert (3, 2, 2) == (permit.term.years, permit.endorsements, permit.card.serial)
