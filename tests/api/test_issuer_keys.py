"""A real issuer's keys: unusable ones, and new ones."""

import json
import os
import time

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.api.service import Caller

ISSUER = "https://issuer.example"
PATH = "/v1/permits/000000000000"
CARD = {"scenario": "x", "track": "physical", "permit_number": "x", "card_serial": 1}


def new_key(kid):
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig"}, private=True)


def token(key, **header):
    claims = {
        "iss": ISSUER,
        "aud": ["permit-ledger"],
        "sub": "officer-1",
        "scope": ["permits:write", "verify"],
        "station": "320211-01",
        "exp": int(time.time()) + 600,
    }
    return jwt.encode({"alg": "ES256", "kid": key.kid, **header}, claims, key)


@pytest.fixture
def jwks(tmp_path):
    """``jwks(key, …)``: the issuer publishes these keys, and an unusable one."""
    file = tmp_path / "jwks.json"

    def publish(*keys):
        public = [key.as_dict(private=False) for key in keys]
        of_no_use = {**public[0], "crv": "BP-256", "kid": "brainpool"}
        file.write_text(json.dumps({"keys": [of_no_use, *public]}))

    publish.file = file
    return publish


@pytest.fixture
def ask(make_service, jwks):
    """``ask(key)``: the responses to a token signed with this key, on both paths."""
    jwks(new_key("first"))
    service = make_service()
    environment = {"PERMIT_LEDGER_ISSUER": ISSUER, "PERMIT_LEDGER_JWKS": str(jwks.file)}
    service.launch(environment=os.environ | environment)
    service.wait_until_ready()

    def asked(key, **header):
        with httpx.Client(base_url=service.url, timeout=30) as http:
            caller = Caller(http, {"Authorization": f"Bearer {token(key, **header)}"})
            return caller.get(PATH).status_code, caller.post("/v1/verifications", CARD).status_code

    return asked


def test_the_issuer_can_rotate_its_keys(ask, jwks, eventually):
    """A token by a new key is accepted at the first request; unknown key ids only delay that; a
    withdrawn key is refused; a broken file changes nothing."""
    first, second, third = (new_key(kid) for kid in ("first", "second", "third"))
    jwks(first)
    assert (404, 200) == ask(first)

    for n in range(8):
        assert (401, 401) == ask(first, kid=f"made-up-{n}")
    jwks(second)
    assert eventually(lambda: ask(second) == (404, 200))
    assert (401, 401) == ask(first)

    jwks.file.write_text("{")
    assert (401, 401) == ask(third)
    assert (404, 200) == ask(second)
    jwks(second, third)
    assert eventually(lambda: ask(third, kid="third") == (404, 200))
    assert (404, 200) == ask(second)
