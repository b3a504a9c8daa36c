"""Rate limits: per account and per permit, in bounded memory."""

import os

import pytest

from api.http.problems import HttpProblem
from api.http.rate_limits import CheckLimits, DistinctLimit, RateLimit
from tests.api.conftest import free_port
from tests.api.phones import Phone
from tests.api.service import Service


def spends(limit, key, times, now):
    """How many of so many requests are accepted."""
    refused = []
    for _ in range(times):
        try:
            limit.spend(key, now)
        except HttpProblem as problem:
            refused.append((problem.status, problem.code, int(problem.headers["Retry-After"])))
    assert all(one[:2] == (429, "RATE_LIMITED") and 1 <= one[2] <= 60 for one in refused)
    return times - len(refused)


def test_a_minutes_allowance_may_be_spent_at_once():
    """It is refilled evenly."""
    limit = RateLimit(60, what="checks")
    assert 60 == spends(limit, "a", 100, now=1000)
    assert 0 == spends(limit, "a", 5, now=1000.5)
    assert 1 == spends(limit, "a", 5, now=1001.1)
    assert 10 == spends(limit, "a", 50, now=1011.1)
    assert 60 == spends(limit, "a", 100, now=2000)


def test_each_key_has_its_own_allowance():
    """One account does not use up another's."""
    limit = RateLimit(5, what="checks")
    assert [5, 5] == [spends(limit, key, 9, now=1000) for key in ("a", "b")]


def test_after_retry_after_a_request_is_accepted():
    limit = RateLimit(2, what="checks")
    spends(limit, "a", 2, now=1000)
    with pytest.raises(HttpProblem) as refused:
        limit.spend("a", 1000)
    limit.spend("a", 1000 + int(refused.value.headers["Retry-After"]))


def test_memory_is_bounded():
    """The least recently used key is dropped first."""
    limit = RateLimit(5, what="checks", keys_max=100)
    for n in range(1000):
        limit.spend(n, 1000)
        spends(limit, "hasty", 1, now=1000)
    assert len(limit) <= 100
    assert 0 == spends(limit, "hasty", 3, now=1000)


def test_a_key_with_its_full_allowance_is_forgotten():
    """Nothing about it has to be remembered."""
    limit = RateLimit(60, what="checks")
    for n in range(1000):
        limit.spend(n, 1000 + n * 2)
    assert len(limit) < 10


def refused(limit, key, thing, now):
    try:
        limit.spend(key, thing, now)
    except HttpProblem as problem:
        return int(problem.headers["Retry-After"])
    return None


def test_a_limit_of_different_things_counts_each_once_an_hour():
    """For each key by itself; what was counted before the limit stays allowed until the hour ends,
    which ``Retry-After`` says."""
    limit = DistinctLimit(2, what="permits")
    assert [None] * 4 == [refused(limit, "a", thing, now=7300) for thing in "xyxy"]
    assert 3600 - 101 == refused(limit, "a", "z", now=7301)
    assert (None, None) == (refused(limit, "a", "y", now=7302), refused(limit, "b", "z", now=7302))
    assert None is refused(limit, "a", "z", now=10_800)


def test_a_limit_of_different_things_remembers_a_bounded_number():
    """When no more can be remembered, what is not known is refused."""
    limit = DistinctLimit(1000, what="permits", things_max=10)
    for n in range(10):
        limit.spend(n, n, now=7200)
    assert None is refused(limit, 3, 3, now=7201)
    assert refused(limit, "new", "thing", now=7201)


def test_an_account_has_a_budget_over_all_scenarios(blind_index):
    """What a scenario without a budget of its own allows, and what several allow together. A
    permit's own allowance is not spent by an account that has none left."""
    limits = CheckLimits(
        blind_index,
        per_verifier_per_minute=1000,
        per_permit_per_minute=2,
        permits_per_hour={"patrol_inspection": 2},
        permits_per_verifier_per_hour=3,
    )
    copier, officer = map(limits.verifier_index, ("copier", "officer"))

    def is_allowed(account, permit, scenario):
        try:
            limits.check(account, permit, scenario)
        except HttpProblem:
            return False
        return True

    patrol, registration = "patrol_inspection", "population_registration"
    assert [True, True, False] == [is_allowed(copier, permit, patrol) for permit in "ABC"]
    assert [True, False, False] == [is_allowed(copier, permit, registration) for permit in "DEF"]
    assert is_allowed(copier, "A", "population_registration")
    assert [True, True, False] == [is_allowed(officer, "F", "entry_exit") for _ in range(3)]


@pytest.fixture(scope="module")
def strict(make_service_dir):
    """A service with low limits."""
    service = Service(make_service_dir(), free_port())
    few = {
        "PERMIT_LEDGER_CHECKS_PER_VERIFIER_PER_MINUTE": "12",
        "PERMIT_LEDGER_CHECKS_PER_PERMIT_PER_MINUTE": "4",
        "PERMIT_LEDGER_FRUITLESS_PER_ACCOUNT_PER_MINUTE": "5",
        "PERMIT_LEDGER_FRAMES_PER_VERIFIER_PER_MINUTE": "4",
    }
    service.launch(environment={**os.environ, **few})
    yield service.wait_until_ready()
    service.end()


