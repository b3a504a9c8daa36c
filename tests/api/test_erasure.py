"""POST /v1/audit/holders/{holder_id}/erasures: a person is erased, and a certificate proves it."""

import base64
from datetime import date, timedelta

import pytest
from PIL import Image

from tests.api.hostile_pictures import encoded
from tests.api.orders import ORDER, TRACKS, orders, shown
from tests.api.phones import claim

PICTURE = encoded(Image.new("L", (1, 1), 128), "PNG")
NOW = "2026-06-01"
COMMANDS = {
    "endorsements": {"card_presented": "card"},
    "loss-reports": {},
    "loss-lifts": {},
    "reissues": {},
    "replacements": {"reason": "damaged", "old_card_returned": True},
    "card-deliveries": {},
    "identity-corrections": {"name": "欧阳更正"},
    "cancellations": {"reason": "deceased"},
    "voidings": {"finding": "forged lease"},
}


@pytest.fixture
def person(application):
    """An applicant with a portrait."""
    body = application(issued_on="2026-01-05")
    body["holder"]["portrait"] = base64.b64encode(PICTURE).decode()
    return body


@pytest.fixture
def permit(at, registrar, person, holder_of):
    """The applicant's permit, claimed on a phone as well."""
    at(NOW)
    issued = registrar.post("/v1/permits", person).json()
    return claim(holder_of(issued), issued["permit_number"]).json()


@pytest.fixture
def after(erase, permit):
    """The permit, with the position of its erasure."""
    return {**permit, "as_of_position": erase(permit)["as_of_position"]}


# -- the certificate -----------------------------------------------------------------------------


def test_a_certificate_names_what_was_destroyed_and_why(erase, permit, service):
    """All documented fields, and no personal data in any of them."""
    key = service.holder_key(permit["holder_id"])

    certificate = erase(permit)

    signed, erased_at = certificate.pop("certificate"), certificate.pop("erased_at")
    assert {
        "holder_id": permit["holder_id"],
        "permit_numbers": [permit["permit_number"]],
        "personal_data": "erased",
        **ORDER,
        "approvals": ["operator@development", "investigator@development"],
        "destroyed": {
            "holder_key": key.commitment,
            "search_index": True,
            "portraits": True,
            "views": True,
        },
        "backups_hold_key_until": (date.fromisoformat(NOW) + timedelta(days=35)).isoformat(),
        "as_of_position": permit["as_of_position"] + 2,
    } == certificate
    assert erased_at.startswith("2026-06-01T01:0")
    assert signed.count(".") == 2


def test_a_certificate_can_be_verified_with_the_public_keys(signed_claims, erase, permit):
    """Signed with a published key, with its type and the content of the response."""
    certificate = erase(permit)

    said = signed_claims(certificate.pop("certificate"), "erasure-certificate+jwt")

    assert "permit-ledger-development" == said.pop("iss")
    assert int(said.pop("iat")) > 0
    assert certificate == said


def test_erasing_again_returns_the_same_facts(investigator, erase, permit, service):
    """Whatever the second order says: nothing is left to erase, and nothing is appended."""
    first = erase(permit)
    other = {"legal_basis": "another law", "case": "another"}

    again = investigator.post(orders(permit, "erasures"), other)

    assert 201 == again.status_code
    assert facts(first) == facts(again.json())
    events = "SELECT count(*) FROM ledger.events WHERE stream = %s"
    assert [(permit["version"] + 2,)] == service.rows(events, permit["permit_number"])


def test_a_retry_returns_the_same_facts(investigator, operator, permit):
    """With its Idempotency-Key; the certificate is signed again over the stored response."""
    path = orders(permit, "erasures")
    assert operator.post(path, ORDER).status_code == 202

    first, again = (investigator.post(path, ORDER, idempotency_key=path) for _ in range(2))

    assert (None, "true") == tuple(
        answer.headers.get("Idempotency-Replayed") for answer in (first, again)
    )
    assert facts(first.json()) == facts(again.json())


