"""A holder's list of the checks of their own permits, and the verifier's receipt."""

import json
from uuid import uuid4

import pytest

from ledger.checks.log import CheckProofs

FORGE = (
    "SELECT before + 1"
    " FROM ledger.check_batch(ARRAY[%s::bytea], '{}', '{}', '{}', '{}', '{}', NULL, '0')"
)


@pytest.fixture
def permit(at, issue):
    at("2026-06-01")
    return issue(issued_on="2026-01-05")


@pytest.fixture
def phone(phone_of, permit):
    return phone_of(permit)


@pytest.fixture
def holder(phone):
    return phone.holder


def test_checks_of_both_tracks_are_listed_newest_first(permit, phone, holder, check, show):
    """With the verifier, the scenario, the disclosed fields, and the phone."""
    first = check(permit["permit_number"])
    second = show(phone.code(), "law_enforcement")

    seen = holder.get("/v1/me/checks").json()["checks"]

    assert [second["check_id"], first["check_id"]] == [one["check_id"] for one in seen]
    electronic, physical = seen
    assert "verifier@development" == electronic["verifier"] == physical["verifier"]
    assert set(second["permit"]) == set(electronic["fields"])
    assert phone.thumbprint == electronic["device"]
    assert (1, None) == (physical["card_serial"], electronic["card_serial"])
    assert permit["permit_number"] == electronic["permit_number"]


def test_refused_checks_are_listed_too(act, permit, phone, holder, check, show):
    """A used code, a lost card, a forbidden scenario."""
    code = phone.code()
    show(code)
    show(code)
    act(permit["permit_number"], "loss-reports")
    check(permit["permit_number"])
    check(permit["permit_number"], 1, "dog_walking")

    seen = holder.get("/v1/me/checks").json()["checks"]

    reasons = [one["reason"] for one in seen]
    assert ["scenario_not_allowed", "reported_lost", "not_live", None] == reasons
    assert [[], [], []] == [one["fields"] for one in seen[:3]]


def test_checks_are_listed_in_pages(permit, holder, check):
    """Each once, whatever is checked meanwhile."""
    made = [check(permit["permit_number"])["check_id"] for _ in range(7)]

    seen, before = [], None
    while True:
        page = holder.get("/v1/me/checks", limit=3, **({"before": before} if before else {}))
        seen += [one["check_id"] for one in page.json()["checks"]]
        check(permit["permit_number"])
        if (before := page.json()["next_before"]) is None:
            break

    assert made[::-1] == seen


def test_only_the_holders_own_checks_are_listed(issue, check, permit, holder, holder_of):
    """Neither the list nor a receipt reveals another's."""
    other = issue()
    theirs = check(other["permit_number"])
    own = check(permit["permit_number"])

    seen = [one["check_id"] for one in holder.get("/v1/me/checks").json()["checks"]]
    refused = holder.get(f"/v1/me/receipts/{theirs['check_id']}")
    unknown = holder.get(f"/v1/me/receipts/{uuid4()}")

    assert [own["check_id"]] == seen
    assert (404, "NOT_FOUND") == (refused.status_code, refused.json()["code"])
    assert unknown.content == refused.content


def test_checks_of_all_permits_of_the_holder_are_listed(act, registrar, application, caller, check):
    """Those of an ended permit stay."""
    person = application()
    first = registrar.post("/v1/permits", person).json()
    old = check(first["permit_number"])
    act(first["permit_number"], "cancellations", reason="moved_away")
    second = registrar.post("/v1/permits", person).json()
    new = check(second["permit_number"])

    holder = caller("holder", holder_id=first["holder_id"])
    seen = [one["check_id"] for one in holder.get("/v1/me/checks").json()["checks"]]

    assert [new["check_id"], old["check_id"]] == seen


@pytest.mark.parametrize("acts", [[], ["loss-reports"]])
def test_the_receipt_equals_the_verifiers(act, permit, holder, check, signed_claims, acts):
    """Byte by byte, effective or not."""
    for what in acts:
        act(permit["permit_number"], what)
    found = check(permit["permit_number"])

    own = holder.get(f"/v1/me/receipts/{found['check_id']}").json()

    assert found["check_id"] == own["check_id"]
    assert signed_claims(found["receipt"]) == signed_claims(own["receipt"])


