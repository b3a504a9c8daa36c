"""A claim where a real issuer is configured: the face match is proved, by the sign-in (RFC 9470) or
by an assertion of the face provider. P19."""

import hmac
import json
import os
import time
from datetime import UTC, date, datetime
from uuid import uuid4

import httpx
import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from api.http.jose import base64url
from domain import citizen_id
from tests.api.conftest import free_port
from tests.api.phones import claim, digest_of, proof_of
from tests.api.service import Caller, Service

ISSUER, FACE_ISSUER = "https://issuer.example", "https://face.example"
ISSUER_KEY, FACE_KEY, OTHER_KEY = (
    ECKey.generate_key("P-256", {"kid": kid, "use": "sig"}, private=True) for kid in "ifo"
)
ACCOUNT = "account-1"
NONE = {"face_match": None}


def jwk_set(file, key):
    file.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    return str(file)


def signed(key, claims, **header):
    """A JWT with what is not ``None``."""
    said = {name: value for name, value in claims.items() if value is not None}
    named = {"alg": "ES256", "kid": key.kid, **header}
    named = {name: value for name, value in named.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=[named["alg"]], strict_check_header=False)
    return jws.serialize_compact(named, json.dumps(said).encode(), key, registry=registry)


@pytest.fixture(scope="module")
def service(make_service_dir):
    folder = make_service_dir()
    service = Service(folder, free_port())
    provider = folder.parent / "face-provider.toml"
    jwk_set(folder.parent / "face.jwks", FACE_KEY)
    provider.write_text(f'issuer = "{FACE_ISSUER}"\njwks = "face.jwks"\n')
    environment = {
        "PERMIT_LEDGER_ISSUER": ISSUER,
        "PERMIT_LEDGER_JWKS": jwk_set(folder.parent / "issuer.jwks", ISSUER_KEY),
        "PERMIT_LEDGER_FACE_PROVIDER": str(provider),
        "PERMIT_LEDGER_STEP_UP_ACR": "urn:acr:face  urn:acr:chip",
    }
    service.launch(environment=os.environ | environment)
    service.wait_until_ready()
    yield service
    assert 0 == service.stop()


@pytest.fixture(scope="module")
def by_token(service):
    """``by_token(scope="holder", …)``: a caller with the issuer's token."""
    with httpx.Client(base_url=service.url, timeout=30) as http:

        def make(scheme="Bearer", **claims):
            usual = {"iss": ISSUER, "aud": "permit-ledger", "exp": int(time.time()) + 600}
            token = signed(ISSUER_KEY, {**usual, "jti": uuid4().hex, **claims})
            return Caller(http, {"Authorization": f"{scheme} {token}"})

        yield make


@pytest.fixture(scope="module")
def issue(by_token):
    registrar = by_token(sub="officer-1", scope="permits:write", station="320211-01")

    def make(sequence):
        application = {
            "holder": {
                "name": "欧阳测试",
                "sex": "1",
                "ethnicity": "01",
                "birth_date": "1990-01-01",
                "citizen_id_number": citizen_id.compose("320106", date(1990, 1, 1), sequence),
                "hukou_address": "安徽省合肥市蜀山区示例路1号",
            },
            "residence": {"division": "320211", "address": "滨湖区示例新村8号101室"},
            "residence_registered_on": "2020-01-15",
            "ground": "employment",
        }
        answer = registrar.post("/v1/permits", application)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


@pytest.fixture(scope="module")
def permit(issue):
    """Shared by the tests whose claims are refused."""
    return issue(7)


@pytest.fixture
def holder_of(by_token):
    """``holder_of(permit, acr=…)``: its holder, by a token with these claims."""
    return lambda permit, **claims: by_token(sub=permit["holder_id"], scope="holder", **claims)


def assertion_for(holder, permit, device, *, key=FACE_KEY, header=None, **changes):
    """Valid for a claim with this token and this key, but for what is changed."""
    now = int(time.time())
    claims = {
        "iss": FACE_ISSUER,
        "aud": "permit-ledger",
        "sub": permit["holder_id"],
        "nonce": digest_of(holder.token),
        "cnf": {"jkt": device.thumbprint()},
        "iat": now,
        "exp": now + 120,
        "jti": uuid4().hex,
        **changes,
    }
    return signed(key, claims, **{"typ": "face-match+jwt", **(header or {})})


def new_device():
    return ECKey.generate_key("P-256", private=True)


def assert_step_up_required(answer, detail=""):
    challenge = answer.headers.get("www-authenticate", "")
    document = answer.json()
    code = "INSUFFICIENT_USER_AUTHENTICATION"
    assert (401, code) == (answer.status_code, document.get("code")), answer.text
    assert challenge.startswith('Bearer error="insufficient_user_authentication", error_desc')
    assert challenge.endswith(', acr_values="urn:acr:face urn:acr:chip", max_age=300')
    assert detail in document["detail"]


