"""A verifier's own checks, and checks of several cards at once."""

import itertools

import pytest

from domain import permit_number
from tests.api.service import Caller

BUDGET = 600
"""Different permits that one account may check in an hour, in `law_enforcement`."""


@pytest.fixture
def permit(at, issue):
    at("2026-06-01")
    return issue(issued_on="2026-01-05")


@pytest.fixture
def card(permit):
    """What is printed on the card."""
    return {
        "scenario": "patrol_inspection",
        "track": "physical",
        "permit_number": permit["permit_number"],
        "card_serial": 1,
    }


@pytest.fixture
def officer(signed):
    """``officer("officer-7")``: a verifier with an account of its own."""

    def make(subject: str, *scenarios: str) -> Caller:
        allowed = list(scenarios or ("patrol_inspection",))
        return signed(sub=subject, scope="verify", station=None, scenarios=allowed)

    return make


def test_a_verifier_lists_its_own_checks_and_no_others(officer, permit, card, phone_of):
    """Page by page, the newest first; of a dead code it does not learn whose it was."""
    own, other = officer("lister-1"), officer("lister-2")
    phone = phone_of(permit)
    code = {"scenario": "patrol_inspection", "track": "electronic", "code": phone.code()}
    bodies = [card, code, code, {**card, "scenario": "entry_exit"}, {**card, "card_serial": 9}]
    made = [own.post("/v1/verifications", body).json() for body in bodies]
    other.post("/v1/verifications", card)

    seen, path = [], "/v1/verifications?limit=2"
    while path:
        answer = own.http.get(path, headers=own.headers)
        seen += answer.json()["checks"]
        path = answer.links.get("next", {}).get("url")

    number = permit["permit_number"]
    assert [one["check_id"] for one in made[::-1]] == [one["check_id"] for one in seen]
    assert [number, number, None, number, number] == [one["permit_number"] for one in seen]
    reasons = ["unknown_permit", "scenario_not_allowed", "not_live", None, None]
    assert reasons == [one["reason"] for one in seen]
    assert {"verifier", "fields", "permit"}.isdisjoint(seen[0])


def test_checks_are_listed_from_an_instant_on(officer, at, card):
    """By the service's clock; a position of another's list leads nowhere."""
    own, other = officer("lister-3"), officer("lister-4")
    first = own.post("/v1/verifications", card).json()
    at("2026-06-02")
    second = own.post("/v1/verifications", card).json()
    other.post("/v1/verifications", card)

    def listed(by, **query):
        answer = by.get("/v1/verifications", **query).json()
        return [one["check_id"] for one in answer["checks"]]

    assert [second["check_id"], first["check_id"]] == listed(own)
    assert [second["check_id"]] == listed(own, since="2026-06-02T00:00:00+08:00")
    assert [] == listed(own, since="2026-06-03T00:00:00+08:00")
    [position] = [one["position"] for one in other.get("/v1/verifications").json()["checks"]]
    assert [] == listed(own, before=position)


def test_a_batch_has_an_answer_for_each_card_in_order(officer, permit, card, holder_of):
    """The same as a single check's, receipt included, and on record for the holder."""
    own = officer("batcher-1")
    checks = [
        card,
        {**card, "card_serial": 2},
        card,
        {**card, "permit_number": "990000199001010017"},
    ]

    answer = own.post("/v1/verifications/batches", {"checks": checks})

    assert 200 == answer.status_code, answer.text
    found = answer.json()["checks"]
    unknown = ("not_effective", "unknown_permit")
    assert [("effective", None), unknown, ("effective", None), unknown] == [
        (one["outcome"], one["reason"]) for one in found
    ]
    single = own.post("/v1/verifications", card).json()
    assert single["permit"] == found[0]["permit"] == found[2]["permit"]
    assert set(single) == set(found[0])
    listed = holder_of(permit).get("/v1/me/checks").json()["checks"]
    assert {one["check_id"] for one in found[:3]} < {one["check_id"] for one in listed}
    assert "990000199001010017" not in own.get("/v1/verifications").text


@pytest.mark.parametrize(
    "checks", [[], "all", [{"scenario": "patrol_inspection", "track": "electronic", "code": "A"}]]
)
def test_a_batch_is_of_cards(officer, card, checks):
    """At least one and at most a hundred, no live codes; otherwise nothing is checked."""
    own = officer("batcher-2")

    refused = own.post("/v1/verifications/batches", {"checks": checks})
    too_many = own.post("/v1/verifications/batches", {"checks": [card] * 101})

    assert [422, 422] == [refused.status_code, too_many.status_code]
    assert [] == own.get("/v1/verifications").json()["checks"]


def test_a_batch_is_no_way_around_a_budget(officer, card):
    """Of different permits in an hour: what is beyond it is refused in its place, what was asked
    for before is answered; a batch of which nothing is left is refused as a whole."""
    own = officer("batcher-3", "law_enforcement")
    bits = itertools.count(1, 48_271_007)
    numbers = [permit_number.draw(lambda k: next(bits) ** 3 % 2**k) for _ in range(650)]

    def batch(wanted):
        checks = [{**card, "scenario": "law_enforcement", "permit_number": n} for n in wanted]
        return own.post("/v1/verifications/batches", {"checks": checks})

    for start in range(0, BUDGET, 100):
        assert 200 == batch(numbers[start : start + 100]).status_code
    mixed = batch([numbers[BUDGET], numbers[0], numbers[BUDGET + 1]]).json()["checks"]
    whole = batch(numbers[BUDGET:])

    assert [429, None, 429] == [one.get("status") for one in mixed]
    assert ("RATE_LIMITED", "unknown_permit") == (mixed[0]["code"], mixed[1]["reason"])
    assert 1 <= mixed[0]["retry_after_s"] <= 3600
    assert (429, "RATE_LIMITED") == (whole.status_code, whole.json()["code"])
