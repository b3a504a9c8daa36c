"""How a claim shows that the claimant's face was compared (P19), and what of it counts.

Outside development mode the caller proves it: by a sign-in that has compared the face
(:mod:`api.sign_in.step_up`), or by an assertion, a JWT (``typ: face-match+jwt``) that the face
provider has signed for this claim:

=============  ==================================================================================
claim          value
=============  ==================================================================================
``iss, aud``   the configured provider; this service's audience
``sub``        the account, as the ``sub`` of the caller's token names it at its issuer
``nonce``      SHA-256 of the access token, base64url; for a session of the pages, of its
               ``X-CSRF-Token``. The same as ``ath`` of the request's DPoP proof
``cnf``        ``{"jkt": …}``, the thumbprint of ``device_key`` (RFC 7800)
``iat, exp``   at most 300 s old, and valid for at most 300 s
``jti``        up to 200 characters; used once
=============  ==================================================================================

An assertion is thus worth nothing to anyone without the session and the phone's key. It is good
for one claim at all API processes together, or a revoked phone could bind itself again with it. A
retry under the claim's ``Idempotency-Key`` may bring it again: it gets the first response.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from joserfc.jwk import KeySet

from api.http.jose import UNREADABLE, numeric_date
from api.http.problems import invalid_field
from api.http.tokens import (
    LEEWAY_S,
    BadToken,
    Principal,
    UnknownKey,
    bound_to,
    signed_claims,
    text_claim,
)
from api.sign_in.step_up import StepUp
from domain.device import FaceMatch, FaceMatchProof
from ledger.database.connections import translated_errors
from ledger.database.named_sql import Queries
from ledger.eventlog.idempotency import IdempotencyKey
from ledger.eventlog.reads import Pool

from .schemas import AssertedFaceMatchBody, FaceMatchBody

KIND: Final = "face-match+jwt"
AGE_MAX_S: Final = 300
KEPT = timedelta(minutes=15)
"""Longer than an assertion is accepted."""
TIDIED_MAX = 20

_sql = Queries("api", "sql/face_assertions.sql")


class BadAssertion(Exception):
    """The assertion is not valid for this claim. The message is fit for the caller."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim, as far as a face match is bound to it.

    ``nonce`` is the digest of the caller's credential, ``device`` the key's thumbprint, ``key``
    that of the request, if it has one.
    """

    caller: Principal
    nonce: str
    device: str
    key: IdempotencyKey | None


@dataclass(frozen=True, slots=True)
class FaceProvider:
    """Who compares faces; ``keys`` are its own, ``refresh`` fetches them again."""

    issuer: str
    audience: str
    keys: Callable[[], KeySet]
    refresh: Callable[[], Awaitable[bool]]

    async def verify(self, assertion: str, claimed: Claimed) -> FaceMatch:
        """
        Raises:
            BadAssertion: not by this provider, or not for this claim.
        """
        try:
            claims = await self._signed(assertion)
            issued_at = self._require_valid(claims, claimed)
            name = text_claim(claims, "jti")
        except BadToken as error:
            raise BadAssertion(str(error)) from None
        except UNREADABLE:
            raise BadAssertion("it is not a JWT that the face provider has signed") from None
        if name is None:
            raise BadAssertion("it has no jti")
        at = datetime.fromtimestamp(issued_at, UTC)
        return FaceMatch(self.issuer, None, True, FaceMatchProof.ASSERTION, name, at)

    async def _signed(self, assertion: str) -> Mapping[str, Any]:
        try:
            return signed_claims(assertion, self.keys(), kind=KIND)
        except UnknownKey:
            if await self.refresh():
                return signed_claims(assertion, self.keys(), kind=KIND)
            raise BadAssertion("no key of the face provider has signed it") from None

    def _require_valid(self, claims: Mapping[str, Any], claimed: Claimed) -> float:
        """
        Returns:
            When it was signed, POSIX time.

        Raises:
            BadAssertion, BadToken
        """
        audience, account = claims.get("aud"), claimed.caller.authentication.account
        if claims.get("iss") != self.issuer:
            raise BadAssertion("it is of another issuer")
        if self.audience not in (audience if isinstance(audience, list) else [audience]):
            raise BadAssertion("it is for another audience")
        if not account or claims.get("sub") != account:
            raise BadAssertion("its sub is not the account of the access token")
        if not hmac.compare_digest(str(claims.get("nonce")).encode(), claimed.nonce.encode()):
            raise BadAssertion("its nonce is not the digest of the access token")
        if bound_to(claims) != claimed.device:
            raise BadAssertion("its cnf.jkt is not the thumbprint of device_key")
        try:
            issued_at, until = (numeric_date(claims.get(name)) for name in ("iat", "exp"))
        except ValueError:
            raise BadAssertion("its iat and exp must be numbers of seconds") from None
        now = time.time()
        if not issued_at - LEEWAY_S <= now <= issued_at + AGE_MAX_S:
            raise BadAssertion(f"its iat is more than {AGE_MAX_S} s ago, or in the future")
        if not now < until <= issued_at + AGE_MAX_S:
            raise BadAssertion(f"it has expired, or is valid for more than {AGE_MAX_S} s")
        return issued_at


class UsedAssertions:
    """Borrows a connection of the pool for each assertion."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def use(self, match: FaceMatch, claimed: Claimed) -> None:
        """Use an assertion up.

        Raises:
            BadAssertion: another request has used it.
            Unavailable
        """
        assertion = hashlib.sha256(f"{match.provider}\0{match.reference}".encode()).digest()
        request = _digest_of(claimed.key)
        with translated_errors():
            async with self._pool.connection() as connection:
                stored = await connection.execute(
                    _sql.use,
                    {
                        "assertion_digest": assertion,
                        "request_digest": request,
                        "kept": KEPT,
                        "tidied_max": TIDIED_MAX,
                    },
                )
                if stored.rowcount == 1:
                    return
                found = await connection.execute(_sql.used_by, {"assertion_digest": assertion})
                row = await found.fetchone()
        if row is None or not hmac.compare_digest(bytes(row["request_digest"]), request):
            raise BadAssertion("it was used before")