def now_and(seconds):
    return int(time.time()) + seconds


class In(int):
    """So many seconds from the test's start, not from its module's import."""


def at_start(claims):
    return {name: now_and(it) if isinstance(it, In) else it for name, it in claims.items()}


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"acr": "urn:acr:face"},
        {"acr": "1", "auth_time": In(0)},
        {"acr": "face", "auth_time": In(0)},
        {"acr": ["urn:acr:face"], "auth_time": In(0)},
        {"amr": ["pwd", "otp"], "auth_time": In(0)},
        {"amr": "face", "auth_time": In(0)},
        {"acr": "urn:acr:face", "auth_time": In(-302)},
        {"acr": "urn:acr:face", "auth_time": In(600)},
        {"acr": "urn:acr:face", "auth_time": "now"},
    ],
    ids=str,
)
def test_a_sign_in_without_a_fresh_face_match_is_asked_to_step_up(holder_of, permit, said):
    """RFC 9470 §3: with the accepted values and the age; nothing is recorded."""
    answer = claim(holder_of(permit, **at_start(said)), permit["permit_number"], **NONE)

    assert_step_up_required(answer)


@pytest.mark.parametrize(
    ("said", "reference"),
    [
        ({"acr": "urn:acr:chip", "amr": ["face"]}, "urn:acr:chip"),
        ({"acr": "1", "amr": ["pwd", "face"]}, "face"),
    ],
    ids=["acr", "amr"],
)
def test_a_fresh_step_up_claims_and_is_kept(service, holder_of, issue, said, reference):
    """Who compared, when and how; of the picture nothing is there to keep."""
    at = now_and(-200)
    permit = issue(11 if "acr" in reference else 13)
    holder = holder_of(permit, auth_time=at, **said)

    answer = claim(holder, permit["permit_number"], **NONE)

    assert 201 == answer.status_code, answer.text
    kept = service.event(int(answer.headers["ledger-position"]))["face_match"]
    assert {
        "provider": ISSUER,
        "score": None,
        "matched": True,
        "proof": "step_up",
        "reference": reference,
        "compared_at": datetime.fromtimestamp(at, UTC).isoformat(),
    } == kept


def test_a_bound_token_is_challenged_with_its_own_scheme(by_token, permit):
    """One proof is by both keys."""
    device = new_device()
    sub, jkt = permit["holder_id"], device.thumbprint()
    holder = by_token("DPoP", sub=sub, scope="holder", cnf={"jkt": jkt})

    answer = claim(holder, permit["permit_number"], device, **NONE)

    challenge = 'DPoP error="insufficient_user_authentication"'
    assert (401, True) == (
        answer.status_code,
        answer.headers["www-authenticate"].startswith(challenge),
    )


def test_an_unsigned_face_match_is_bad_input(holder_of, permit):
    """Even with a sign-in that would do: what is sent is not ignored."""
    holder = holder_of(permit, acr="urn:acr:face", auth_time=now_and(0))

    answer = claim(holder, permit["permit_number"])

    assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])
    assert "face_match" == answer.json()["errors"][0]["field"]


@pytest.mark.parametrize(
    "face_match",
    [{"assertion": ""}, {"assertion": 7}, {"assertion": "x", "score": 1.0}, {"assertion": "\0"}],
    ids=str,
)
def test_a_malformed_body_is_bad_input(holder_of, permit, face_match):
    answer = claim(holder_of(permit), permit["permit_number"], face_match=face_match)

    assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])
    assert answer.json()["errors"][0]["field"].startswith("face_match")


REFUSED = {
    "other issuer": ({"iss": ISSUER}, {}, "another issuer"),
    "other audience": ({"aud": ["permits.example"]}, {}, "another audience"),
    "no audience": ({"aud": None}, {}, "another audience"),
    "other holder": ({"sub": "someone-else"}, {}, "its sub"),
    "no holder": ({"sub": None}, {}, "its sub"),
    "wrong nonce": ({"nonce": digest_of("another token")}, {}, "its nonce"),
    "no nonce": ({"nonce": None}, {}, "its nonce"),
    "other device key": ({"cnf": {"jkt": OTHER_KEY.thumbprint()}}, {}, "its cnf.jkt"),
    "no device key": ({"cnf": None}, {}, "its cnf.jkt"),
    "too old": ({"iat": In(-400), "exp": In(60)}, {}, "its iat"),
    "from the future": ({"iat": In(900), "exp": In(1000)}, {}, "its iat"),
    "expired": ({"iat": In(-200), "exp": In(-1)}, {}, "expired"),
    "valid for too long": ({"exp": In(3600)}, {}, "expired"),
    "no expiry": ({"exp": None}, {}, "iat and exp"),
    "a date in text": ({"iat": "now"}, {}, "iat and exp"),
    "no jti": ({"jti": None}, {}, "no jti"),
    "a jti that is too long": ({"jti": "x" * 201}, {}, "jti"),
    "other key": ({}, {"key": OTHER_KEY}, "no key"),
    "the issuer's key": ({}, {"key": ISSUER_KEY}, "no key"),
    "an access token's typ": ({}, {"header": {"typ": "JWT"}}, "its typ"),
    "no typ": ({}, {"header": {"typ": None}}, "its typ"),
}


