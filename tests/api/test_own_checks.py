"""A holder's list of the checks of their own permits, and the verifier's receipt."""

from uuid import uuid4

import pytest


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


def test_erased_fields_are_null(permit, holder, check, investigator):
    """Time and scenario of the check stay; the verifier is erased with the person."""
    check(permit["permit_number"])
    order = {"legal_basis": "个人信息保护法第四十七条", "case": "2026-DP-17"}
    order["approvals"] = ["officer-1", "officer-2"]
    path = f"/v1/audit/holders/{permit['holder_id']}/erasures"
    assert 200 == investigator.post(path, order).status_code

    [seen] = holder.get("/v1/me/checks").json()["checks"]

    assert (None, None, None) == (seen["verifier"], seen["fields"], seen["card_serial"])
    assert "patrol_inspection" == seen["scenario"]


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 201}, {"before": 0}, {"before": "x"}])
def test_invalid_page_sizes_are_refused(holder, query):
    """422."""
    assert 422 == holder.get("/v1/me/checks", **query).status_code