def facts(certificate):
    """The certificate without its signature, which differs each time."""
    return {name: value for name, value in certificate.items() if name != "certificate"}


def test_every_permit_of_the_holder_is_listed(erase, act, registrar, person, permit, read):
    """Ended ones too; a void one stays void."""
    act(permit["permit_number"], "voidings", finding="forged lease")
    second = registrar.post("/v1/permits", person).json()
    assert permit["holder_id"] == second["holder_id"]

    certificate = erase(second)

    numbers = [permit["permit_number"], second["permit_number"]]
    assert numbers == certificate["permit_numbers"]
    seen = [read({**certificate, "permit_number": number}) for number in numbers]
    assert [("voided", "erased"), ("ended", "erased")] == [
        (found["status"], found["personal_data"]) for found in seen
    ]


# -- what is left --------------------------------------------------------------------------------


def test_an_erasure_ends_the_permit(read, after, permit):
    """On both tracks; its dates and its number stay on record."""
    seen = read(after)

    assert ("ended", "erased") == (seen["status"], seen["personal_data"])
    assert ("ended", "ended") == (seen["physical"]["status"], seen["electronic"]["status"])
    assert 0 == seen["electronic"]["devices"]
    kept = ("permit_number", "holder_id", "anchor", "valid_until")
    assert [permit[field] for field in kept] == [seen[field] for field in kept]


def test_no_view_shows_the_person(subtests, registrar, holder_of, after):
    """Every personal field is null, for every role."""
    for track in TRACKS:
        for role in ["registrar", "holder"]:
            with subtests.test(track=track, role=role):
                caller = registrar if role == "registrar" else holder_of(after)
                path = f"/v1/permits/{after['permit_number']}/{track}"

                answer = caller.get(path, min_position=after["as_of_position"])

                assert 200 == answer.status_code
                seen = answer.json()
                assert set() == shown(seen)
                assert ("erased", False) == (seen["personal_data"], seen["effective"])


def test_an_erased_person_is_not_found_by_number(registrar, person, after):
    """The same response as for an unknown number."""
    number = {"citizen_id_number": person["holder"]["citizen_id_number"]}
    path = f"/v1/permits/searches?min_position={after['as_of_position']}"

    assert [] == registrar.post(path, number).json()["permits"]


def test_the_card_is_not_effective_at_once(check, after):
    """Ended, without personal data; the check does not wait for the views."""
    found = check(after["permit_number"], 1, "law_enforcement")

    assert ("not_effective", "ended", {}) == (found["outcome"], found["reason"], found["permit"])
    assert after["as_of_position"] <= found["as_of_position"]


def test_the_holder_can_still_read_the_permit(holder_of, after):
    """The holder's account sees its state."""
    answer = holder_of(after).get("/v1/me/permit", min_position=after["as_of_position"])

    assert (200, "ended", "erased") == (
        answer.status_code,
        answer.json()["status"],
        answer.json()["personal_data"],
    )


def test_an_erased_person_can_get_a_permit_as_a_new_holder(registrar, person, after, read):
    """Under another holder id; the former one is kept."""
    answer = registrar.post("/v1/permits", person)

    assert 201 == answer.status_code
    assert after["holder_id"] != answer.json()["holder_id"]
    assert "欧阳测试" == read(answer.json(), "/physical")["name"]
    assert "erased" == read(after)["personal_data"]


def test_commands_on_an_erased_holders_permit_are_refused(subtests, registrar, after):
    """It has ended."""
    for what, body in COMMANDS.items():
        with subtests.test(what=what, body=body):
            answer = registrar.post(f"/v1/permits/{after['permit_number']}/{what}", body)

            assert (409, "PERMIT_ENDED") == (answer.status_code, answer.json()["code"])


def test_an_erased_holder_cannot_be_restricted(investigator, after):
    """There is nothing to restrict, and nothing to lift."""
    restricted = investigator.post(orders(after, "restrictions"), ORDER)
    lifted = investigator.post(orders(after, "restriction-lifts"), ORDER)

    assert (200, "erased") == (restricted.status_code, restricted.json()["personal_data"])
    assert (409, "NOT_RESTRICTED") == (lifted.status_code, lifted.json()["code"])