def test_the_receipt_of_a_code(phone, holder, show, signed_claims):
    """A live code's names the permit that was shown; that of a code that is not live names none."""
    code = phone.code()
    live, dead = show(code), show(code)

    own = [holder.get(f"/v1/me/receipts/{one['check_id']}").json() for one in (live, dead)]

    assert [signed_claims(live["receipt"]), signed_claims(dead["receipt"])] == [
        signed_claims(one["receipt"]) for one in own
    ]
    assert phone.number == signed_claims(live["receipt"])["permit_number"]
    assert "permit_number" not in signed_claims(dead["receipt"])


@pytest.fixture
def forge(service, permit):
    """``forge(…)``: the position of a check that the service did not make, in the clear, put on
    record by the function that the service's database role has; with its id."""

    def forge(proofs=None, **changes):
        state = {
            "as_of_position": 1,
            "card_serial": 1,
            "check_id": str(uuid4()),
            "checked_at": "2026-06-01T00:00:00+00:00",
            "code": None,
            "device": None,
            "fields": [],
            "outcome": "effective",
            "permit_number": permit["permit_number"],
            "reason": None,
            "scenario": "patrol_inspection",
            "track": "physical",
            "type": "permit.checked.v1",
            "verifier": "made up",
            "verifier_index": "00" * 32,
            **changes,
        }
        if proofs:
            state["proof"] = proofs.of(state)
        content = json.dumps(state, sort_keys=True, separators=(",", ":")).encode()
        [[position]] = service.rows(FORGE, content)
        return position, state["check_id"]

    return forge


def test_only_what_the_service_has_put_on_record_gets_a_receipt(forge, permit, holder, check):
    """A record of anyone else's is shown, as those of earlier versions are, and is signed by no
    one."""
    own = check(permit["permit_number"])["check_id"]
    genuine = holder.get(f"/v1/me/receipts/{own}")
    forged = [
        forge(),
        forge(proof="0" * 64),
        forge(proof=7),
        forge(CheckProofs(bytes(32))),
    ]

    answers = [holder.get(f"/v1/me/receipts/{check_id}") for _, check_id in forged]

    assert 200 == genuine.status_code
    assert [(404, "NOT_FOUND")] * 4 == [(one.status_code, one.json()["code"]) for one in answers]
    assert "does not prove" in answers[0].json()["detail"]
    shown = holder.get("/v1/me/checks").json()["checks"]
    assert [check_id for _, check_id in forged[::-1]] + [own] == [one["check_id"] for one in shown]


def test_a_record_that_cannot_be_read_hides_no_other(
    service, forge, permit, holder, check, investigator
):
    """It is named by its position, to the holder and to the audit."""
    own = check(permit["permit_number"])["check_id"]
    odd = [
        {"more": 1},
        {"track": "by air"},
        {"outcome": "fine"},
        {"reason": "because"},
        {"fields": "name"},
        {"fields": [1]},
        {"card_serial": "1"},
        {"verifier": []},
        {"checked_at": "2026-06-01T00:00:00+00:00", "sealed": {}},
    ]
    positions = [forge(**changes)[0] for changes in odd]
    service.execute(
        "INSERT INTO ledger.checks SELECT position + 100, gen_random_uuid(), 'infinity',"
        " permit_number, track, scenario, outcome, reason, verifier_index, as_of_position,"
        " convert_to(replace(convert_from(state, 'UTF8'), '2026', 'infinity'), 'UTF8')"
        f" FROM ledger.checks WHERE check_id = '{own}'"
    )

    answer = holder.get("/v1/me/checks").json()

    assert [own] == [one["check_id"] for one in answer["checks"]]
    assert positions[::-1] == answer["unreadable"][1:]
    audited = investigator.get(f"/v1/audit/permits/{permit['permit_number']}/checks").json()
    assert len(positions) + 2 == len(audited["checks"])
    service.execute(  # or later checks of this service would come upon its position
        "ALTER TABLE ledger.checks DISABLE TRIGGER append_only;"
        "DELETE FROM ledger.checks WHERE checked_at = 'infinity';"
        "ALTER TABLE ledger.checks ENABLE ALWAYS TRIGGER append_only"
    )


def test_erased_fields_are_null(permit, holder, check, erase):
    """Time and scenario of the check stay; the verifier is erased with the person."""
    check(permit["permit_number"])
    erase(permit)

    [seen] = holder.get("/v1/me/checks").json()["checks"]

    assert (None, None, None) == (seen["verifier"], seen["fields"], seen["card_serial"])
    assert "patrol_inspection" == seen["scenario"]


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 201}, {"before": 0}, {"before": "x"}])
def test_invalid_page_sizes_are_refused(holder, query):
    """422."""
    assert 422 == holder.get("/v1/me/checks", **query).status_code
