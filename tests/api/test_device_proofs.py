"""DPoP (RFC 9449): a request for a code proves that the phone has its key."""

import base64
import json
import time

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.jws import JWSRegistry

from tests.api.phones import Phone, digest_of

OTHER_KEY = ECKey.generate_key("P-256", private=True)
HOUR_AGO, IN_AN_HOUR = int(time.time()) - 3600, int(time.time()) + 3600


@pytest.fixture(scope="module")
def phone(caller, registrar, application):
    permit = registrar.post("/v1/permits", application()).json()
    return Phone(caller("holder", holder_id=permit["holder_id"]), permit).claim()


def assert_refused(answer):
    assert (401, "UNAUTHENTICATED") == (answer.status_code, answer.json()["code"])
    assert answer.headers["WWW-Authenticate"].startswith("DPoP ")


def test_a_valid_proof_is_accepted(phone):
    """The other tests change one property of it each."""
    assert 201 == phone.ask().status_code


def test_a_proof_of_another_request_is_refused(subtests, phone):
    """Of another method, address, minute or token; or without a unique name."""
    for claims in [
        {"htm": "GET"},
        {"htm": None},
        {"htm": "post"},
        {"htu": None},
        {"htu": 7},
        {"htu": "not an address"},
        {"htu": "http://evil.example/v1"},
        {"htu": "http://user@127.0.0.1/"},
        {"htu": "http://127.0.0.1:99999999/"},
        {"iat": None},
        {"iat": "now"},
        {"iat": True},
        {"iat": 10**30},
        {"iat": HOUR_AGO},
        {"iat": IN_AN_HOUR},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * 257},
        {"jti": "a\0b"},
        {"ath": "A" * 43},
        {"ath": None},
        {"ath": ""},
        {"ath": 7},
        {"iat": "1767600000"},
        {"iat": float("nan")},
    ]:
        with subtests.test(claims=claims):
            assert_refused(phone.ask(phone.proof(**claims)))


def test_a_proof_by_another_key_is_refused(subtests, phone):
    """Or by another kind of key."""
    for header, key in [
        ({"typ": "JWT"}, None),
        ({"typ": None}, None),
        ({"jwk": None}, None),
        ({"jwk": OTHER_KEY.as_dict(private=False)}, None),
        ({}, OTHER_KEY),
        ({"jwk": OTHER_KEY.as_dict(private=False)}, OTHER_KEY),
        ({"jwk": OTHER_KEY.as_dict(private=True)}, OTHER_KEY),
        (
            {"alg": "RS256", "jwk": (rsa := RSAKey.generate_key(2048)).as_dict(private=False)},
            rsa,
        ),
        ({"alg": "HS256", "jwk": (octets := OctKey.generate_key(256)).as_dict()}, octets),
    ]:
        with subtests.test(header=header, key=key):
            assert_refused(phone.ask(phone.proof(header, key)))


def test_malformed_proofs_are_refused(subtests, phone):
    """None causes a server error."""
    for proof in ["", "x", "a.b.c", "A" * 5000, "e30.e30.e30", "居住证"]:
        with subtests.test(proof=proof):
            headers = {**phone.holder.headers, "DPoP": proof.encode()}
            assert_refused(phone.holder.http.post(phone.path, json={}, headers=headers))


def test_exactly_one_proof_is_required(phone):
    """RFC 9449 §4.3."""
    bearer = list(phone.holder.headers.items())
    for proofs in ([], [("DPoP", phone.proof()), ("DPoP", phone.proof())]):
        assert_refused(phone.holder.http.post(phone.path, json={}, headers=[*bearer, *proofs]))


def test_a_proof_is_accepted_once(phone, together):
    """Of sixteen concurrent requests one gets a code; and none later."""
    proof = phone.proof()

    statuses = together(16, lambda _: phone.ask(proof).status_code)

    assert [201, *[401] * 15] == sorted(statuses)
    assert_refused(phone.ask(proof))


def test_a_proof_for_another_permit_is_refused(phone):
    """The address contains the permit's number."""
    path = phone.path.replace(phone.number, "000000000000")
    answer = phone.holder.post(path, {}, dpop=phone.proof())
    assert_refused(answer)


def test_spelling_of_the_address_does_not_matter(service, phone):
    """Case of scheme and host, query and fragment (RFC 9449 §4.3)."""
    address = f"HTTP://127.0.0.1:{service.port}{phone.path}?a=b#c"
    assert 201 == phone.ask(phone.proof(htu=address)).status_code


def test_a_proof_names_the_token_that_it_comes_with(caller, phone):
    """`ath` is the digest of exactly this one: the holder's next token needs another proof (RFC
    9449 §4.3)."""
    claims = base64.urlsafe_b64decode(phone.holder.token.split(".")[1] + "==")
    next_token = caller("holder", holder_id=json.loads(claims)["sub"])
    proof = phone.proof(ath=digest_of(next_token.token))

    assert_refused(phone.ask(proof))
    assert 201 == next_token.post(phone.path, {}, dpop=proof).status_code


@pytest.mark.parametrize(
    "member",
    [{"cat": 1}, {"x5t": "aGVsbG8"}, {"kid": "this phone"}, {"b64": True}, {"cat": "x" * 1500}],
    ids=lambda member: repr(member)[:20],
)
def test_an_unknown_header_member_is_ignored(phone, member):
    """RFC 7515 §4."""
    assert 201 == phone.ask(phone.proof(member)).status_code


def test_a_critical_member_is_refused(subtests, phone):
    """As in a token."""
    for member in [
        {"crit": []},
        {"crit": ["cat"], "cat": 1},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
    ]:
        with subtests.test(member=member):
            assert_refused(phone.ask(by_hand(phone, **member)))


def test_a_key_of_another_kind_is_refused(subtests, phone):
    """Whether its signature is valid or not."""
    for jwk in [
        {"d": "AAAA"},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "OKP", "crv": "Ed25519"},
        {"crv": "P-384"},
        {"crv": "secp256k1"},
        {"x": "AAAA"},
        {"y": None},
        {"x": 7},
        {"kty": None},
    ]:
        with subtests.test(jwk=jwk):
            public = {**phone.key.as_dict(private=False), **jwk}
            assert_refused(phone.ask(by_hand(phone, jwk=public)))


def test_a_malformed_key_is_refused(subtests, phone):
    """It is not used before it is parsed."""
    for jwk in [None, "x", [], 7, {}]:
        with subtests.test(jwk=jwk):
            assert_refused(phone.ask(by_hand(phone, jwk=jwk)))


def by_hand(phone, **member):
    """A proof with a header that no library produces."""
    header, payload, _ = phone.proof().split(".")
    padded = json.loads(base64.urlsafe_b64decode(header + "=="))
    changed = json.dumps({**padded, **member}).encode()
    signing_input = base64.urlsafe_b64encode(changed).rstrip(b"=") + b"." + payload.encode()
    signature = JWSRegistry.algorithms["ES256"].sign(signing_input, phone.key)
    return f"{signing_input.decode()}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def test_proofs_are_dated_by_the_machines_clock(at, phone):
    """Not by the ledger's."""
    at("2031-01-01")
    assert 201 == phone.ask().status_code


def test_a_proof_does_not_replace_a_token(http, phone):
    """It is sent with one."""
    answer = http.post(phone.path, json={}, headers={"DPoP": phone.proof()})
    challenges = 'Bearer, DPoP algs="ES256"'
    assert (401, challenges) == (answer.status_code, answer.headers["WWW-Authenticate"])
