"""Bearer tokens: accepted only from the trusted issuer, for this service, in their time. RFC
6750"""

import base64
import hashlib
import hmac
import json
import time
from functools import partial

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

CLAIMS = {
    "iss": "permit-ledger-development",
    "aud": "permit-ledger",
    "sub": "mallory",
    "scope": "permits:write",
    "station": "320211-01",
    "exp": 4102444800,
}
PATH = "/v1/permits/000000000000"
ES256 = JWSRegistry.algorithms["ES256"]


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(header, payload, sign=lambda _: b""):
    """A compact JWS by hand; texts are taken as they are, objects as JSON."""
    parts = [p if isinstance(p, bytes) else json.dumps(p).encode() for p in (header, payload)]
    signing_input = ".".join(base64url(part) for part in parts)
    return f"{signing_input}.{base64url(sign(signing_input.encode()))}"


@pytest.fixture
def issuer(service):
    """The development issuer's key."""
    file = service.data_dir / "keys" / "development-issuer.jwk"
    return ECKey.import_key(json.loads(file.read_text()))


@pytest.fixture
def ask(http):
    """``ask("Bearer …")``: the response to this Authorization header."""

    def make(authorization):
        headers = [] if authorization is None else [("Authorization", authorization)]
        return http.get(PATH, headers=headers)

    return make


def assert_unauthenticated(answer, token=None):
    assert (401, "UNAUTHENTICATED") == (answer.status_code, answer.json()["code"])
    assert "application/problem+json" == answer.headers["Content-Type"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert not token or token not in answer.text


def test_a_valid_token_is_accepted(signed):
    """The other tests change one property of it each."""
    assert (404, "UNKNOWN_PERMIT") == (
        signed().get(PATH).status_code,
        signed().get(PATH).json()["code"],
    )


def test_a_missing_or_malformed_token_is_refused(subtests, ask):
    """401 with a challenge."""
    for authorization in [
        None,
        "Bearer",
        "Basic dXNlcjpwYXNz",
        "Bearer garbage",
        "Bearer a.b.c",
        "Bearer ..",
        "Bearer ....",
        "Bearer " + "a" * 9000,
        "Bearer \u00e9.\u00e9.\u00e9".encode("latin-1"),
        "Token x",
    ]:
        with subtests.test(authorization=authorization):
            assert_unauthenticated(ask(authorization))


def test_a_signed_token_with_unsuitable_claims_is_refused(subtests, signed):
    """Expired, not yet valid, of another issuer or audience, or with malformed claims."""
    for changes in [
        {"exp": 1},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": "4102444800"},
        {"exp": int("9" * 400)},
        {"exp": -int("9" * 400)},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": 1e300},
        {"exp": [4102444800]},
        {"exp": 4102444800000},
        {"nbf": 4102444800},
        {"nbf": "0"},
        {"nbf": False},
        {"nbf": -int("9" * 400)},
        {"nbf": float("nan")},
        {"iat": "0"},
        {"iat": True},
        {"iat": -int("9" * 400)},
        {"iat": {}},
        {"iss": "https://somebody.else"},
        {"iss": None},
        {"aud": "another-service"},
        {"aud": None},
        {"aud": []},
        {"aud": ["another-service"]},
        {"aud": {"permit-ledger": True}},
        {"aud": ["permit-ledger", 7]},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 201},
        {"sub": "two\nlines"},
        {"sub": ["officer-1"]},
        {"scope": 7},
        {"scope": True},
        {"scope": {"permits:write": True}},
        {"scope": ["permits:write", 7]},
        {"scope": [["permits:write"]]},
        {"scope": "permits:write\n"},
        {"station": {"code": "320211-01"}},
        {"scenarios": "patrol_inspection"},
        {"scenarios": [1]},
    ]:
        with subtests.test(changes=changes):
            assert_unauthenticated(signed(**changes).get(PATH))


