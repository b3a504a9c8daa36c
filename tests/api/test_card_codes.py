"""What a check by card needs that no register or log tells, and how many an account may make."""

import os
from pathlib import Path

import httpx
import pytest

from permit_ledger.bootstrap import policy as policy_module
from tests.api.conftest import free_port
from tests.api.service import Service

BUNDLED = Path(policy_module.__file__).parent / "policies"
PATROL, LAW = "patrol_inspection", "law_enforcement"
BUDGET = 5


@pytest.fixture
def code_of(registrar):
    """``code_of(number)``: what the counter prints on the card's face."""
    return lambda number: registrar.get(f"/v1/permits/{number}/physical").json()["card_code"]


def ask(verifier, number, serial=1, scenario=PATROL, **more):
    body = {"scenario": scenario, "track": "physical", "permit_number": number}
    return verifier.post("/v1/verifications", {**body, "card_serial": serial, **more})


def test_a_card_is_checked_with_the_code_on_its_face(subtests, issue, act, verifier, code_of):
    """Each card has its own. With a wrong one the permit is unknown, and nothing of it is shown."""
    number = issue(issued_on="2026-01-05")["permit_number"]
    first = code_of(number)
    act(number, "loss-reports")
    act(number, "reissues")
    second = code_of(number)
    other = code_of(issue()["permit_number"])
    for code, outcome, reason in [
        (second, "effective", None),
        (f" {second[:4].lower()}-{second[4:]} ", "effective", None),
        (first, "not_effective", "unknown_permit"),
        (other, "not_effective", "unknown_permit"),
        (second[:-1], "not_effective", "unknown_permit"),
        ("", "not_effective", "unknown_permit"),
        ("居住证", "not_effective", "unknown_permit"),
    ]:
        with subtests.test(code=code):
            answer = ask(verifier, number, 2, card_code=code).json()

            assert (outcome, reason) == (answer["outcome"], answer["reason"])
            assert bool(answer["permit"]) is (reason is None)
    assert len({first, second, other}) == 3


def test_a_code_is_for_the_registrar_who_prints_the_card(issue, holder_of, registrar, check):
    """It is in no other answer, no event and no check."""
    permit = issue()
    path = f"/v1/permits/{permit['permit_number']}"
    code = registrar.get(f"{path}/physical").json()["card_code"]

    for answer in (
        holder_of(permit).get(f"{path}/physical"),
        registrar.get(path),
        registrar.get(f"{path}/electronic"),
    ):
        assert answer.is_success
        assert code not in answer.text
    assert code not in str(check(permit["permit_number"]))


@pytest.fixture(scope="module")
def strict(make_service_dir):
    """Codes are required, and few different permits may be checked in an hour."""
    folder = make_service_dir()
    policy = folder.parent / f"{folder.name}-policy.toml"
    text = (BUNDLED / "wuxi-2026.toml").read_text("utf-8")
    text = text.replace("law_enforcement = 600", f"law_enforcement = {BUDGET}")
    policy.write_text(f"card_codes_from = 2026-01-01\n{text}", "utf-8")
    service = Service(folder, free_port())
    service.launch(environment={**os.environ, "PERMIT_LEDGER_POLICY": str(policy)})
    yield service.wait_until_ready()
    service.end()


@pytest.fixture
def issue_there(strict, application):
    registrar = strict.caller("registrar")

    def issue_there():
        number = registrar.post("/v1/permits", application()).json()["permit_number"]
        return number, registrar.get(f"/v1/permits/{number}/physical").json()["card_code"]

    return issue_there


def test_the_policy_requires_codes_of_new_cards(strict, issue_there):
    """A permit number from a public list shows nothing of the person."""
    verifier = strict.caller("verifier")
    number, code = issue_there()

    without, with_code = ask(verifier, number).json(), ask(verifier, number, card_code=code).json()

    assert ("unknown_permit", {}) == (without["reason"], without["permit"])
    assert "effective" == with_code["outcome"]


def test_an_old_card_tells_nothing_without_its_code(strict, issue_there):
    """Nor does the audit take a check without the right code for one of the card: it says so."""
    registrar, verifier = strict.caller("registrar"), strict.caller("verifier")
    number, code = issue_there()
    registrar.post(f"/v1/permits/{number}/loss-reports", {})
    registrar.post(f"/v1/permits/{number}/reissues", {})
    asked = [{}, {"card_code": "00000000"}, {"card_code": code}]

    reasons = [ask(verifier, number, 1, **with_code).json()["reason"] for with_code in asked]
    ask(verifier, number, 2)

    assert ["unknown_permit", "unknown_permit", "superseded_card"] == reasons
    investigator = strict.caller("investigator", case="2026-C-1")
    checks = investigator.get(f"/v1/audit/permits/{number}/checks").json()["checks"]
    assert [
        ("missing", "unknown_permit", False),
        ("right", "superseded_card", False),
        ("wrong", "unknown_permit", False),
        ("missing", "unknown_permit", False),
    ] == [(one["card_code"], one["today"]["reason"], one["differs"]) for one in checks]


def test_an_account_checks_only_so_many_different_permits_in_an_hour(strict, issue_there):
    """In scenarios that show everything. The same permits can be checked again, other scenarios
    are not concerned, and operators see it."""
    verifier = strict.caller("verifier")
    permits = [issue_there() for _ in range(BUDGET + 1)]

    def check(which, scenario=LAW):
        number, code = permits[which]
        return ask(verifier, number, scenario=scenario, card_code=code).status_code

    assert [200] * BUDGET + [429] == [check(n) for n in range(BUDGET + 1)]
    assert 200 == check(0)
    assert 200 == check(BUDGET, scenario=PATROL)
    refused = ask(verifier, permits[BUDGET][0], scenario=LAW, card_code=permits[BUDGET][1])
    assert ("RATE_LIMITED", True) == (
        refused.json()["code"],
        1 <= int(refused.headers["Retry-After"]) <= 3600,
    )
    counted = 'permit_ledger_check_budgets_exceeded_total{scenario="law_enforcement"} 2.0'
    assert counted in httpx.get(f"{strict.url}/metrics").text
