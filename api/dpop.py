"""Proof of possession (RFC 9449): a phone shows that it holds the key that the permit is bound to.

Proofs live by the machine's clock, as tokens do (ADR 3). That none is heard twice is for whoever
acts on it to see to, in the transaction of the act.
"""

from __future__ import annotations

import hashlib
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from fastapi import Request
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from .problems import HttpProblem

TYPE: Final = "dpop+jwt"
ALGORITHM: Final = "ES256"
AGE_MAX_S = 60
INSTANT_MAX_S = 2**40
PROOF_LENGTH_MAX = 4096
PROOF_ID_LENGTH_MAX = 256
_DEFAULT_PORTS = {"http": 80, "https": 443}


class BadProof(Exception):
    """The proof proves nothing; the message says why, fit for the caller."""


@dataclass(frozen=True, slots=True)
class Proof:
    """``device`` is the thumbprint of the key (RFC 7638), ``proof_id`` what the key's owner calls
    this proof."""

    device: str
    proof_id: str


def verify(proof: str, *, method: str, url: str, token: str, now: float | None = None) -> Proof:
    """Of this very request: ``url`` is what the caller knows it by, without query.

    Raises:
        BadProof: malformed, another key's signature, for another request, or not of this minute.
    """
    if len(proof) > PROOF_LENGTH_MAX:
        raise BadProof("the proof is too long")
    try:
        header = jws.extract_compact(proof.encode()).headers()
        key = _device_key(header)
        claims = orjson.loads(jws.deserialize_compact(proof, key, algorithms=[ALGORITHM]).payload)
    except (JoseError, ValueError, TypeError, KeyError):
        raise BadProof("it is no JWT that its own key has signed with ES256") from None
    if not isinstance(claims, dict):
        raise BadProof("its claims are no object")
    _require_this_request(claims, method, url, token)
    if abs((time.time() if now is None else now) - _issued_at(claims)) > AGE_MAX_S:
        raise BadProof(f"iat is more than {AGE_MAX_S} s off")
    proof_id = claims.get("jti")
    if not (isinstance(proof_id, str) and 0 < len(proof_id) <= PROOF_ID_LENGTH_MAX):
        raise BadProof(f"jti is a text of at most {PROOF_ID_LENGTH_MAX} characters")
    if not proof_id.isprintable():
        raise BadProof("jti is printable")
    return Proof(key.thumbprint(), proof_id)


def required(request: Request, *, origin: str) -> Proof:
    """The proof that a request comes with; ``origin`` is where callers find us.

    Raises:
        HttpProblem: 401 where there is none, more than one, or it is no good.
    """
    found = request.headers.getlist("dpop")
    try:
        if len(found) != 1:
            raise BadProof("one DPoP header is required")
        token = request.headers.get("authorization", "").partition(" ")[2]
        url = f"{origin}{request.url.path}"
        return verify(found[0], method=request.method, url=url, token=token)
    except BadProof as error:
        raise refused(f"No proof of the device's key: {error}.") from None


def refused(detail: str) -> HttpProblem:
    """401 as RFC 9449 §7.1 has it."""
    challenge = f'DPoP error="invalid_dpop_proof", algs="{ALGORITHM}"'
    return HttpProblem(401, "UNAUTHENTICATED", detail, {"WWW-Authenticate": challenge})


def _device_key(header: Mapping[str, Any]) -> ECKey:
    key = header["jwk"]
    if header.get("typ") != TYPE or header.get("alg") != ALGORITHM or "crit" in header:
        raise ValueError("another type")
    if not isinstance(key, dict) or key.get("crv") != "P-256" or "d" in key:
        raise ValueError("no public key on P-256")
    return ECKey.import_key({name: key[name] for name in ("kty", "crv", "x", "y")})


def _require_this_request(claims: Mapping[str, Any], method: str, url: str, token: str) -> None:
    if claims.get("htm") != method:
        raise BadProof("htm is another method")
    target = claims.get("htu")
    if not isinstance(target, str) or _normal(target) != _normal(url):
        raise BadProof("htu is another address")
    if "ath" in claims:
        digest = urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
        if claims["ath"] != digest:
            raise BadProof("ath is another token's")


def _normal(url: str) -> tuple[str, str, int | None, str] | None:
    """Scheme, host, port, path; without query and fragment (RFC 9449 §4.3)."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or parts.username is not None:
        return None
    return parts.scheme, parts.hostname, port, parts.path


def _issued_at(claims: Mapping[str, Any]) -> float:
    value = claims.get("iat")
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > INSTANT_MAX_S:
        raise BadProof("iat is a number of seconds")
    return float(value)
