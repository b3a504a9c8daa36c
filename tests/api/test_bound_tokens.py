"""Tokens that are bound to a key (RFC 9449 §7) are accepted only with a proof by that key."""

import time

import pytest
from joserfc.jwk import ECKey

from api.http.dpop import BadProof, Proof, SeenProofs
from ledger.errors import Unavailable
from tests.api.phones import Phone, proof_of
from tests.api.service import Caller

KEY, OTHER = (ECKey.generate_key("P-256", private=True) for _ in range(2))
UNKNOWN = "/v1/permits/000000000000"
CARD = {
    "scenario": "patrol_inspection",
    "track": "physical",
    "permit_number": "x",
    "card_serial": 1,
}
SCOPES = "permits:write verify holder audit:read operate"
WAYS = {
    "a read": ("GET", UNKNOWN, {}, 404),
    "a write": ("POST", f"{UNKNOWN}/loss-reports", {"json": {}}, 404),
    "a check": ("POST", "/v1/verifications", {"json": CARD}, 200),
    "a check, the long way": (
        "POST",
        "/v1/verifications",
        {
            "content": b'{"scenario": "patrol_inspection", "track": "physical",'
            b' "permit_number": "x", "card_serial": 1}',
            "headers": {"content-type": "application/json; charset=utf-8"},
        },
        200,
    ),
    "a live stream": ("GET", "/v1/me/live", {}, 404),
    "the audit": ("GET", "/v1/audit/reads", {}, 200),
    "operations": ("GET", "/v1/operations/quarantine", {}, 200),
    "a head": ("HEAD", UNKNOWN, {}, 404),
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@pytest.fixture(scope="module")
def bound(signed):
    """A token for everything, bound to ``KEY``."""
    return signed(cnf={"jkt": KEY.thumbprint()}, scope=SCOPES, case="2026-7").token


@pytest.fixture
def ask(http, bound):
    """``ask(way, scheme, *proofs)``: the status, and what is asked for instead."""

    def make(way, scheme, *proofs, token=bound):
        method, path, options, _ = way
        headers = [("Authorization", f"{scheme} {token}"), *(("DPoP", each) for each in proofs)]
        headers += list(options.get("headers", {}).items())
        rest = {name: value for name, value in options.items() if name != "headers"}
        answer = http.request(method, path, headers=headers, **rest)
        return answer.status_code, answer.headers.get("WWW-Authenticate", "")

    return make


@pytest.fixture
def proof(http, bound):
    """``proof(way)``: of this request, by the token's key; what is given replaces what is right."""

    def make(way, key=KEY, **claims):
        method, path, *_ = way
        url = f"{http.base_url}".rstrip("/") + path.partition("?")[0]
        return proof_of(key, method, url, claims.pop("token", bound), **claims)

    return make


@every_way
def test_a_bound_token_is_accepted_with_a_proof_by_its_key(ask, proof, way):
    """With the scheme DPoP, in upper or lower case."""
    assert way[-1] == ask(way, "DPoP", proof(way))[0]
    assert way[-1] == ask(way, "dpop", proof(way))[0]


@every_way
def test_a_bound_token_is_refused_as_a_bearer_token(ask, proof, way):
    """A thief lacks the key (RFC 9449 §7.2); with a proof, the scheme is DPoP."""
    refused = (401, 'DPoP error="invalid_token", algs="ES256"')

    assert refused == ask(way, "Bearer")
    assert refused == ask(way, "Bearer", proof(way))


@every_way
def test_a_bound_token_needs_exactly_one_proof_by_its_key(ask, proof, way):
    """Of this request and this token."""
    refused = (401, 'DPoP error="invalid_dpop_proof", algs="ES256"')

    assert refused == ask(way, "DPoP")
    assert refused == ask(way, "DPoP", proof(way), proof(way))
    assert refused == ask(way, "DPoP", proof(way, key=OTHER))
    assert refused == ask(way, "DPoP", proof(way, ath=None))
    assert refused == ask(way, "DPoP", proof(way, token="another"))
    assert refused == ask(way, "DPoP", proof(way, htm="DELETE"))
    assert refused == ask(way, "DPoP", proof(way, iat=int(time.time()) - 3600))


@every_way
def test_a_proof_is_accepted_once(ask, proof, way):
    """A recorded proof cannot be used again."""
    once = proof(way)

    assert way[-1] == ask(way, "DPoP", once)[0]
    assert 401 == ask(way, "DPoP", once)[0]


@every_way
def test_an_unbound_token_is_refused_as_a_dpop_token(ask, proof, signed, way):
    """The key of the proof has to be the token's (RFC 9449 §7.1), which has none."""
    token = signed(scope=SCOPES, case="2026-7").token

    assert 401 == ask(way, "DPoP", proof(way, token=token), token=token)[0]
    assert way[-1] == ask(way, "Bearer", token=token)[0]


def test_a_token_with_an_unknown_binding_is_refused(subtests, ask, proof, signed):
    """A binding that cannot be verified is not ignored."""
    for cnf in [
        *({}, [], "x", 7, True),
        *({"jkt": 7}, {"jkt": ""}, {"jkt": "short"}, {"jkt": [KEY.thumbprint()]}),
        {"x5t#S256": "A" * 43},
        {"jwk": KEY.as_dict(private=False)},
    ]:
        for scheme in ["Bearer", "DPoP"]:
            with subtests.test(cnf=cnf, scheme=scheme):
                way, token = WAYS["a read"], signed(cnf=cnf).token

                assert 401 == ask(way, scheme, proof(way, token=token), token=token)[0]


def test_a_code_is_made_with_the_one_key_of_phone_and_token(signed, registrar, application):
    """A request has one proof, so the token is bound to the phone's key."""
    permit = registrar.post("/v1/permits", application()).json()
    claims = {"sub": permit["holder_id"], "scope": "holder"}
    phone = Phone(signed(**claims), permit).claim()
    token = signed(**claims, cnf={"jkt": phone.thumbprint}).token
    holder = Caller(phone.holder.http, {"Authorization": f"DPoP {token}"})
    phone = Phone(holder, permit, phone.key)
    proof = phone.proof()

    assert 201 == phone.ask(proof).status_code
    assert 401 == phone.ask(proof).status_code
    assert 401 == phone.ask(phone.proof({"jwk": OTHER.as_dict(private=False)}, OTHER)).status_code


def test_addresses_are_compared_in_normal_form(subtests, ask, proof):
    """Whatever is percent-encoded in them (RFC 3986 §6.2.2)."""
    for path, spelled in [
        ("/v1/permits/%e5%b1%85", "/v1/permits/%E5%B1%85"),
        ("/v1/permits/%41%7E", "/v1/permits/A~"),
        ("/v1/permits/a%3Fb", "/v1/permits/a%3fb"),
    ]:
        with subtests.test(path=path, spelled=spelled):
            sent, signed_for = ("GET", path, {}, 404), ("GET", spelled, {}, 404)

            assert 404 == ask(sent, "DPoP", proof(signed_for))[0]
            assert 401 == ask(sent, "DPoP", proof(WAYS["a read"]))[0]


def test_a_used_proof_is_forgotten_once_it_has_expired():
    """After two minutes, its own time makes it invalid."""
    seen = SeenProofs()
    seen.spend(Proof("key", "1"), now=0)
    with pytest.raises(BadProof):
        seen.spend(Proof("key", "1"), now=119)

    seen.spend(Proof("another", "1"), now=119)
    seen.spend(Proof("key", "1"), now=121)

    assert 2 == len(seen)


def test_a_full_memory_of_used_proofs_refuses_new_ones():
    """No remembered proof is dropped for a new one."""
    seen = SeenProofs(seen_max=2)
    for name in "12":
        seen.spend(Proof("key", name), now=0)

    with pytest.raises(Unavailable):
        seen.spend(Proof("key", "3"), now=1)
    with pytest.raises(BadProof):
        seen.spend(Proof("key", "1"), now=1)
    seen.spend(Proof("key", "3"), now=121)
