"""Access tokens: JWTs of the trusted issuer, verified with its JWKS."""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeGuard

from joserfc import jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import Key, KeySet

from domain.text import unseen

from .jose import UNREADABLE, Registry, header_of, numeric_date

ALGORITHMS: Final = ["ES256", "EdDSA", "Ed25519", "RS256", "PS256"]
LEEWAY_S = 30
TOKEN_LENGTH_MAX = 8192
CLAIM_LENGTH_MAX = 200
AMR_MAX = 50
KEYS_TRIED_MAX = 8
"""Candidates for a token that names no key."""
KNOWN_MAX = 10_000
"""Tokens that are remembered; beyond that, all are dropped."""

_REGISTRY: Final = Registry(ALGORITHMS)
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


class BadToken(Exception):
    """The token is not valid. The message is fit for the caller."""


class UnknownKey(BadToken):
    """No known key of the issuer has signed the token. There may be a new one, even under the name
    of an old one."""


@dataclass(frozen=True, slots=True)
class Authentication:
    """How and when the account has signed in, as the issuer states it (OpenID Connect Core 1.0 §2,
    RFC 9470 §6).

    ``account`` is the issuer's own ``sub``, ``at`` the ``auth_time``, POSIX time. What is malformed
    counts as missing.
    """

    issuer: str = ""
    account: str = ""
    acr: str | None = None
    amr: tuple[str, ...] = ()
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller, by the token's claims.

    ``bound_to`` is the thumbprint of the key that the token is bound to (RFC 9449 §6.1): the token
    is accepted only with a DPoP proof by that key. ``expires_at`` is POSIX time. ``citizen_index``
    is the blind index of the citizen number by which a holder was found, in hex; ``None`` where the
    token names the holder.
    """

    subject: str
    scopes: frozenset[str]
    station: str | None = None
    scenarios: frozenset[str] = frozenset()
    case: str | None = None
    bound_to: str | None = None
    expires_at: float = math.inf
    authentication: Authentication = Authentication()
    citizen_index: str | None = None


class HolderLookup(Protocol):
    """Says whether the number that has led to a holder is still that holder's."""

    async def is_current(self, caller: Principal, *, at_once: bool = False) -> bool: ...


class TokenVerifier:
    """Verifies tokens, and remembers valid ones until they expire or the keys change.

    Tokens are remembered by their digests, so that none is kept in memory. Belongs to one event
    loop.
    """

    def __init__(
        self,
        keys: Callable[[], KeySet],
        *,
        issuer: str,
        audience: str,
        refresh: Callable[[], Awaitable[bool]] | None = None,
        principal_of: Callable[[Mapping[str, Any]], Awaitable[Principal]] | None = None,
    ) -> None:
        """
        Args:
            keys: Called for each token, so that the issuer's keys can be rotated.
            refresh: Fetches the issuer's keys; returns whether they have changed.
            principal_of: Reads verified claims, where they have other names than here. It may raise
                :class:`BadToken`.
        """
        self._keys = keys
        self._refresh = refresh
        self._principal_of = principal_of
        self._known: dict[bytes, tuple[float, Principal]] = {}
        self._known_by: KeySet | None = None
        self._claims = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
        )

    async def principal(self, token: str) -> Principal:
        """Verify a token; where no key fits it, fetch the issuer's keys first.

        Raises:
            BadToken
        """
        keys = self._keys()
        if keys is not self._known_by or len(self._known) >= KNOWN_MAX:
            self._known, self._known_by = {}, keys
        digest = hashlib.sha256(token.encode(errors="replace")).digest()
        until, caller = self._known.get(digest, (0.0, None))
        if caller is None or time.time() >= until:
            claims = await self.claims(token)
            caller = await self._principal_of(claims) if self._principal_of else _principal(claims)
            # The keys may have changed meanwhile, and what is remembered is by those of now.
            if self._keys() is keys is self._known_by:
                self._known[digest] = (caller.expires_at, caller)
        return caller

    async def claims(self, token: str) -> dict[str, Any]:
        """Verify a token and return its claims; nothing is remembered.

        Raises:
            BadToken: malformed, signed by an unknown key, expired, or for another service.
        """
        try:
            return self._verified(token, self._keys())
        except UnknownKey:
            if self._refresh is None or not await self._refresh():
                raise
        return self._verified(token, self._keys())

    @property
    def remembered(self) -> int:
        """The number of tokens that are remembered."""
        return len(self._known)

    def _verified(self, token: str, keys: KeySet) -> dict[str, Any]:
        try:
            claims = signed_claims(token, keys)
            self._claims.validate(claims)
            for name in {"exp", "nbf", "iat"} & claims.keys():
                numeric_date(claims[name])
        except UNREADABLE as error:
            raise BadToken("the token is invalid or expired") from error
        return claims


