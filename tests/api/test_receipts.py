"""The records of a check: a signed receipt for the verifier, and a row in the ledger."""

import json
from datetime import datetime
from uuid import UUID

import pytest
from joserfc.errors import BadSignatureError

from domain import permit_number
from domain.personal import ERASED
from ledger.checks.log import Check, SealedCheck

CLAIMS = {
    *("check_id", "outcome", "reason", "scenario", "track"),
    *("checked_at", "as_of_position", "iss", "iat"),
}
NEVER_ISSUED = permit_number.draw(lambda bits: 6 * (2**bits // 31))


@pytest.fixture
def claims(signed_claims):
    """``claims(found)``: the claims of a check's receipt, after verification."""
    return lambda found: signed_claims(found["receipt"])


def test_a_receipt_contains_the_answer(check, claims, issue):
    """The documented type, issuer and claims; the time is the check's."""
    number = issue()["permit_number"]

    found = check(number)

    said = claims(found)
    assert CLAIMS | {"permit_number"} == set(said)
    assert number == said["permit_number"]
    assert "permit-ledger-development" == said["iss"]
    required = CLAIMS - {"iss", "iat"}
    assert {claim: found[claim] for claim in required} == {claim: said[claim] for claim in required}
    assert int(datetime.fromisoformat(found["checked_at"]).timestamp()) == said["iat"]


def test_a_refused_check_has_a_receipt_too(act, check, claims, issue):
    """With its reason."""
    number = issue()["permit_number"]
    act(number, "loss-reports")

    said = claims(check(number))

    assert ("not_effective", "reported_lost") == (said["outcome"], said["reason"])


def test_a_receipt_contains_no_personal_data(check, claims, issue):
    """Disclosed fields are not part of it."""
    said = claims(check(issue()["permit_number"], 1, "law_enforcement"))

    assert "欧阳测试" not in str(said)
    assert CLAIMS | {"permit_number"} == set(said)


def test_an_altered_receipt_does_not_verify(check, signed_claims, issue):
    """One changed character of the payload is enough."""
    header, payload, signature = check(issue()["permit_number"])["receipt"].split(".")
    altered = payload[:-2] + ("A" if payload[-2] != "A" else "B") + payload[-1]

    with pytest.raises(BadSignatureError):
        signed_claims(f"{header}.{altered}.{signature}")


@pytest.mark.parametrize("scenario", ["patrol_inspection", "dog_walking"])
def test_a_receipt_does_not_reveal_which_permits_exist(check, claims, issue, scenario):
    """A serial that was never issued, or a forbidden scenario, gives the same receipt for any
    number."""
    issued = check(issue()["permit_number"], 7, scenario)
    never_issued = check(NEVER_ISSUED, 7, scenario)

    assert issued["reason"] == never_issued["reason"]
    assert set(claims(issued)) == set(claims(never_issued))


@pytest.fixture
def record(service):
    """``record(found, permit)``: the check as stored, decrypted with its holder's key."""

    def read(found, permit=None):
        sql = "SELECT position, state FROM ledger.checks WHERE check_id = %s"
        [row] = service.rows(sql, found["check_id"])
        key = service.holder_key(permit["holder_id"]) if permit else ERASED
        return SealedCheck(*row).open(key)

    return read


def test_a_check_is_recorded(check, issue, record):
    """With verifier, scenario, card, outcome, disclosed fields and position."""
    permit = issue()

    found = check(permit["permit_number"], 1)

    assert Check(
        check_id=UUID(found["check_id"]),
        checked_at=datetime.fromisoformat(found["checked_at"]),
        verifier="verifier@development",
        scenario="patrol_inspection",
        track="physical",
        permit_number=permit["permit_number"],
        card_serial=1,
        code=None,
        device=None,
        outcome="effective",
        reason=None,
        fields=["name", "portrait", "valid_until"],
        as_of_position=found["as_of_position"],
    ) == record(found, permit)


def test_the_verifier_is_stored_encrypted(service, check, issue, record):
    """Without the holder's key, neither the account nor the disclosed fields are readable."""
    permit = issue()

    found = check(permit["permit_number"], 1)

    [(state,)] = service.rows(
        "SELECT state FROM ledger.checks WHERE check_id = %s", found["check_id"]
    )
    assert b"verifier@development" not in state
    assert {"sealed", "verifier_index"} <= set(json.loads(state))
    erased = record(found)
    assert (ERASED, ERASED, ERASED) == (erased.verifier, erased.fields, erased.card_serial)


@pytest.mark.parametrize(
    ("scenario", "serial", "reason"),
    [("patrol_inspection", 7, "unknown_permit"), ("dog_walking", 1, "scenario_not_allowed")],
)
def test_a_refused_check_is_recorded_without_disclosed_fields(
    check, issue, record, scenario, serial, reason
):
    """With the permit that was asked for, for its holder to see."""
    permit = issue()

    found = check(permit["permit_number"], serial, scenario)

    said = record(found, permit)
    assert (permit["permit_number"], serial) == (said.permit_number, said.card_serial)
    assert ("not_effective", reason, []) == (said.outcome, said.reason, said.fields)


def test_a_check_of_an_unknown_permit_is_recorded(check, record):
    """Without the number, which may contain anything."""
    found = check("990000199001010017")

    said = record(found)
    assert (None, 1) == (said.permit_number, said.card_serial)
    assert ("not_effective", "unknown_permit", []) == (said.outcome, said.reason, said.fields)


def test_a_check_of_a_code_is_recorded(verifier, record):
    """With a keyed digest in place of the code."""
    body = {"scenario": "patrol_inspection", "track": "electronic", "code": "c" * 43}

    found = verifier.post("/v1/verifications", body).json()

    said = record(found)
    assert ("electronic", None, None) == (said.track, said.permit_number, said.card_serial)
    assert ("not_effective", "not_live", []) == (said.outcome, said.reason, said.fields)
    assert isinstance(said.code, str)
    assert 64 == len(said.code)
    assert "c" * 43 != said.code
