"""What a provider's claims mean: whole names, and nothing that can't be seen."""

import pytest

from api.http.roles import Role
from api.http.tokens import BadToken
from api.sign_in.claims import ClaimsMapping, NoRole

MAPPING = ClaimsMapping(
    {"permits/checks": Role.VERIFIER, "senior auditor": Role.INVESTIGATOR}, roles_claim="groups"
)
CLAIMS = {"sub": "a", "exp": 2e9}


def account(**claims):
    return MAPPING.account({**CLAIMS, **claims})


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["permits/checks"], Role.VERIFIER),
        ("permits/checks", Role.VERIFIER),
        ("openid permits/checks", Role.VERIFIER),
        (["senior auditor"], Role.INVESTIGATOR),
    ],
)
def test_a_role_is_named_in_a_list_or_a_text(groups, role):
    assert role is account(groups=groups).role


@pytest.mark.parametrize(
    "groups",
    [
        ["permits/checks trainees"],
        ["trainees permits/checks"],
        "senior auditor",
        ["permits/checks "],
        [],
        None,
    ],
)
def test_a_part_of_a_groups_name_is_no_role(groups):
    """The names in a list may have spaces."""
    with pytest.raises(NoRole):
        account(groups=groups)


@pytest.mark.parametrize("names", [["a\ud800"], ["a\0"], [1], {"a": 1}, 1, ["a"] * 501])
@pytest.mark.parametrize("claim", ["groups", "scenarios"])
def test_names_are_texts_that_can_be_seen(claim, names):
    with pytest.raises(BadToken):
        account(**{"groups": ["permits/checks"], claim: names})


def test_scenarios_are_whole_names():
    found = account(groups=["permits/checks"], scenarios=["a", "b c"])
    assert {"a", "b c"} == found.principal.scenarios
