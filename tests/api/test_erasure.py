"""POST /v1/audit/holders/{holder_id}/erasures: a person is gone, and there is proof of it."""

import base64
from datetime import date, timedelta

import pytest

from tests.api.orders import ERASURE, ORDER, TRACKS, orders, shown

PICTURE = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")
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
def permit(at, registrar, person, holder_of, claim_body):
    """The applicant's, on a phone as well."""
    at(NOW)
    issued = registrar.post("/v1/permits", person).json()
    path = f"/v1/permits/{issued['permit_number']}/electronic/claims"
    return holder_of(issued).post(path, claim_body()).json()


@pytest.fixture
def erase(investigator):
    """``erase(permit)``: the certificate."""

    def erase(permit, **headers):
        answer = investigator.post(orders(permit, "erasures"), ERASURE, **headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return erase


@pytest.fixture
def after(erase, permit):
    """The permit, with the position of its erasure."""
    return {**permit, "as_of_position": erase(permit)["as_of_position"]}


# -- the certificate -----------------------------------------------------------------------------


def test_a_certificate_says_what_was_destroyed_and_why(erase, permit, service):
    """Every field of the contract, and in none of them the person."""
    key = service.holder_key(permit["holder_id"])

    certificate = erase(permit)

    signed, erased_at = certificate.pop("certificate"), certificate.pop("erased_at")
    assert {
        "holder_id": permit["holder_id"],
        "permit_numbers": [permit["permit_number"]],
        "personal_data": "erased",
        **ERASURE,
        "destroyed": {
            "holder_key": key.commitment,
            "search_index": True,
            "portraits": True,
            "views": True,
        },
        "backups_hold_key_until": (date.fromisoformat(NOW) + timedelta(days=35)).isoformat(),
        "as_of_position": permit["as_of_position"] + 1,
    } == certificate
    assert erased_at.startswith("2026-06-01T01:0")
    assert signed.count(".") == 2


def test_a_certificate_can_be_verified_with_the_public_keys(signed_claims, erase, permit):
    """Signed with a key of the well-known ones, as what it is; it says what was answered."""
    certificate = erase(permit)

    said = signed_claims(certificate.pop("certificate"), "erasure-certificate+jwt")

    assert "permit-ledger-development" == said.pop("iss")
    assert int(said.pop("iat")) > 0
    assert certificate == said


def test_erasing_again_is_answered_with_the_same_facts(investigator, erase, permit, service):
    """Whatever is said the second time: nothing is left to be done, and nothing is appended."""
    first = erase(permit)
    other = {"legal_basis": "another law", "case": "another", "approvals": ["a", "b"]}

    again = investigator.post(orders(permit, "erasures"), other)

    assert 200 == again.status_code
    assert facts(first) == facts(again.json())
    events = "SELECT count(*) FROM ledger.events WHERE stream = %s"
    assert [(permit["version"] + 1,)] == service.rows(events, permit["permit_number"])


def test_a_retry_is_answered_with_the_same_facts(investigator, permit):
    """With its Idempotency-Key; the certificate is signed again over the stored response."""
    path = orders(permit, "erasures")

    first, again = (investigator.post(path, ERASURE, idempotency_key=path) for _ in range(2))

    assert (None, "true") == tuple(
        answer.headers.get("Idempotency-Replayed") for answer in (first, again)
    )
    assert facts(first.json()) == facts(again.json())


def facts(certificate):
    """What it says, without the signature, which is another each time."""
    return {name: value for name, value in certificate.items() if name != "certificate"}


def test_every_permit_that_the_holder_had_is_told(erase, act, registrar, person, permit, read):
    """Also those that had ended before; one that was voided stays voided."""
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


def test_the_permit_has_ended(read, after, permit):
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


def test_nobody_is_found_by_the_number(registrar, person, after):
    """The same response as for an unknown number."""
    number = {"citizen_id_number": person["holder"]["citizen_id_number"]}
    path = f"/v1/permits/searches?min_position={after['as_of_position']}"

    assert [] == registrar.post(path, number).json()["permits"]


def test_the_card_has_no_effect_at_once(check, after):
    """Ended, and nothing of a person is shown; the check sees the erasure by itself."""
    found = check(after["permit_number"], 1, "law_enforcement")

    assert ("not_effective", "ended", {}) == (found["outcome"], found["reason"], found["permit"])
    assert after["as_of_position"] <= found["as_of_position"]


def test_the_own_permit_still_answers(holder_of, after):
    """The holder's account sees the state."""
    answer = holder_of(after).get("/v1/me/permit", min_position=after["as_of_position"])

    assert (200, "ended", "erased") == (
        answer.status_code,
        answer.json()["status"],
        answer.json()["personal_data"],
    )


def test_the_person_can_come_back_as_somebody_new(registrar, person, after, read):
    """With a permit under another holder id; the old one keeps its own."""
    answer = registrar.post("/v1/permits", person)

    assert 201 == answer.status_code
    assert after["holder_id"] != answer.json()["holder_id"]
    assert "欧阳测试" == read(answer.json(), "/physical")["name"]
    assert "erased" == read(after)["personal_data"]


def test_nothing_more_happens_to_it(subtests, registrar, after):
    """It has ended."""
    for what, body in COMMANDS.items():
        with subtests.test(what=what, body=body):
            answer = registrar.post(f"/v1/permits/{after['permit_number']}/{what}", body)

            assert (409, "PERMIT_ENDED") == (answer.status_code, answer.json()["code"])


def test_somebody_erased_is_not_restricted(investigator, after):
    """There is nothing left to restrict, and nothing to lift."""
    order = {name: ERASURE[name] for name in ("legal_basis", "case")}

    restricted = investigator.post(orders(after, "restrictions"), order)
    lifted = investigator.post(orders(after, "restriction-lifts"), order)

    assert (200, "erased") == (restricted.status_code, restricted.json()["personal_data"])
    assert (409, "NOT_RESTRICTED") == (lifted.status_code, lifted.json()["code"])


def test_the_key_and_the_pictures_are_gone(service, after):
    """Read from the tables; the key of what is left is destroyed."""
    keys = "SELECT kek_id, wrapped FROM ledger.holder_keys WHERE holder_id = %s"
    pictures = "SELECT count(*) FROM ledger.portraits WHERE stream = %s"
    held = "SELECT citizen_index, permit_number FROM ledger.holders WHERE holder_id = %s"

    assert [(None, None)] == service.rows(keys, after["holder_id"])
    assert [(0,)] == service.rows(pictures, after["permit_number"])
    assert [(None, None)] == service.rows(held, after["holder_id"])


# -- who may, and how ----------------------------------------------------------------------------


def test_other_roles_may_not_erase(subtests, caller, issue, read):
    """Not even by the holder."""
    for role in ["registrar", "holder", "verifier"]:
        with subtests.test(role=role):
            permit = issue()
            claims = {"holder_id": permit["holder_id"]} if role == "holder" else {}

            answer = caller(role, **claims).post(orders(permit, "erasures"), ERASURE)

            assert (403, "FORBIDDEN") == (answer.status_code, answer.json()["code"])
            assert "held" == read(permit)["personal_data"]


def test_nobody_without_a_token_erases(http, issue, read):
    """401, and the person is still there."""
    permit = issue()

    assert 401 == http.post(orders(permit, "erasures"), json=ERASURE).status_code
    assert "held" == read(permit)["personal_data"]


def test_an_unknown_holder(investigator):
    """404 for an unknown id; a permit number is not one."""
    answer = investigator.post("/v1/audit/holders/nobody/erasures", ERASURE)

    assert (404, "UNKNOWN_HOLDER") == (answer.status_code, answer.json()["code"])


def test_two_different_officers_approve(subtests, investigator, issue, read):
    """The same one twice is one, however it is written; the person is still there."""
    for approvals in [
        [],
        ["officer-1"],
        ["officer-1", "officer-1"],
        ["officer-1", "OFFICER-1"],
        ["officer-1", " officer-1 "],
        ["officer-1", "officer-1\u3000"],
        ["officer-1", "officer-2", "Officer-2"],
        ["officer-1", "ｏｆｆｉｃｅｒ－１"],
    ]:
        with subtests.test(approvals=approvals):
            permit = issue()

            answer = investigator.post(
                orders(permit, "erasures"), {**ERASURE, "approvals": approvals}
            )

            assert (409, "TWO_OFFICERS_REQUIRED") == (answer.status_code, answer.json()["code"])
            assert "held" == read(permit)["personal_data"]


def test_three_officers_are_two_at_least(investigator, issue):
    """All of them are on the certificate, as they were written but for spaces."""
    officers = ["officer-1", " officer-2 ", "Officer-3"]

    answer = investigator.post(orders(issue(), "erasures"), {**ERASURE, "approvals": officers})

    assert ["officer-1", "officer-2", "Officer-3"] == answer.json()["approvals"]


def test_an_invalid_body_erases_nothing(subtests, investigator, issue, read):
    """422; what would stay in the log for ever may not tell who is meant."""
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
        {"approvals": None},
        {"approvals": "officer-1, officer-2"},
        {"approvals": ["officer-1", ""]},
        {"approvals": ["officer-1", "欧阳测试"]},
        {"approvals": ["officer-1", None]},
        {"approvals": [f"officer-{n}" for n in range(11)]},
        {"because": "of this"},
    ]:
        with subtests.test(changes=changes):
            permit = issue()

            answer = investigator.post(orders(permit, "erasures"), {**ERASURE, **changes})

            assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])
            assert "欧阳测试" not in answer.text
            assert "held" == read(permit)["personal_data"]


def test_an_impossible_holder_id_is_refused(subtests, investigator):
    """422, not an error of the database, which others who ask in that instant would get as well."""
    for holder_id in ["%00", "a%00b", "a%0Ab", "%7F", "x" * 65]:
        for what in ["restrictions", "restriction-lifts", "erasures"]:
            with subtests.test(holder_id=holder_id, what=what):
                body = ERASURE if what == "erasures" else ORDER

                answer = investigator.post(f"/v1/audit/holders/{holder_id}/{what}", body)

                assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])


def test_the_day_of_the_retention_is_shanghais(at, erase, issue):
    """At half past midnight there it is counted from that day, not from UTC's."""
    permit = issue(issued_on="2026-01-05")
    at("2026-03-01T00:30:00+08:00")

    until = date(2026, 3, 1) + timedelta(days=35)
    assert until.isoformat() == erase(permit)["backups_hold_key_until"]
