"""A holder's phone: its key, and the proofs that it makes with it."""

import base64
import hashlib
import json
import time
from typing import Any
from uuid import uuid4

import httpx
from joserfc import jws
from joserfc.jwk import ECKey

from tests.api.service import Caller, Json

CLAIM = {"confirmed": True, "face_match": {"provider": "test", "score": 0.97, "matched": True}}


def digest_of(token: str) -> str:
    """What a proof calls the access token that it comes with (RFC 9449 §4.2, `ath`)."""
    digest = hashlib.sha256(token.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def proof_of(
    key: ECKey, method: str, url: str, token: str, header: Json | None = None, **claims: Any
) -> str:
    """A DPoP proof of a request; whatever is given replaces what would be right, ``None`` leaves it
    out."""
    right = {
        "jti": uuid4().hex,
        "htm": method,
        "htu": url,
        "iat": int(time.time()),
        "ath": digest_of(token),
    }
    said = {name: value for name, value in (right | claims).items() if value is not None}
    named = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    named = {name: value for name, value in (named | (header or {})).items() if value}
    registry = jws.JWSRegistry(algorithms=[named["alg"]], strict_check_header=False)
    return jws.serialize_compact(named, json.dumps(said).encode(), key, registry=registry)


def claim(
    holder: Caller,
    number: str,
    key: ECKey | None = None,
    *,
    proof: str | None = None,
    idempotency_key: str | None = None,
    **changes: Any,
) -> httpx.Response:
    """Claim the permit for a device, with a proof by its key unless another is given.

    ``changes`` replace what the body has.
    """
    key = key or ECKey.generate_key("P-256", private=True)
    path = f"/v1/permits/{number}/electronic/claims"
    proof = proof or proof_of(key, "POST", holder.url(path), holder.token)
    headers = {"idempotency_key": idempotency_key} if idempotency_key else {}
    body = {**CLAIM, "device_key": key.as_dict(private=False), **changes}
    return holder.post(path, body, dpop=proof, **headers)


class Phone:
    """Bound to one permit once it has claimed it."""

    def __init__(self, holder: Caller, permit: Json, key: ECKey | None = None) -> None:
        self.holder = holder
        self.number: str = permit["permit_number"]
        self.key = key or ECKey.generate_key("P-256", private=True)
        self.path = f"/v1/permits/{self.number}/electronic/display-codes"

    @property
    def thumbprint(self) -> str:
        return str(self.key.thumbprint())

    def claim(self) -> "Phone":
        answer = claim(self.holder, self.number, self.key)
        assert answer.status_code == 201, answer.text
        return self

    def revoke(self, other: "Phone") -> None:
        """Take another phone's right, or its own."""
        path = f"/v1/permits/{self.number}/electronic/device-revocations"
        answer = self.holder.post(path, {"device": other.thumbprint})
        assert answer.status_code == 200, answer.text

    def proof(self, header: Json | None = None, key: ECKey | None = None, **claims: Any) -> str:
        """Of a request for a code; whatever is given replaces what would be right, ``None`` leaves
        it out."""
        named = {"jwk": self.key.as_dict(private=False), **(header or {})}
        return proof_of(
            key or self.key, "POST", self.holder.url(self.path), self.holder.token, named, **claims
        )

    def ask(self, proof: str | None = None, challenge: str | None = None) -> httpx.Response:
        """For a code, whatever the answer is."""
        body = {"challenge": challenge} if challenge else {}
        return self.holder.post(self.path, body, dpop=proof or self.proof())

    def code(self, challenge: str | None = None) -> str:
        """A live one."""
        answer = self.ask(challenge=challenge)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["code"])
