"""What is left of a check: a signed receipt for the verifier, a row on record in the ledger."""

import json
from datetime import datetime

import pytest
from joserfc import jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet

from domain import permit_number

CLAIMS = {
    *("check_id", "outcome", "reason", "scenario", "track"),
    *("checked_at", "as_of_position", "iss", "iat"),
}
NEVER_ISSUED = permit_number.draw(lambda bits: 6 * (2**bits // 31))
RECORD = """
    SELECT verifier, scenario, track, permit_number, card_serial, outcome, reason, fields,
           as_of_position, checked_at
    FROM ledger.checks WHERE check_id = %s
"""


@pytest.fixture
def keys(http):
    """What anyone can verify receipts with."""
    return KeySet.import_key_set(http.get("/.well-known/jwks.json").json())


@pytest.fixture
def claims(keys):
    """``claims(found)``: what a check's receipt says, its signature verified."""

    def read(found):
        receipt = jws.deserialize_compact(found["receipt"], keys, algorithms=["ES256"])
        assert receipt.headers()["typ"] == "permit-check-receipt+jwt"
        return json.loads(receipt.payload)

    return read


def test_a_receipt_says_what_was_answered(check, claims, issue):
    """Type, issuer and claims of the contract; the time is the check's."""
    number = issue()["permit_number"]

    found = check(number)

    said = claims(found)
    assert CLAIMS | {"permit_number"} == set(said)
    assert number == said["permit_number"]
    assert "permit-ledger-development" == said["iss"]
    told = CLAIMS - {"iss", "iat"}
    assert {claim: found[claim] for claim in told} == {claim: said[claim] for claim in told}
    assert int(datetime.fromisoformat(found["checked_at"]).timestamp()) == said["iat"]


def test_a_refused_check_has_a_receipt_too(act, check, claims, issue):
    """With its reason."""
    number = issue()["permit_number"]
    act(number, "loss-reports")

    said = claims(check(number))

    assert ("not_effective", "reported_lost") == (said["outcome"], said["reason"])


def test_a_receipt_holds_nothing_of_the_person(check, claims, issue):
    """Fields that were shown are not signed into it."""
    said = claims(check(issue()["permit_number"], 1, "law_enforcement"))

    assert "欧阳测试" not in str(said)
    assert CLAIMS | {"permit_number"} == set(said)


def test_an_altered_receipt_does_not_verify(check, keys, issue):
    """One character of the payload is enough."""
    header, payload, signature = check(issue()["permit_number"])["receipt"].split(".")
    altered = payload[:-2] + ("A" if payload[-2] != "A" else "B") + payload[-1]

    with pytest.raises(BadSignatureError):
        jws.deserialize_compact(f"{header}.{altered}.{signature}", keys, algorithms=["ES256"])


@pytest.mark.parametrize("scenario", ["patrol_inspection", "dog_walking"])
def test_a_receipt_does_not_tell_which_permits_exist(check, claims, issue, scenario):
    """A serial never issued, and a scenario not allowed, look the same for any number."""
    issued = check(issue()["permit_number"], 7, scenario)
    never_issued = check(NEVER_ISSUED, 7, scenario)

    assert issued["reason"] == never_issued["reason"]
    assert set(claims(issued)) == set(claims(never_issued))


def test_a_check_is_on_record(service, check, issue):
    """Who, which scenario, which card, what was answered and shown, at which position."""
    number = issue()["permit_number"]

    found = check(number, 1)

    [(*record, checked_at)] = service.rows(RECORD, found["check_id"])
    assert [
        "verifier@development",
        "patrol_inspection",
        "physical",
        number,
        1,
        "effective",
        None,
        ["name", "portrait", "valid_until"],
        found["as_of_position"],
    ] == record
    assert datetime.fromisoformat(found["checked_at"]) == checked_at


@pytest.mark.parametrize(
    ("scenario", "serial", "reason"),
    [("patrol_inspection", 7, "unknown_permit"), ("dog_walking", 1, "scenario_not_allowed")],
)
def test_a_refused_check_is_on_record_with_nothing_shown(
    service, check, issue, scenario, serial, reason
):
    """The permit that was asked for is named there, for its holder to see."""
    number = issue()["permit_number"]

    found = check(number, serial, scenario)

    [row] = service.rows(RECORD, found["check_id"])
    assert (number, serial, "not_effective", reason, []) == row[3:8]


def test_a_check_of_an_unknown_permit_is_on_record(service, check):
    """Without the number: it is nobody's, and may hold anything."""
    found = check("990000199001010017")

    [row] = service.rows(RECORD, found["check_id"])
    assert (None, 1, "not_effective", "unknown_permit", []) == row[3:8]


def test_a_check_of_a_code_is_on_record(service, verifier):
    """Without the code."""
    body = {"scenario": "patrol_inspection", "track": "electronic", "code": "c" * 43}

    found = verifier.post("/v1/verifications", body).json()

    [row] = service.rows(RECORD, found["check_id"])
    assert ("electronic", None, None, "not_effective", "not_live", []) == row[2:8]
