"""Challenges: in high-risk scenarios, a code relayed from elsewhere is not effective."""

import pytest

LAW, BORDER, PATROL = "law_enforcement", "entry_exit", "patrol_inspection"
PATH = "/v1/verifications/challenges"


@pytest.fixture
def phone(at, issue, phone_of):
    at("2026-06-01")
    return phone_of(issue(issued_on="2026-01-05"))


@pytest.fixture
def challenge(verifier):
    """``challenge()``: the digits that an officer's screen shows."""

    def ask(scenario=LAW, by=verifier):
        answer = by.post(PATH, {"scenario": scenario})
        assert 201 == answer.status_code, answer.text
        return answer.json()["challenge"]

    return ask


@pytest.fixture
def other(signed):
    """Another officer."""
    return signed(sub="officer-7", scope="verify", scenarios=[LAW, BORDER])


def test_a_challenge_is_eight_digits_for_two_minutes(at, verifier):
    """By the ledger's clock."""
    at("2026-06-01T10:00:00+08:00")
    said = verifier.post(PATH, {"scenario": LAW}).json()

    assert said["challenge"].isdecimal()
    assert 8 == len(said["challenge"])
    assert said["expires_at"].startswith("2026-06-01T02:02:0")


def test_a_code_that_answers_the_challenge_is_effective(phone, challenge, show):
    """Once."""
    digits = challenge()
    code = phone.code(digits)

    assert "effective" == show(code, LAW, digits)["outcome"]
    assert "not_live" == show(code, LAW, digits)["reason"]


def test_a_challenge_is_answered_once(phone, challenge, show):
    """Not by a second code of the same phone."""
    digits = challenge()
    codes = [phone.code(digits), phone.code(digits)]

    assert ["effective", "not_effective"] == [show(c, LAW, digits)["outcome"] for c in codes]


def test_of_several_concurrent_codes_for_one_challenge_one_is_effective(
    phone, challenge, show, together
):
    digits = challenge()
    codes = [phone.code(digits) for _ in range(3)]

    found = together(3, lambda n: show(codes[n], LAW, digits)["outcome"])

    assert ["effective", "not_effective", "not_effective"] == sorted(found)


def test_a_code_without_a_challenge_does_not_answer_one(phone, challenge, show):
    """It may have been relayed."""
    assert "not_live" == show(phone.code(), LAW, challenge())["reason"]


def test_a_code_for_another_challenge_does_not_answer_this_one(phone, challenge, show):
    """Although both are the same officer's."""
    first, second = challenge(), challenge()
    assert "not_live" == show(phone.code(first), LAW, second)["reason"]


def test_a_code_for_a_challenge_is_not_effective_without_it(phone, challenge, show):
    """Only a code without a challenge is."""
    assert "not_live" == show(phone.code(challenge()), LAW)["reason"]


def test_a_code_for_another_officers_challenge_is_not_live(phone, challenge, other, show):
    """It was relayed; the other officer cannot use it afterwards either."""
    digits = challenge(by=other)
    code = phone.code(digits)

    assert "not_live" == show(code, LAW, digits)["reason"]
    assert "not_live" == show(code, LAW, digits, by=other)["reason"]


def test_a_challenge_is_for_its_scenario(phone, challenge, show):
    """And for no other scenario of the same officer."""
    digits = challenge(LAW)
    assert "not_live" == show(phone.code(digits), BORDER, digits)["reason"]


def test_without_a_challenge_an_ordinary_code_is_effective(phone, show):
    """In the same scenario."""
    assert "effective" == show(phone.code(), LAW)["outcome"]


def test_a_challenge_expires(at, phone, challenge, show):
    """After two minutes it cannot be answered, and a code that answered it is not live."""
    at("2026-06-01T10:00:00+08:00")
    digits = challenge()
    at("2026-06-01T10:01:55+08:00")
    code = phone.code(digits)
    at("2026-06-01T10:02:05+08:00")

    refused = phone.ask(challenge=digits)

    assert (409, "CHALLENGE_NOT_OPEN") == (refused.status_code, refused.json()["code"])
    assert "not_live" == show(code, LAW, digits)["reason"]


def test_digits_that_no_officer_shows_are_refused(phone):
    """A phone cannot prepare a code for a future challenge."""
    refused = phone.ask(challenge="00000000")
    assert (409, "CHALLENGE_NOT_OPEN") == (refused.status_code, refused.json()["code"])


def test_challenges_exist_only_in_high_risk_scenarios(subtests, verifier):
    """Those that the policy lists."""
    for scenario in [PATROL, "dog_walking", ""]:
        with subtests.test(scenario=scenario):
            refused = verifier.post(PATH, {"scenario": scenario})
            assert (409, "SCENARIO_NOT_ALLOWED") == (refused.status_code, refused.json()["code"])


def test_only_a_verifier_with_the_scenario_gets_a_challenge(caller):
    """As with checks."""
    refused = caller("verifier", scenarios=[PATROL]).post(PATH, {"scenario": LAW})
    assert (409, "SCENARIO_NOT_ALLOWED") == (refused.status_code, refused.json()["code"])


def test_a_malformed_challenge_is_invalid(subtests, phone, verifier):
    """422, from the phone and from the officer."""
    for digits in ["", "1234567", "123456789", "1234567a", 12345678]:
        with subtests.test(digits=digits):
            asked = phone.holder.post(phone.path, {"challenge": digits}, dpop=phone.proof())
            check = {"scenario": LAW, "track": "electronic", "code": "x", "challenge": digits}
            checked = verifier.post("/v1/verifications", check)
            assert [422, 422] == [asked.status_code, checked.status_code]
