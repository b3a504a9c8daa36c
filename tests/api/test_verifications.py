"""POST /v1/verifications: the answer to a check of a card, and its record."""

from itertools import product

import pytest

from domain import permit_number

FIELDS = {
    "vehicle_management": {"name", "portrait", "residence", "valid_until"},
    "entry_exit": {
        *("name", "sex", "birth_date", "citizen_id_number", "portrait"),
        *("hukou_address", "residence", "valid_until"),
    },
    "patrol_inspection": {"name", "portrait", "valid_until"},
    "law_enforcement": {
        *("name", "sex", "ethnicity", "birth_date", "citizen_id_number", "portrait"),
        *("hukou_address", "residence", "valid_until"),
    },
    "population_registration": {
        *("name", "sex", "ethnicity", "birth_date", "portrait"),
        *("hukou_address", "residence", "valid_until"),
    },
}
LOSS, REISSUE = ("loss-reports", {}), ("reissues", {})
REPLACEMENT = ("replacements", {"reason": "damaged", "old_card_returned": True})
CORRECTION = ("identity-corrections", {"name": "欧阳更正"})
CANCELLATION = ("cancellations", {"reason": "deceased"})
VOIDING = ("voidings", {"finding": "forged lease"})
NEVER_ISSUED = permit_number.draw(lambda bits: 5 * (2**bits // 31))


@pytest.fixture
def permit(at, issue):
    at("2026-06-01")
    return issue(issued_on="2026-01-05")


@pytest.fixture
def number(permit):
    return permit["permit_number"]


def test_an_effective_card(check, permit, number):
    """Every documented field, as of a position that has the permit."""
    found = check(number, 1)

    assert ("effective", None, "physical", "patrol_inspection") == (
        found["outcome"],
        found["reason"],
        found["track"],
        found["scenario"],
    )
    assert {"name": "欧阳测试", "portrait": None, "valid_until": "2027-01-04"} == found["permit"]
    assert found["checked_at"].startswith("2026-06-01T01:00")
    assert permit["as_of_position"] <= found["as_of_position"]


def test_a_scenario_discloses_only_its_fields(service, check, permit, number):
    """Each with the value on record."""
    identity = service.event(permit["as_of_position"])["identity"]
    whole = {
        **identity,
        "residence": {"division": "320211", "address": "滨湖区示例新村8号101室"},
        "valid_until": "2027-01-04",
    }

    for scenario, fields in FIELDS.items():
        shown = check(number, 1, scenario)["permit"]
        assert {field: whole[field] for field in fields} == shown, scenario


def test_a_card_that_is_not_effective_has_one_reason_and_discloses_nothing(act, check, issue):
    """Each reason once; their order is tested in the domain."""
    for reason, acts, serial in (
        ("reported_lost", [LOSS], 1),
        ("superseded_card", [LOSS, REISSUE], 1),
        ("superseded_card", [REPLACEMENT], 1),
        ("identity_stale", [CORRECTION], 1),
        ("ended", [CANCELLATION], 1),
        ("voided", [VOIDING], 1),
        ("unknown_permit", [], 2),
    ):
        number = issue()["permit_number"]
        for what, body in acts:
            act(number, what, **body)

        found = check(number, serial, "law_enforcement")

        answered = found["outcome"], found["reason"], found["permit"]
        assert ("not_effective", reason, {}) == answered


def test_a_permit_is_suspended_from_its_anniversary_on(at, check, number):
    """The last valid day still counts; for a lost card of a suspended permit, the suspension is the
    reason."""
    at("2027-01-04T23:59:00+08:00")
    assert "effective" == check(number)["outcome"]
    at("2027-01-05T00:01:00+08:00")
    assert ("use_suspended", {}) == (check(number)["reason"], check(number)["permit"])


def test_a_permit_that_does_not_exist_is_not_effective(check):
    """Whether the number is well-formed or not."""
    for unknown in (NEVER_ISSUED, "nonsense", "", "%", NEVER_ISSUED.lower()):
        found = check(unknown)
        answered = found["outcome"], found["reason"], found["permit"]
        assert ("not_effective", "unknown_permit", {}) == answered, unknown


def test_p21_a_code_that_is_not_live_is_not_effective(verifier):
    """The answer does not distinguish codes that never existed from expired ones."""
    for code in ("", "nonsense", "A" * 512):
        body = {"scenario": "patrol_inspection", "track": "electronic", "code": code}
        found = verifier.post("/v1/verifications", body).json()
        answered = found["outcome"], found["reason"], found["track"], found["permit"]
        assert ("not_effective", "not_live", "electronic", {}) == answered, code


def test_p22_a_scenario_of_another_verifier_is_refused(caller, number):
    """Not registered for it, or not in the policy even if the token names it."""
    verifier = caller("verifier", scenarios=["patrol_inspection", "dog_walking"])
    what = {"physical": {"permit_number": number, "card_serial": 1}, "electronic": {"code": "x"}}
    scenarios = ["law_enforcement", "dog_walking", "", "PATROL_INSPECTION"]
    for scenario, track in product(scenarios, what):
        body = {"scenario": scenario, "track": track, **what[track]}
        found = verifier.post("/v1/verifications", body).json()
        answered = found["outcome"], found["reason"], found["permit"]
        assert ("not_effective", "scenario_not_allowed", {}) == answered, (scenario, track)


def test_a_loss_reported_just_before_is_already_known(act, check, number):
    """Fifty times: no check is answered from before an acknowledged write."""
    for _ in range(50):
        lost = act(number, "loss-reports")
        found = check(number)
        assert "reported_lost" == found["reason"]
        assert lost["as_of_position"] <= found["as_of_position"]
        act(number, "loss-lifts")
        assert "effective" == check(number)["outcome"]


@pytest.fixture
def alone(make_service, application):
    """``alone()``: a service of its own with a suspended projector; a permit from before; and
    ``ask(number)``, a check of its card."""

    def alone():
        service = make_service().start()
        registrar, verifier = service.caller("registrar"), service.caller("verifier")
        number = registrar.post("/v1/permits", application()).json()["permit_number"]

        def ask(number, card_serial=1):
            body = {"scenario": "law_enforcement", "track": "physical"}
            body |= {"permit_number": number, "card_serial": card_serial}
            return verifier.post("/v1/verifications", body).json()

        assert "effective" == ask(number)["outcome"]
        service.role("project").suspend()
        return service, registrar, number, ask

    return alone


def test_a_check_includes_events_that_the_views_lack(alone, application):
    """While the projector is suspended: a new loss, a new card, a new permit, each as of its own
    position. A permit without new events is not affected."""
    _service, registrar, number, ask = alone()
    untouched = number
    issued = registrar.post("/v1/permits", application()).json()

    found = ask(issued["permit_number"])
    assert ("effective", issued["as_of_position"]) == (found["outcome"], found["as_of_position"])
    assert application()["holder"]["name"] == found["permit"]["name"]

    lost = registrar.post(f"/v1/permits/{issued['permit_number']}/loss-reports").json()
    found = ask(issued["permit_number"])
    assert ("reported_lost", {}) == (found["reason"], found["permit"])
    assert lost["as_of_position"] <= found["as_of_position"]

    registrar.post(f"/v1/permits/{issued['permit_number']}/reissues")
    assert "superseded_card" == ask(issued["permit_number"])["reason"]
    assert "effective" == ask(issued["permit_number"], 2)["outcome"]

    found = ask(untouched)
    assert "effective" == found["outcome"]
    assert lost["as_of_position"] < found["as_of_position"]


def test_a_permit_with_unreadable_events_is_undetermined(alone, eventually):
    """Whether the projector has met the event or not; it is never effective."""
    service, registrar, number, ask = alone()
    registrar.post(f"/v1/permits/{number}/loss-reports")
    service.execute(
        "ALTER TABLE ledger.events DISABLE TRIGGER append_only;"
        " UPDATE ledger.events SET state = '' WHERE topic = 'permit.card-reported-lost.v2'"
        f" AND stream = '{number}';"
        " ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER append_only"
    )
    assert ("undetermined", {}) == ((found := ask(number))["reason"], found["permit"])

    service.role("project").resume()
    eventually(lambda: service.rows("SELECT count(*) FROM views.quarantine") == [(1,)])
    assert ("undetermined", {}) == ((found := ask(number))["reason"], found["permit"])
    answer = registrar.get(f"/v1/permits/{number}")
    assert (503, "UNAVAILABLE") == (answer.status_code, answer.json()["code"])


def test_an_invalid_request_is_not_recorded_as_a_check(service, verifier, number):
    """422."""
    before = service.rows("SELECT count(*) FROM ledger.checks")
    for changes in (
        {"track": "telepathic"},
        {"track": None},
        {"card_serial": 0},
        {"card_serial": 10**30},
        {"card_serial": "one"},
        {"permit_number": None},
        {"permit_number": "A" * 65},
        {"scenario": None},
        {"scenario": "x" * 101},
        {"code": "x"},
    ):
        body = {"scenario": "patrol_inspection", "track": "physical"}
        body |= {"permit_number": number, "card_serial": 1, **changes}
        answer = verifier.post("/v1/verifications", body)
        assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"]), changes
    assert before == service.rows("SELECT count(*) FROM ledger.checks")