class FaceMatches:
    """Decides what of a claim counts as a face match.

    ``accepts_unsigned``: in development mode the caller's word does; ``provider`` is ``None`` where
    assertions are not accepted.
    """

    def __init__(
        self,
        step_up: StepUp,
        provider: FaceProvider | None,
        used: UsedAssertions,
        *,
        accepts_unsigned: bool,
    ) -> None:
        self._step_up = step_up
        self._provider = provider
        self._used = used
        self._accepts_unsigned = accepts_unsigned

    async def of(
        self, given: FaceMatchBody | AssertedFaceMatchBody | None, claimed: Claimed
    ) -> FaceMatch | None:
        """Return the face match of a claim; ``None`` is for the rules to refuse.

        Raises:
            HttpProblem: 401 (RFC 9470), the caller proves none.
            RequestValidationError: it is not signed and has to be.
            Unavailable
        """
        if isinstance(given, AssertedFaceMatchBody):
            try:
                return await self._asserted(given.assertion, claimed)
            except BadAssertion as error:
                detail = f"The assertion of the face match is not valid: {error}."
                raise self._step_up.required(claimed.caller, detail) from None
        if given is not None:
            if self._accepts_unsigned:
                return given.face_match()
            reason = "a result that the face provider has not signed is not accepted"
            raise invalid_field(ValueError(reason), "face_match")
        match = self._step_up.face_match(claimed.caller.authentication)
        if match is None and not self._accepts_unsigned:
            raise self._step_up.required(
                claimed.caller,
                "A claim needs a sign-in that has compared the face, of the last five minutes:"
                " sign in again.",
            )
        return match

    async def _asserted(self, assertion: str, claimed: Claimed) -> FaceMatch:
        """
        Raises:
            BadAssertion, Unavailable
        """
        if self._provider is None:
            raise BadAssertion("this service has no face provider")
        match = await self._provider.verify(assertion, claimed)
        await self._used.use(match, claimed)
        return match


def _digest_of(key: IdempotencyKey | None) -> bytes:
    """Of a request that may be repeated; without a key no two requests are the same."""
    if key is None:
        return secrets.token_bytes(32)
    named = f"{key.caller}\0{key.key}\0".encode() + key.fingerprint
    return hashlib.sha256(named).digest()