def test_the_key_and_the_pictures_are_deleted(service, after):
    """As read from the tables; the key of the remaining ciphertexts is destroyed."""
    keys = "SELECT kek_id, wrapped FROM ledger.holder_keys WHERE holder_id = %s"
    pictures = "SELECT count(*) FROM ledger.portraits WHERE stream = %s"
    held = "SELECT citizen_index, permit_number FROM ledger.holders WHERE holder_id = %s"

    assert [(None, None)] == service.rows(keys, after["holder_id"])
    assert [(0,)] == service.rows(pictures, after["permit_number"])
    assert [(None, None)] == service.rows(held, after["holder_id"])


# -- who may, and how ----------------------------------------------------------------------------


def test_other_roles_may_not_erase(subtests, caller, issue, read):
    """Not even the holder."""
    for role in ["registrar", "holder", "verifier"]:
        with subtests.test(role=role):
            permit = issue()
            claims = {"holder_id": permit["holder_id"]} if role == "holder" else {}

            answer = caller(role, **claims).post(orders(permit, "erasures"), ORDER)

            assert (403, "FORBIDDEN") == (answer.status_code, answer.json()["code"])
            assert "held" == read(permit)["personal_data"]


def test_an_erasure_needs_a_token(http, issue, read):
    """401, and the person is not erased."""
    permit = issue()

    assert 401 == http.post(orders(permit, "erasures"), json=ORDER).status_code
    assert "held" == read(permit)["personal_data"]


def test_an_unknown_holder_is_not_found(investigator):
    """404 for an unknown id; a permit number is not one."""
    answer = investigator.post("/v1/audit/holders/nobody/erasures", ORDER)

    assert (404, "UNKNOWN_HOLDER") == (answer.status_code, answer.json()["code"])


def test_one_officer_alone_only_asks(investigator, operator, signed, issue, read):
    """Once, whatever it repeats; the request is listed until another officer approves it."""
    permit = issue()
    path = orders(permit, "erasures")

    asked, again = (operator.post(path, ORDER) for _ in range(2))

    assert [202, 202] == [asked.status_code, again.status_code]
    assert asked.json()["approvals"] == ["operator@development"]
    assert asked.json()["expires_at"] == again.json()["expires_at"]
    assert asked.headers["ledger-position"] == again.headers["ledger-position"]
    assert "held" == read(permit)["personal_data"]
    [waiting] = waiting_for(investigator, permit)
    assert {"approvals": ["operator@development"], **ORDER}.items() <= waiting.items()
    same = signed(sub="operator@development", scope="erase")
    assert 202 == same.post(path, ORDER).status_code  # another token of the same account
    assert 201 == investigator.post(path, ORDER).status_code
    assert [] == waiting_for(investigator, permit)


def test_the_second_officer_approves_the_same_order(subtests, investigator, operator, issue, read):
    permit = issue()
    path = orders(permit, "erasures")
    operator.post(path, ORDER)
    for changes in ({"case": "2026-DP-18"}, {"legal_basis": "another law"}):
        with subtests.test(changes=changes):
            answer = investigator.post(path, {**ORDER, **changes})

            assert (409, "TWO_OFFICERS_REQUIRED") == (answer.status_code, answer.json()["code"])
            assert "held" == read(permit)["personal_data"]


def test_a_request_is_withdrawn(investigator, operator, issue, read):
    """Afterwards the other officer's order is a request of its own."""
    permit = issue()
    path = orders(permit, "erasures")
    operator.post(path, ORDER)

    withdrawn, again = (delete(investigator, path) for _ in range(2))

    assert (200, 409) == (withdrawn.status_code, again.status_code)
    assert "NO_ERASURE_REQUESTED" == again.json()["code"]
    assert [] == waiting_for(operator, permit)
    assert 202 == investigator.post(path, ORDER).status_code
    assert "held" == read(permit)["personal_data"]


