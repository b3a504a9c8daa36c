"""Bearer tokens: JWTs of the issuer that this service trusts, checked against its JWKS."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

ALGORITHMS: Final = ["ES256", "EdDSA", "Ed25519", "RS256", "PS256"]
LEEWAY_S = 30
TOKEN_LENGTH_MAX = 8192
CLAIM_LENGTH_MAX = 200
KNOWN_MAX = 10_000
"""Tokens that are remembered; then all of them are forgotten."""


class BadToken(Exception):
    """The token can't be trusted; the message says why, fit for the caller."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, as the issuer says."""

    subject: str
    scopes: frozenset[str]
    station: str | None = None
    scenarios: frozenset[str] = frozenset()
    case: str | None = None


class TokenVerifier:
    """``keys`` is asked for every token, so that the issuer may rotate.

    A token that was good is good until it expires, as long as the keys are the same; it is known
    by its digest, so that none lies in memory. Belongs to one event loop.
    """

    def __init__(self, keys: Callable[[], KeySet], *, issuer: str, audience: str) -> None:
        self._keys = keys
        self._known: dict[bytes, tuple[float, Principal]] = {}
        self._known_by: KeySet | None = None
        self._claims = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
        )

    def verify(self, token: str) -> Principal:
        """
        Raises:
            BadToken: malformed, signed by nobody we know, expired, or for somebody else.
        """
        if len(token) > TOKEN_LENGTH_MAX:
            raise BadToken("the token is too long")
        keys = self._keys()
        if keys is not self._known_by or len(self._known) >= KNOWN_MAX:
            self._known, self._known_by = {}, keys
        digest = hashlib.sha256(token.encode(errors="replace")).digest()
        until, caller = self._known.get(digest, (0.0, None))
        if caller is None or time.time() >= until:
            caller, expires_at = self._verified(token, keys)
            self._known[digest] = (expires_at, caller)
        return caller

    def _verified(self, token: str, keys: KeySet) -> tuple[Principal, float]:
        """The caller, and until when that need not be asked again."""
        try:
            decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
            self._claims.validate(decoded.claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise BadToken("the token is not valid here, or no longer") from error
        return _principal(decoded.claims), float(decoded.claims["exp"])


def _principal(claims: dict[str, Any]) -> Principal:
    scenarios = claims.get("scenarios") or []
    if not isinstance(scenarios, list) or not all(isinstance(s, str) for s in scenarios):
        raise BadToken("the claim 'scenarios' is a list of names")
    return Principal(
        subject=_text(claims, "sub") or "",
        scopes=frozenset((_text(claims, "scope") or "").split()),
        station=_text(claims, "station"),
        scenarios=frozenset(scenarios),
        case=_text(claims, "case"),
    )


def _text(claims: dict[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is not None and not (
        isinstance(value, str) and 0 < len(value) <= CLAIM_LENGTH_MAX and value.isprintable()
    ):
        raise BadToken(f"the claim '{name}' is a text of at most {CLAIM_LENGTH_MAX} characters")
    return value