def signed_claims(token: str, keys: KeySet, *, kind: str | None = None) -> dict[str, Any]:
    """Verify the signature of a token and return its claims, which are not verified.

    With ``kind``, the header's ``typ`` must be it (RFC 8725 §3.11).

    Raises:
        UnknownKey, BadToken, UNREADABLE
    """
    if len(token) > TOKEN_LENGTH_MAX:
        raise BadToken("the token is too long")
    header = header_of(token, _REGISTRY)
    if kind is not None and header.get("typ") != kind:
        raise BadToken(f"its typ is not {kind}")
    for key in _candidates(keys, header):
        with suppress(BadSignatureError):
            return jwt.decode(token, key, registry=_REGISTRY).claims
    raise UnknownKey("the token is signed by an unknown key")


def _candidates(keys: KeySet, header: dict[str, Any]) -> list[Key]:
    """Return the keys that may have signed: those with the header's name, of which there may be
    several (RFC 7517 §4.5), else those without a name; all, if the header has no name."""
    fitting = [key for key in keys if _fits(key, header["alg"])]
    if (name := header.get("kid")) is None:
        return fitting[:KEYS_TRIED_MAX]
    named = [key for key in fitting if key.kid == name]
    return (named or [key for key in fitting if key.kid == key.thumbprint()])[:KEYS_TRIED_MAX]


def _fits(key: Key, algorithm: str) -> bool:
    try:
        _REGISTRY.get_alg(algorithm).check_key(key)
        key.check_use("sig")
        key.check_alg(algorithm)
    except JoseError:
        return False
    return True


def _principal(claims: dict[str, Any]) -> Principal:
    scenarios = claims.get("scenarios") or []
    if not isinstance(scenarios, list) or not all(isinstance(s, str) for s in scenarios):
        raise BadToken("the claim 'scenarios' must be a list of names")
    return Principal(
        subject=text_claim(claims, "sub") or "",
        scopes=_scopes(claims.get("scope")),
        station=text_claim(claims, "station"),
        scenarios=frozenset(scenarios),
        case=text_claim(claims, "case"),
        bound_to=bound_to(claims),
        expires_at=float(claims["exp"]),
        authentication=authentication_of(claims),
    )


def authentication_of(claims: Mapping[str, Any]) -> Authentication:
    """Read how the account has signed in, in verified claims."""
    acr, amr, account = (claims.get(name) for name in ("acr", "amr", "sub"))
    at = None
    with suppress(ValueError):
        at = numeric_date(claims.get("auth_time"))
    return Authentication(
        issuer=str(claims.get("iss", "")),
        account=account if isinstance(account, str) else "",
        acr=acr if _is_name(acr) else None,
        amr=tuple(filter(_is_name, amr[:AMR_MAX])) if isinstance(amr, list) else (),
        at=at,
    )


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= CLAIM_LENGTH_MAX and unseen(value) is None


def _scopes(value: object) -> frozenset[str]:
    """Read names separated by spaces (RFC 8693 §4.2), or a list of such texts, as some issuers send
    it. ``scp``, one vendor's name for the claim, is not read."""
    texts: list[Any] = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(text, str) and unseen(text) is None for text in texts):
        raise BadToken("the claim 'scope' must be a text, or a list of texts")
    return frozenset(name for text in texts for name in text.split(" ") if name)


def bound_to(claims: Mapping[str, Any]) -> str | None:
    """Read the key that the token is bound to.

    Other confirmation methods (RFC 7800 §3.1), such as a client certificate (RFC 8705), are not
    supported: the token is refused.

    Raises:
        BadToken
    """
    if "cnf" not in claims:
        return None
    confirmation = claims["cnf"]
    thumbprint = confirmation.get("jkt") if isinstance(confirmation, dict) else None
    if not (isinstance(thumbprint, str) and _THUMBPRINT.fullmatch(thumbprint)):
        raise BadToken("the token is bound to a key in a way that is not supported")
    return thumbprint


def text_claim(claims: Mapping[str, Any], name: str) -> str | None:
    """
    Raises:
        BadToken: it is not a short text of printable characters.
    """
    value = claims.get(name)
    if value is not None and not (
        isinstance(value, str) and 0 < len(value) <= CLAIM_LENGTH_MAX and unseen(value) is None
    ):
        raise BadToken(
            f"the claim '{name}' must be a text of at most {CLAIM_LENGTH_MAX} characters"
        )
    return value