def test_the_variants_that_issuers_send_are_accepted(subtests, signed):
    """Scopes as a list, or very many of them; several audiences; fractions of seconds (RFC 7519
    §2)."""
    for claims in [
        {"scope": ["permits:write"]},
        {"scope": ["holder", "permits:write verify"]},
        {"scope": "permits:write " + " ".join(f"https://roles.example/{n}" for n in range(200))},
        {"scope": " permits:write  holder "},
        {"aud": ["another-service", "permit-ledger"]},
        {"exp": 4102444800.5},
        {"iat": 0, "nbf": 0.5},
    ]:
        with subtests.test(claims=claims):
            assert 404 == signed(**claims).get(PATH).status_code


def test_a_token_without_a_scope_is_refused(subtests, signed):
    """403; `scp` is not `scope`."""
    for claims in [{"scope": None}, {"scope": ""}, {"scope": []}, {"scp": ["permits:write"]}]:
        with subtests.test(claims=claims):
            assert 403 == signed(**{"scope": None, **claims}).get(PATH).status_code


def test_a_token_has_at_most_8192_characters(ask, issuer):
    """Exactly."""

    def answered(length):
        claims = json.dumps({**CLAIMS, "pad": ""}).encode()
        header = json.dumps({"alg": "ES256"}).encode()
        free = length - len(base64url(header)) - 2 - len(base64url(bytes(64)))
        payload = claims[:-2] + b"x" * (free * 3 // 4 - len(claims)) + claims[-2:]
        token = compact(header, payload, lambda each: ES256.sign(each, issuer))
        assert len(token) == length
        return ask(f"Bearer {token}").status_code

    assert (404, 401) == (answered(8192), answered(8194))


def test_an_unknown_header_member_is_ignored(subtests, signed):
    """RFC 7515 §4; and none of them selects the key."""
    for member in [
        {"cat": "tabby"},
        {"cat": {"deep": [1, None]}},
        {"typ": "at+jwt"},
        {"typ": "application/at+jwt", "cty": "json"},
        {"x5t": "aGVsbG8", "x5t#S256": "aGVsbG8"},
        {"jku": "https://evil.example/jwks.json", "x5u": "http://evil.example/cert"},
        {"x5c": ["A" * 4000]},
        {"b64": True},
        {"https://issuer.example/tenant": 7},
        {"jwk": ECKey.generate_key("P-256").as_dict(private=False)},
    ]:
        with subtests.test(member=member):
            header = {"alg": "ES256", "typ": "JWT", **member}

            assert 404 == signed(header=header).get(PATH).status_code
            other = ECKey.generate_key("P-256", private=True)
            assert_unauthenticated(signed(other, header).get(PATH))


def test_a_critical_member_is_refused(subtests, ask, issuer):
    """None is implemented, and an empty list is not allowed (RFC 7515 §4.1.11)."""
    for member in [
        {"crit": []},
        {"crit": ["cat"], "cat": 1},
        {"crit": ["cat"]},
        {"crit": ["b64"], "b64": True},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"crit": ["alg"]},
        {"crit": "cat"},
        {"crit": None},
        {"crit": {}},
        {"crit": [1]},
        {"b64": "false"},
    ]:
        with subtests.test(member=member):
            token = compact(
                {"alg": "ES256", **member},
                CLAIMS,
                lambda signing_input: ES256.sign(signing_input, issuer),
            )

            assert_unauthenticated(ask(f"Bearer {token}"), token)


def test_two_authorization_headers_are_refused(http, signed):
    """Proxies on the way might choose different ones."""
    bearer = ("Authorization", signed().headers["Authorization"])

    assert_unauthenticated(http.get(PATH, headers=[bearer, bearer]))


def test_the_leeway_after_expiry_is_limited(signed):
    """Half a minute is accepted, two minutes are not."""
    now = int(time.time())

    assert 404 == signed(exp=now - 10).get(PATH).status_code
    assert_unauthenticated(signed(exp=now - 120).get(PATH))


