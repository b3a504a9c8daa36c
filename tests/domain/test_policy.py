"""The policy file: figures and lists that change by decree, read and never coded."""

from dataclasses import fields, replace
from importlib.resources import files

import pytest
from pydantic import ValidationError

from domain.policy import Fees
from domain.verification import scenario_fields
from permit_ledger.bootstrap.policy import load_policy
from permit_ledger.settings import DEFAULT_POLICY

SCENARIOS = {
    "vehicle_management",
    "entry_exit",
    "patrol_inspection",
    "law_enforcement",
    "population_registration",
}


@pytest.fixture
def own_policy(tmp_path):
    """``own_policy(old, new)``: an operator's file, like ours but for one piece of its text."""

    def own_policy(old="", new=""):
        ours = files("permit_ledger.bootstrap") / "policies" / f"{DEFAULT_POLICY}.toml"
        text = ours.read_text(encoding="utf-8")
        assert old in text
        own = tmp_path / "own.toml"
        own.write_text(text.replace(old, new, 1), encoding="utf-8")
        return str(own)

    return own_policy


def test_the_figures_of_wuxi(policy):
    """Each as its source gives it [N2, N9, J]."""
    assert policy.version == "wuxi-2026.1"
    assert (
        policy.residence_months_min,
        policy.guardian_below_age,
        policy.card_due_days,
    ) == (6, 16, 15)
    assert (policy.late_grace_days, policy.address_report_days) == (30, 10)
    assert policy.grounds == ("employment", "dwelling", "schooling")
    assert {"320202", "320203", "320204"} == set(policy.retired_divisions)
    assert len(policy.divisions) == 7


def test_the_fees_of_wuxi(policy):
    """[N19, N21, J] Only a new card costs anything, and not if the office erred."""
    fees = Fees(first_issue=0, endorsement=0, reissue=20, replacement=20, office_error=0)
    assert fees == policy.fees


def test_an_own_file_says_the_same_as_the_one_it_copies(own_policy, policy):
    """A policy by path is read like a policy by name."""
    assert policy == load_policy(own_policy(), synthetic_people=True)


def test_an_own_file_may_say_something_else(own_policy, policy):
    """What differs in the file differs in the policy, and nothing else does."""
    own = load_policy(own_policy("late_grace_days = 30", "late_grace_days = 0"))

    assert replace(policy, late_grace_days=0, synthetic_people=False) == own


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("late_grace_days = 30", "", id="a-figure-left-out"),
        pytest.param("reissue = 20", "", id="a-fee-left-out"),
        pytest.param("card_due_days = 15", 'card_due_days = "soon"', id="a-word-for-a-figure"),
        pytest.param('["employment", "dwelling", "schooling"]', "7", id="a-figure-for-a-list"),
    ],
)
def test_a_file_with_a_hole_is_no_policy(own_policy, old, new):
    """Nothing is filled in by guess."""
    with pytest.raises(ValidationError):
        load_policy(own_policy(old, new))


def test_there_is_no_policy_of_an_unknown_name():
    """A name that comes with no file."""
    with pytest.raises(FileNotFoundError):
        load_policy("atlantis-2026")


def test_every_district_has_stations(policy):
    """Each knows its district; nothing else is a station."""
    assert policy.divisions.keys() == policy.stations.keys()
    assert "320211" == policy.district_of("320211-12")
    assert {None} == {policy.district_of(name) for name in ("320211", "999999-99", "", None)}


def test_made_up_people_are_not_admitted_by_a_file(own_policy):
    """It is decided at the start of the program, never by the policy's text."""
    text = 'version = "wuxi-2026.1"'
    own = own_policy(text, f"{text}\nsynthetic_people = true")

    assert not load_policy(own).synthetic_people
    assert not load_policy().synthetic_people


def test_the_scenarios_are_the_five_of_the_notice(policy):
    """[W1]"""
    assert set(policy.scenarios) == SCENARIOS


def test_every_scenario_has_a_budget(policy):
    """Each discloses enough to copy a register by."""
    assert set(policy.permits_per_hour) == SCENARIOS


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_every_scenario_shows_whose_permit_holds_how_long(policy, scenario):
    """Name and last valid day; no field twice."""
    shown = policy.scenarios[scenario]

    assert {"name", "valid_until"} <= set(shown)
    assert len(set(shown)) == len(shown)


def test_only_two_scenarios_show_the_citizen_number(policy):
    """Others do not need it."""
    shown = {name for name, seen in policy.scenarios.items() if "citizen_id_number" in seen}

    assert {"law_enforcement", "entry_exit"} == shown


def test_scenarios_show_fields_that_a_permit_has(policy, identity):
    """A misspelt field would be an empty one in front of an officer."""
    on_card = {field.name for field in fields(identity())} | {"residence", "valid_until"}

    assert {field for shown in policy.scenarios.values() for field in shown} <= on_card


def test_p22_a_new_scenario_comes_by_policy(policy):
    """Not by code: the next policy lists it, and verifiers can be registered for it."""
    scenario, shown = "school_admission", ("name", "valid_until")
    new = replace(policy, scenarios={**policy.scenarios, scenario: shown})

    assert shown == scenario_fields(new, scenario, frozenset({scenario}))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("late_grace_days = 30", "late_grace_days = -1"),
        ("late_grace_days = 30", "late_grace_days = 181"),
        ("devices_max = 5", "devices_max = 0"),
        ("devices_bound_per_day_max = 10", "devices_bound_per_day_max = 0"),
        ('["deceased", "voided"]', '["deceased", "vanished"]'),
        ('320205 = ["320205-01"', '320299 = ["320205-01"'),
        ('"320205-02"', '"320205-01"'),
        ('"320205-02"', '"320206-01"'),
        ("remote_staleness_max_s = 300", "remote_staleness_max_s = 9"),
        ("remote_staleness_max_s = 300", "remote_staleness_max_s = 86_401"),
        ('grounds = ["employment"', 'grounds = ["family_reunion"'),
        ('patrol_inspection = ["name", ', 'patrol_inspection = ["nickname", "name", '),
        ('patrol_inspection = ["name", ', "patrol_inspection = ["),
        ("devices_max = 5", "devices_max = 5\ndevices_min = 1"),
    ],
)
def test_a_policy_out_of_bounds_is_refused(own_policy, old, new):
    """A figure out of bounds, an unknown ground, field or setting: refused when it is read."""
    with pytest.raises(ValueError, match=r"\w"):
        load_policy(own_policy(old, new))
