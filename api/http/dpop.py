"""Proof of possession (RFC 9449): the caller proves, for this request, that it holds a key.

Two keys may be required: the one that the access token is bound to (``cnf.jkt``), by
:mod:`api.http.security` with every request; and the phone's, for a live code. A request has one
proof, so where both are required they are the same key.

Proofs are dated by the machine's clock, as tokens are (ADR 3). A second use is refused by
:class:`SeenProofs` for a token's key, and for a live code by the transaction that makes it.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from joserfc import jws
from joserfc.jwk import ECKey
from starlette.requests import HTTPConnection
from starlette.types import Scope

from domain.text import unseen
from ledger.errors import Unavailable

from .jose import PRIVATE_MEMBERS, UNREADABLE, Registry, base64url, header_of, numeric_date
from .problems import HttpProblem

TYPE: Final = "dpop+jwt"
ALGORITHM: Final = "ES256"
AGE_MAX_S = 60
PROOF_LENGTH_MAX = 4096
PROOF_ID_LENGTH_MAX = 256
SEEN_MAX = 200_000
"""About 40 MB; more than a process can verify within :data:`SEEN_S`."""
SEEN_S = 2 * AGE_MAX_S
"""For so long a proof could be sent again: its ``iat`` may be ahead as far as behind."""

_REGISTRY: Final = Registry([ALGORITHM])
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


class BadProof(Exception):
    """The proof is not valid. The message is fit for the caller."""


@dataclass(frozen=True, slots=True)
class Proof:
    """``device`` is the key's thumbprint (RFC 7638), ``proof_id`` the proof's ``jti``."""

    device: str
    proof_id: str


class SeenProofs:
    """Remembers used proofs for as long as they could be sent again (RFC 9449 §11.1).

    Belongs to one process and one event loop. Bounded: when it is full, no proof is accepted."""

    def __init__(self, seen_max: int = SEEN_MAX) -> None:
        self._seen_max = seen_max
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def spend(self, proof: Proof, now: float | None = None) -> None:
        """Use a proof up.

        Raises:
            BadProof: it was used before.
            Unavailable: too many are remembered.
        """
        now = time.monotonic() if now is None else now
        while self._seen and next(iter(self._seen.values())) <= now:
            self._seen.popitem(last=False)
        digest = _digest(proof)
        if digest in self._seen:
            raise BadProof("it was used before")
        if len(self._seen) >= self._seen_max:
            raise Unavailable("Too many proofs are in use: try again later.")
        self._seen[digest] = now + SEEN_S

    def forget(self, proof: Proof) -> None:
        """Let a proof be used again, where what it was for has failed."""
        self._seen.pop(_digest(proof), None)

    def __len__(self) -> int:
        return len(self._seen)


def _digest(proof: Proof) -> bytes:
    return hashlib.sha256(f"{proof.device} {proof.proof_id}".encode()).digest()[:16]


def verify(proof: str, *, method: str, url: str, token: str, now: float | None = None) -> Proof:
    """Verify that a proof is for this request.

    Args:
        url: Of the request as the caller knows it, without query.

    Raises:
        BadProof: malformed, signed by another key, for another request or token, or not of this
            minute (RFC 9449 §4.3).
    """
    if len(proof) > PROOF_LENGTH_MAX:
        raise BadProof("the proof is too long")
    try:
        key = _public_key(header_of(proof, _REGISTRY))
        claims = orjson.loads(jws.deserialize_compact(proof, key, registry=_REGISTRY).payload)
    except UNREADABLE:
        raise BadProof("it is not a JWT signed with ES256 by the key in its header") from None
    if not isinstance(claims, dict):
        raise BadProof("its claims are not an object")
    _require_this_request(claims, method, url, token)
    if abs((time.time() if now is None else now) - _issued_at(claims)) > AGE_MAX_S:
        raise BadProof(f"iat differs by more than {AGE_MAX_S} s")
    proof_id = claims.get("jti")
    if not (isinstance(proof_id, str) and 0 < len(proof_id) <= PROOF_ID_LENGTH_MAX):
        raise BadProof(f"jti must be a text of at most {PROOF_ID_LENGTH_MAX} characters")
    if unseen(proof_id):
        raise BadProof("jti must be printable")
    return Proof(key.thumbprint(), proof_id)


def of_request(scope: Scope, *, origin: str, token: str) -> Proof:
    """Verify the request's proof; ``origin`` is the service's address for callers.

    Raises:
        BadProof: there is none, or more than one, or it is not valid.
    """
    found: Sequence[bytes] = [value for name, value in scope["headers"] if name == b"dpop"]
    if len(found) != 1:
        raise BadProof("one DPoP header is required")
    is_head = scope.get("state", {}).get("is_head")  # answered as a GET, signed as a HEAD
    return verify(
        found[0].decode("latin-1"),
        method="HEAD" if is_head else scope["method"],
        url=f"{origin}{_path(scope)}",
        token=token,
    )


def required(connection: HTTPConnection, *, origin: str, token: str) -> Proof:
    """Verify the request's proof on behalf of an endpoint.

    Raises:
        HttpProblem: 401.
    """
    try:
        return of_request(connection.scope, origin=origin, token=token)
    except BadProof as error:
        raise refused(f"Invalid proof of the device's key: {error}.") from None


def refused(detail: str) -> HttpProblem:
    """Make the 401 of RFC 9449 §7.1."""
    return HttpProblem(
        401, "UNAUTHENTICATED", detail, {"WWW-Authenticate": challenge("invalid_dpop_proof")}
    )


def challenge(error: str | None = None) -> str:
    """Make the ``WWW-Authenticate`` challenge of this scheme."""
    return f'DPoP error="{error}", algs="{ALGORITHM}"' if error else f'DPoP algs="{ALGORITHM}"'


def digest_of(token: str) -> str:
    """Return ``ath`` (RFC 9449 §4.2)."""
    return base64url(hashlib.sha256(token.encode()).digest())


def _path(scope: Scope) -> str:
    """Return the path as it was sent, still percent-encoded."""
    raw: bytes | None = scope.get("raw_path")
    return raw.decode("latin-1") if raw else str(scope["path"])


def _public_key(header: Mapping[str, Any]) -> ECKey:
    key = header["jwk"]
    if header.get("typ") != TYPE:
        raise ValueError("another type")
    if not isinstance(key, dict) or PRIVATE_MEMBERS & key.keys():
        raise ValueError("no public key")
    if (key["kty"], key["crv"]) != ("EC", "P-256"):  # joserfc takes any kty for the class's own
        raise ValueError("no key on P-256")
    return ECKey.import_key({name: key[name] for name in ("kty", "crv", "x", "y")})


def _require_this_request(claims: Mapping[str, Any], method: str, url: str, token: str) -> None:
    if claims.get("htm") != method:
        raise BadProof("htm does not match the method")
    target = claims.get("htu")
    if not isinstance(target, str) or _normal(target) != _normal(url):
        raise BadProof("htu does not match the address")
    if claims.get("ath") != digest_of(token):
        raise BadProof("ath does not match the token")


def _normal(url: str) -> tuple[str, str, int | None, str] | None:
    """Normalize to scheme, host, port and path (RFC 3986 §6.2.2, §6.2.3), without query and
    fragment (RFC 9449 §4.3)."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or parts.username is not None:
        return None
    return parts.scheme, parts.hostname, port, _PERCENT.sub(_decoded, parts.path) or "/"


def _decoded(encoded: re.Match[str]) -> str:
    """Decode unreserved characters; write other escapes in upper case."""
    character = chr(int(encoded[1], 16))
    return character if _UNRESERVED.fullmatch(character) else encoded[0].upper()


def _issued_at(claims: Mapping[str, Any]) -> float:
    try:
        return numeric_date(claims.get("iat"))
    except ValueError:
        raise BadProof("iat must be a number of seconds") from None