def test_a_token_signed_by_another_key_is_refused(subtests, signed, issuer):
    """Of any kind, and even under the issuer's key id."""
    for kid in ["absent", "the issuer's"]:
        for algorithm, make_key in [
            ("ES256", lambda: ECKey.generate_key("P-256", private=True)),
            ("RS256", lambda: RSAKey.generate_key(2048, private=True)),
            ("PS256", lambda: RSAKey.generate_key(2048, private=True)),
            ("Ed25519", lambda: OKPKey.generate_key("Ed25519", private=True)),
        ]:
            with subtests.test(kid=kid, algorithm=algorithm, make_key=make_key):
                header = {"alg": algorithm, "typ": "JWT"}
                if kid != "absent":
                    issuer.ensure_kid()
                    header["kid"] = issuer.kid

                assert_unauthenticated(signed(make_key(), header).get(PATH))


def test_a_key_that_the_token_brings_along_is_not_trusted(signed):
    """Neither as ``jwk`` in the header."""
    key = ECKey.generate_key("P-256", private=True)
    header = {"alg": "ES256", "typ": "JWT", "jwk": key.as_dict(private=False)}

    assert_unauthenticated(signed(key, header).get(PATH))


def test_an_unsigned_token_is_refused(subtests, ask):
    """``alg: none`` in every spelling."""
    for algorithm in ["none", "None", "NONE", ""]:
        with subtests.test(algorithm=algorithm):
            token = compact({"alg": algorithm, "typ": "JWT"}, CLAIMS)

            assert_unauthenticated(ask(f"Bearer {token}"), token)


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(subtests, ask, issuer):
    """HS256, with the issuer's public key."""
    for form in ["pem", "der", "jwk"]:
        with subtests.test(form=form):
            secret = {
                "pem": lambda: issuer.as_pem(private=False),
                "der": lambda: issuer.as_der(private=False),
                "jwk": lambda: json.dumps(issuer.as_dict(private=False)).encode(),
            }[form]()
            token = compact(
                {"alg": "HS256", "typ": "JWT"},
                CLAIMS,
                partial(hmac.digest, secret, digest=hashlib.sha256),
            )

            assert_unauthenticated(ask(f"Bearer {token}"), token)


def test_a_token_altered_after_signing_is_refused(signed, ask):
    """Another scope under the same signature."""
    token = signed(scope="holder").headers["Authorization"].removeprefix("Bearer ")
    header, _, signature = token.split(".")
    forged = f"{header}.{base64url(json.dumps(CLAIMS).encode())}.{signature}"

    assert_unauthenticated(ask(f"Bearer {forged}"), forged)


def test_a_malformed_header_is_refused(subtests, ask):
    """Whatever the first part decodes to."""
    for header in [
        b"[" * 5000,
        b"[1]",
        b"1",
        b'"ES256"',
        b"null",
        b"\xff\xfe",
        b'{"alg": ["ES256"]}',
        b'{"alg": "ES256", "kid": [1]}',
        b'{"alg": "ES256", "kid": {}}',
        b'{"alg": "ES256", "crit": ["x"]}',
        b'{"alg": "ES256", "crit": 1}',
        b'{"alg": "ES256", "crit": ["b64"], "b64": false}',
        b'{"alg": "ES256", "jwk": 1, "x5c": 1, "jku": "http://127.0.0.1"}',
        b'{"alg": "dir", "enc": "A128GCM"}',
        b'{"alg": NaN}',
        b'{"alg": ' + b"9" * 5000 + b"}",
        b'{"alg": "ES256", "kid": "\\ud800"}',
        b'{"alg": "ES256", "x": ' + b"[" * 2000 + b"]" * 2000 + b"}",
        b'["alg"]',
        b'"alg"',
    ]:
        with subtests.test(header=header):
            token = compact(header, CLAIMS)

            assert_unauthenticated(ask(f"Bearer {token}"), token)


def test_tokens_are_dated_by_the_machines_clock(at, registrar):
    """Whatever day the service's clock shows."""
    at("2090-01-01")

    assert 404 == registrar.get(PATH).status_code
