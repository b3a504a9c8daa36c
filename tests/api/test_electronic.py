"""The electronic permit: claims, devices, and the holder's own permit. P18, P19."""

from datetime import datetime

import pytest
from joserfc.jwk import ECKey

from domain import permit_number
from tests.api.phones import CLAIM, Phone, claim, digest_of, proof_of

MATCH = CLAIM["face_match"]


@pytest.fixture
def permit(issue):
    return issue()


@pytest.fixture
def holder(holder_of, permit):
    return holder_of(permit)


@pytest.fixture
def number(permit):
    return permit["permit_number"]


@pytest.fixture
def claims(number):
    """Where this permit is claimed."""
    return f"/v1/permits/{number}/electronic/claims"


def test_a_claim_makes_the_electronic_permit_active(holder, number):
    """201, and the permit shows one device."""
    answer = claim(holder, number)

    assert 201 == answer.status_code
    active = {"status": "active", "card_serial": 1, "effective": True, "devices": 1}
    assert active == answer.json()["electronic"]
    assert 2 == answer.json()["version"]


def test_p18_a_permit_that_was_never_issued_cannot_be_claimed(caller):
    """A well-formed number that no permit has, and a holder who never had one."""
    stranger = caller("holder", holder_id="nobody-ever-issued-to")
    number = permit_number.draw(lambda bits: 7 * (2**bits // 31))

    answer = claim(stranger, number)

    assert (409, "NO_PHYSICAL_PERMIT") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("has_permit", [True, False])
def test_a_claim_does_not_reveal_whether_anothers_permit_exists(
    issue, holder_of, caller, has_permit
):
    """By a holder, and by an account that never had a permit: as for a number that no permit has,
    to the letter, and also on a retry."""
    number = permit_number.draw(lambda bits: 11 * (2**bits // 31))
    others = issue()["permit_number"]
    curious = holder_of(issue()) if has_permit else caller("holder", holder_id="nobody-at-all")

    def asked(name):
        key = ECKey.generate_key("P-256", private=True)
        answers = [claim(curious, name, key, idempotency_key=f"claim of {name}") for _ in "12"]
        return [(answer.status_code, answer.json()) for answer in answers]

    found = asked(others)
    assert found == asked(number)
    expected = (404, "UNKNOWN_PERMIT") if has_permit else (409, "NO_PHYSICAL_PERMIT")
    assert {expected} == {(status, body["code"]) for status, body in found}


def test_p18_a_permit_with_a_lost_card_can_be_claimed(act, permit, holder, number):
    """The permit is in term."""
    act(permit["permit_number"], "loss-reports")

    answer = claim(holder, number)

    assert (201, "active") == (answer.status_code, answer.json()["electronic"]["status"])


def test_p19_a_claim_needs_a_face_match(subtests, holder, number):
    """A missing or negative result is refused."""
    for face_match in [None, {**MATCH, "matched": False}]:
        with subtests.test(face_match=face_match):
            answer = claim(holder, number, face_match=face_match)

            assert (409, "FACE_MATCH_REQUIRED") == (answer.status_code, answer.json()["code"])


def test_p19_a_claim_needs_an_explicit_confirmation(subtests, holder, number):
    """*No* is refused by a rule; null is invalid."""
    for confirmed, status, code in [(False, 409, "NOT_CONFIRMED"), (None, 422, "INVALID_REQUEST")]:
        with subtests.test(confirmed=confirmed, status=status, code=code):
            answer = claim(holder, number, confirmed=confirmed)

            assert (status, code) == (answer.status_code, answer.json()["code"])


def test_p19_a_missing_confirmation_is_refused(holder, claims):
    """It does not count as a confirmation."""
    key = ECKey.generate_key("P-256")
    body = {"face_match": MATCH, "device_key": key.as_dict(private=False)}

    answer = holder.post(claims, body, dpop=proof_of(key, "POST", holder.url(claims), holder.token))

    assert (409, "NOT_CONFIRMED") == (answer.status_code, answer.json()["code"])


def test_p19_a_second_claim_on_the_same_device_changes_nothing(holder, number):
    """However the JWK spells its other members."""
    key = ECKey.generate_key("P-256")
    first = claim(holder, number, key)
    others = {"use": "sig", "kid": "my phone", "alg": "ES256"}

    second = claim(holder, number, key, device_key=key.as_dict(private=False) | others)

    assert (201, first.json()) == (second.status_code, second.json())


def test_another_device_is_bound_up_to_the_policys_number(holder, number):
    """Five phones; the sixth is refused."""
    devices = [claim(holder, number).json()["electronic"]["devices"] for _ in range(5)]

    sixth = claim(holder, number)

    assert [1, 2, 3, 4, 5] == devices
    assert (409, "TOO_MANY_DEVICES") == (sixth.status_code, sixth.json()["code"])


def test_a_device_can_be_revoked(permit, holder, number):
    """By its key's thumbprint; the claim itself stays; a second time there is nothing to revoke."""
    phone = Phone(holder, permit).claim()
    path = f"/v1/permits/{phone.number}/electronic/device-revocations"
    device = {"device": phone.thumbprint}

    first, second = holder.post(path, device), holder.post(path, device)

    assert (200, 0) == (first.status_code, first.json()["electronic"]["devices"])
    assert "active" == first.json()["electronic"]["status"]
    assert (409, "UNKNOWN_DEVICE") == (second.status_code, second.json()["code"])


def test_a_claim_needs_a_proof_by_the_key_that_is_to_be_bound(subtests, holder, claims, number):
    """A thief of the access token cannot bind a key that is not the thief's, nor use a proof of
    another request, another token, or without the token."""
    key, other = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    url, token = holder.url(claims), holder.token
    codes = holder.url(claims.replace("claims", "display-codes"))
    for name, proof in {
        "another key's": proof_of(other, "POST", url, token),
        "its key in the header, another's signature": proof_of(
            other, "POST", url, token, {"jwk": key.as_dict(private=False)}
        ),
        "of another address": proof_of(key, "POST", codes, token),
        "of another method": proof_of(key, "PUT", url, token),
        "of another token": proof_of(key, "POST", url, token, ath=digest_of("another")),
        "without the token": proof_of(key, "POST", url, token, ath=None),
    }.items():
        with subtests.test(name):
            assert_refused(claim(holder, number, key, proof=proof))
    with subtests.test("none"):
        body = {**CLAIM, "device_key": key.as_dict(private=False)}
        assert_refused(holder.post(claims, body))
    assert 0 == holder.get("/v1/me/permit").json()["electronic"]["devices"]


def test_a_proof_of_a_claim_is_good_once(permit, holder, claims, number):
    """A phone that was revoked is not bound again by repeating what was sent."""
    phone = Phone(holder, permit)
    proof = proof_of(phone.key, "POST", holder.url(claims), holder.token)
    assert 201 == claim(holder, number, phone.key, proof=proof).status_code
    phone.revoke(phone)

    assert_refused(claim(holder, number, phone.key, proof=proof))

    assert 0 == holder.get("/v1/me/permit").json()["electronic"]["devices"]


def assert_refused(answer):
    assert (401, "UNAUTHENTICATED") == (answer.status_code, answer.json()["code"])
    assert 'DPoP error="invalid_dpop_proof"' in answer.headers["www-authenticate"]


def test_the_holder_sees_each_phone_and_since_when(permit, holder):
    """So that a phone that a thief has bound is found, and removed from any other."""
    own, thiefs = Phone(holder, permit).claim(), Phone(holder, permit).claim()

    found = holder.get("/v1/me/devices").json()
    own.revoke(thiefs)
    left = holder.get("/v1/me/devices").json()

    assert [own.thumbprint, thiefs.thumbprint] == [each["device"] for each in found["devices"]]
    first, second = [datetime.fromisoformat(each["bound_at"]) for each in found["devices"]]
    assert first < second
    assert found["devices"][:1] == left["devices"]
    assert permit["permit_number"] == left["permit_number"]


def test_a_private_key_is_refused_and_not_repeated(holder, number):
    """It must never leave the device, nor appear in a response."""
    key = ECKey.generate_key("P-256", private=True).as_dict(private=True)

    answer = claim(holder, number, device_key=key)

    assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])
    assert key["d"] not in answer.text


def test_a_key_that_is_no_point_on_p_256_is_refused(subtests, holder, number):
    """Off the curve, too short, on another curve, of another kind."""
    for changes in [
        {"y": "A" * 43},
        {"x": "_" * 43},
        {"x": "A" * 42},
        {"crv": "P-384"},
        {"kty": "RSA"},
        {"kty": "oct", "k": "c2VjcmV0"},
    ]:
        with subtests.test(changes=changes):
            key = ECKey.generate_key("P-256")

            answer = claim(holder, number, key, device_key=key.as_dict(private=False) | changes)

            assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])


def test_me_returns_the_holders_permit(permit, holder, read):
    """The same document that the registrar reads."""
    mine = holder.get("/v1/me/permit", min_position=permit["as_of_position"])

    assert 200 == mine.status_code
    assert read(permit) == mine.json()


def test_me_returns_the_open_permit_after_an_ended_one(act, registrar, application, holder_of):
    """A person who returned keeps the holder id and sees the new permit."""
    person = application()
    first = registrar.post("/v1/permits", person).json()
    act(first["permit_number"], "cancellations", reason="moved_away")
    second = registrar.post("/v1/permits", person).json()

    mine = holder_of(first).get("/v1/me/permit", min_position=second["as_of_position"])

    assert first["holder_id"] == second["holder_id"]
    assert second["permit_number"] == mine.json()["permit_number"]


def test_a_holder_without_a_permit_gets_404(caller):
    answer = caller("holder", holder_id="nobody-ever-issued-to").get("/v1/me/permit")

    assert (404, "UNKNOWN_PERMIT") == (answer.status_code, answer.json()["code"])