@pytest.mark.parametrize(("changes", "how", "detail"), REFUSED.values(), ids=REFUSED)
def test_an_assertion_for_anything_else_is_refused(holder_of, permit, changes, how, detail):
    """One property differs each time; a sign-in that would do doesn't excuse it."""
    holder, device = holder_of(permit, acr="urn:acr:face", auth_time=now_and(0)), new_device()
    assertion = assertion_for(holder, permit, device, **how, **at_start(changes))

    answer = claim(holder, permit["permit_number"], device, face_match={"assertion": assertion})

    assert_step_up_required(answer, detail)


@pytest.mark.parametrize("change", ["none", "HS256", "signature", "payload", "text"])
def test_an_assertion_that_is_not_signed_is_refused(holder_of, permit, change):
    """``alg: none``, a MAC with the public key, a signature of something else, or no JWT."""
    holder, device = holder_of(permit), new_device()
    assertion = assertion_for(holder, permit, device)
    header, payload, signature = assertion.split(".")
    _, other, _ = assertion_for(holder, permit, device).split(".")
    none, mac = (
        base64url(json.dumps({"alg": name, "kid": "f", "typ": "face-match+jwt"}).encode())
        for name in ("none", "HS256")
    )
    public = FACE_KEY.as_pem(private=False)
    code = base64url(hmac.digest(public, f"{mac}.{payload}".encode(), "sha256"))
    sent = {
        "none": f"{none}.{payload}.",
        "HS256": f"{mac}.{payload}.{code}",
        "signature": f"{header}.{payload}.",
        "payload": f"{header}.{other}.{signature}",
        "text": "x" * 8000,
    }[change]

    answer = claim(holder, permit["permit_number"], device, face_match={"assertion": sent})

    assert_step_up_required(answer, "")


def test_an_assertion_claims_once(service, holder_of, issue):
    """A phone that was revoked doesn't bind itself again with it; a retry of the same request gets
    the first response."""
    permit, device = issue(17), new_device()
    holder, number = holder_of(permit), permit["permit_number"]
    given = {"face_match": {"assertion": assertion_for(holder, permit, device, jti="match-1")}}

    first = claim(holder, number, device, idempotency_key="claim-1", **given)
    retry = claim(holder, number, device, idempotency_key="claim-1", **given)
    holder.post(
        f"/v1/permits/{number}/electronic/device-revocations", {"device": device.thumbprint()}
    )

    assert 201 == first.status_code, first.text
    assert (201, "true") == (retry.status_code, retry.headers.get("idempotency-replayed"))
    assert_step_up_required(claim(holder, number, device, **given), "used before")
    again = claim(holder, number, device, idempotency_key="claim-2", **given)
    assert_step_up_required(again, "used before")
    assert 0 == holder.get("/v1/me/permit").json()["electronic"]["devices"]
    kept = service.event(int(first.headers["ledger-position"]))["face_match"]
    assert (FACE_ISSUER, "assertion", "match-1") == (
        kept["provider"],
        kept["proof"],
        kept["reference"],
    )


def test_the_proof_by_the_devices_key_is_asked_for_first(holder_of, permit):
    """Whatever is said of the face."""
    holder, device = holder_of(permit, acr="urn:acr:face", auth_time=now_and(0)), new_device()
    path = f"/v1/permits/{permit['permit_number']}/electronic/claims"
    for key in (None, OTHER_KEY):
        body = {"confirmed": True, "device_key": device.as_dict(private=False)}
        proof = {"dpop": proof_of(key, "POST", holder.url(path), holder.token)} if key else {}
        answer = holder.post(path, body, **proof)
        assert 401 == answer.status_code
        assert answer.headers["www-authenticate"].startswith('DPoP error="invalid_dpop_proof"')


def test_refused_claims_have_changed_nothing(holder_of, permit):
    """All those above that use this permit."""
    mine = holder_of(permit).get("/v1/me/permit").json()

    assert (1, "unclaimed") == (mine["version"], mine["electronic"]["status"])