def test_a_request_expires(at, investigator, operator, issue, read):
    """After seven days the other officer's order is a request of its own, and not an approval."""
    at("2026-03-01")
    permit = issue()
    path = orders(permit, "erasures")
    operator.post(path, ORDER)
    at("2026-03-09")

    asked = investigator.post(path, ORDER)

    assert (202, ["investigator@development"]) == (asked.status_code, asked.json()["approvals"])
    assert "held" == read(permit)["personal_data"]


def test_a_request_that_cannot_be_read_hides_no_other(service, investigator, operator, issue):
    """It is named. The list is a look into the audit, and on record as one, and so is an order
    that is repeated."""
    broken, other = issue(), issue()
    for permit in (other, broken, broken):
        assert operator.post(orders(permit, "erasures"), ORDER).status_code == 202
    number = broken["permit_number"]
    gap = "UPDATE ledger.events SET version = version + {} WHERE stream = '{}' AND version >= 2"
    hygiene = "ALTER TABLE ledger.events {} TRIGGER append_only;"
    service.execute(
        hygiene.format("DISABLE") + gap.format(1, number) + ";" + hygiene.format("ENABLE ALWAYS")
    )
    try:
        answer = investigator.get("/v1/audit/erasures")
    finally:
        service.execute(
            hygiene.format("DISABLE")
            + gap.format(-1, number)
            + ";"
            + hygiene.format("ENABLE ALWAYS")
        )

    assert (200, [number]) == (answer.status_code, answer.json()["unreadable"])
    listed = [numbers for one in answer.json()["requests"] for numbers in one["permit_numbers"]]
    assert (0, 1) == (listed.count(number), listed.count(other["permit_number"]))
    assert [
        ("erase", "operator@development", "answered"),
        ("waiting_erasures", "investigator@development", "answered"),
    ] == service.rows(
        "SELECT what, reader, outcome FROM ledger.audit_reads ORDER BY position DESC LIMIT 2"
    )[::-1]


def delete(caller, path):
    return caller.http.delete(path, headers=caller.headers)


def waiting_for(caller, permit):
    """The requests that wait for this permit's holder."""
    waiting = caller.get("/v1/audit/erasures").json()["requests"]
    return [one for one in waiting if one["holder_id"] == permit["holder_id"]]


def test_an_invalid_body_erases_nothing(subtests, investigator, issue, read):
    """422; a text that stays in the log must not identify the person."""
    for changes in [
        {"legal_basis": None},
        {"legal_basis": ""},
        {"legal_basis": "  "},
        {"legal_basis": "x" * 201},
        {"legal_basis": "two\nlines"},
        {"case": 17},
        {"case": "on behalf of 欧阳测试"},
        {"case": "990000199001010017"},
        {"case": "99 0000-19900101/0017"},
        {"approvals": ["officer-1", "officer-2"]},
        {"because": "of this"},
    ]:
        with subtests.test(changes=changes):
            permit = issue()

            answer = investigator.post(orders(permit, "erasures"), {**ORDER, **changes})

            assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])
            assert "欧阳测试" not in answer.text
            assert "held" == read(permit)["personal_data"]


def test_an_impossible_holder_id_is_refused(subtests, investigator):
    """422; in the database it would be an error for the whole batch."""
    for holder_id in ["%00", "a%00b", "a%0Ab", "%7F", "x" * 65]:
        for what in ["restrictions", "restriction-lifts", "erasures"]:
            with subtests.test(holder_id=holder_id, what=what):
                answer = investigator.post(f"/v1/audit/holders/{holder_id}/{what}", ORDER)

                assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])


def test_the_retention_is_counted_from_shanghais_date(at, erase, issue):
    """At half past midnight there, from that day and not from UTC's."""
    permit = issue(issued_on="2026-01-05")
    at("2026-03-01T00:30:00+08:00")

    until = date(2026, 3, 1) + timedelta(days=35)
    assert until.isoformat() == erase(permit)["backups_hold_key_until"]