def test_checks_of_one_permit_are_limited(strict, application):
    """429 with Retry-After, and nothing is recorded; another permit is not affected. Its codes are
    limited, and so are their checks. Without the scenario nothing of a permit's is used up."""
    registrar, verifier = strict.caller("registrar"), strict.caller("verifier")
    first, second = (registrar.post("/v1/permits", application()).json() for _ in range(2))

    def check(permit, by=verifier):
        card = {"track": "physical", "permit_number": permit["permit_number"], "card_serial": 1}
        return by.post("/v1/verifications", {"scenario": "patrol_inspection", **card})

    answers = [check(first) for _ in range(6)]

    assert [200] * 4 + [429] * 2 == [answer.status_code for answer in answers]
    assert "RATE_LIMITED" == answers[-1].json()["code"]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert [(4,)] == strict.rows("SELECT count(*) FROM ledger.checks")
    stranger = strict.caller("verifier", scenarios=["vehicle_management"])
    reasons = [check(second, by=stranger).json()["reason"] for _ in range(4)]
    assert ["scenario_not_allowed"] * 4 == reasons
    assert 200 == check(second).status_code
    phone = Phone(strict.caller("holder", holder_id=first["holder_id"]), first).claim()
    assert [201] * 4 + [429] == [phone.ask().status_code for _ in range(5)]


def test_checks_of_one_account_are_limited(strict):
    """Over all permits and codes; its challenges count as well."""
    verifier = strict.caller("verifier")
    body = {"scenario": "patrol_inspection", "track": "electronic", "code": "x"}

    statuses = [verifier.post("/v1/verifications", body).status_code for _ in range(20)]

    assert {200, 429} == set(statuses)
    challenge = verifier.post("/v1/verifications/challenges", {"scenario": "entry_exit"})
    assert 429 == challenge.status_code


def test_pictures_of_one_account_are_limited(strict):
    """429 with Retry-After; what the pictures show does not matter, nor whether they are any."""
    verifier = strict.caller("verifier")
    answers = [
        verifier.send("/v1/verifications/frames", b"no picture", content_type="image/png")
        for _ in range(6)
    ]

    assert [422] * 4 + [429] * 2 == [answer.status_code for answer in answers]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60


def test_an_account_leaves_a_bounded_number_of_fruitless_records(strict, application):
    """Beyond them it gets 429, learns nothing, and adds nothing to tables that only grow: as a
    registrar, as a reader of the audit, and with a token that may not read it. What it may do is
    done all the same."""
    registrar = strict.caller("registrar")
    permit = registrar.post("/v1/permits", application()).json()
    number = permit["permit_number"]
    path, asked = f"/v1/permits/{number}", f"/v1/audit/permits/{number}/events"

    holder = strict.caller("holder", holder_id=permit["holder_id"])

    attempts = [registrar.post(f"{path}/loss-lifts", {}).status_code for _ in range(8)]
    refused = [holder.get(asked).status_code for _ in range(8)]
    investigator = strict.caller("investigator", case="2026-L-2")
    unknown = [investigator.get(asked, limit=0).status_code for _ in range(8)]

    for statuses, status, rows in (
        (attempts, 409, "SELECT count(*) FROM ledger.registrar_reads"),
        (refused, 403, "SELECT count(*) FROM ledger.audit_reads WHERE outcome = 'refused'"),
        (unknown, 422, "SELECT count(*) FROM ledger.audit_reads WHERE outcome = 'invalid'"),
    ):
        assert {status, 429} == set(statuses)
        assert [(statuses.count(status),)] == strict.rows(rows)
    assert 200 == registrar.post(f"{path}/loss-reports", {}).status_code
    assert 200 == investigator.get(asked).status_code
    stranger = strict.caller("holder", holder_id="somebody")
    guesses = [stranger.get(f"{path}/absence").status_code for _ in range(8)]
    assert {409, 429} == set(guesses)


def test_a_holder_has_a_bounded_number_of_refusals_kept(strict, application):
    """Each under a key of its own would be kept for ever."""
    permit = strict.caller("registrar").post("/v1/permits", application()).json()
    holder = strict.caller("holder", holder_id=permit["holder_id"])
    path = f"/v1/permits/{permit['permit_number']}/electronic/device-revocations"

    statuses = [
        holder.post(path, {"device": "A" * 43}, idempotency_key=f"key {n}").status_code
        for n in range(8)
    ]

    assert {409, 429} == set(statuses)
    [(kept,)] = strict.rows(
        "SELECT count(*) FROM ledger.answers WHERE caller = %s", permit["holder_id"]
    )
    assert kept <= 6
