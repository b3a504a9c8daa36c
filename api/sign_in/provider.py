"""The OpenID provider: authorization code with PKCE (RFC 7636) as a confidential client.

The provider is asked when someone signs in, never at the start: while it is down, sessions that
exist go on. Everything that it answers is bounded and verified: the discovery document names the
issuer that was configured, and an ID token is signed by the provider's keys, for this client, and
for the sign-in that the browser began.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, cast
from urllib.parse import urlencode, urlsplit

import httpx2
import orjson
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc.jwk import KeySet

from api.http.dpop import AGE_MAX_S
from api.http.jose import UNREADABLE, numeric_date
from api.http.tokens import LEEWAY_S, BadToken, UnknownKey, signed_claims, text_claim

from .sessions import ProviderAccount

TIMEOUT_S = 8.0
"""For an answer as a whole."""
ANSWER_BYTES_MAX = 64 * 1024
METADATA_AGE_S = 5
"""Asked again with almost each sign-in, so that the page says it where the provider is down."""
FAILED_S = 2
"""After a failure it is not asked for so long, whatever number of strangers wants to sign in."""
KEYS_AGE_S = 300
SCOPE = "openid profile"
LOGOUT_AGE_MAX_S = AGE_MAX_S
"""As of a proof: logout tokens are remembered in the same way, for twice as long."""
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderUnavailable(Exception):
    """The provider does not answer, or not as OpenID Connect Discovery 1.0 says."""


class SignInRefused(Exception):
    """The provider has refused, or what it sent is not valid. ``code`` is for the page's words."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class Client:
    """This service as the provider knows it."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str


class Metadata(NamedTuple):
    """The provider's endpoints."""

    authorization: str
    token: str
    keys: str
    end_session: str | None


class Tokens(NamedTuple):
    """What an exchange has brought; ``claims`` are those of the ID token."""

    id_token: str
    claims: Mapping[str, Any]
    access_token: str


class Keys(Protocol):
    """A JWK Set at an address."""

    async def load(self) -> None: ...

    async def refresh(self) -> bool: ...

    def __call__(self) -> KeySet: ...


class Provider:
    """Belongs to one event loop. ``keys_at`` makes the key set of an address; ``failures`` are the
    errors by which that set says that it can't be fetched."""

    def __init__(
        self,
        client: Client,
        keys_at: Callable[[str], Keys],
        failures: tuple[type[Exception], ...],
    ) -> None:
        self._client = client
        self._keys_at = keys_at
        self._failures: tuple[type[Exception], ...] = (
            httpx2.HTTPError,
            httpx2.InvalidURL,
            OSError,
            OverflowError,
            *UNREADABLE,
            *failures,
        )
        self._tls = httpx2.create_ssl_context()  # tens of ms each time, which would block the loop
        self._known: tuple[float, Metadata] | None = None
        self._keys: tuple[float, str, Keys] | None = None
        self._reading: asyncio.Task[tuple[Metadata, Keys]] | None = None
        self._not_before = -math.inf

    @property
    def issuer(self) -> str:
        return self._client.issuer

    async def address(
        self, *, state: str, nonce: str, verifier: str, more: Mapping[str, str] | None = None
    ) -> str:
        """The provider's address that the browser is sent to, with the parameters in ``more``.

        Raises:
            ProviderUnavailable
        """
        metadata, _ = await self._metadata()
        async with self._http() as http:
            address, _ = http.create_authorization_url(
                metadata.authorization,
                state=state,
                nonce=nonce,
                code_verifier=verifier,
                **(more or {}),
            )
        return str(address)

    async def exchange(self, code: str, *, nonce: str, verifier: str) -> Tokens:
        """Exchange the code that the browser came back with.

        Raises:
            ProviderUnavailable
            SignInRefused
        """
        metadata, keys = await self._metadata()
        try:
            async with asyncio.timeout(TIMEOUT_S), self._http() as http:
                found = await http.fetch_token(
                    metadata.token,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=verifier,
                )
        except OAuthError as error:
            raise SignInRefused(_code_of(error)) from None
        except self._failures as error:
            raise ProviderUnavailable(type(error).__name__) from None
        id_token, access_token = found.get("id_token"), found.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise SignInRefused("invalid_answer")
        claims = await self._verified(id_token, keys)
        own = str(claims.get("nonce")).encode(errors="replace")
        if not hmac.compare_digest(own, nonce.encode()) or _text(claims, "sub") is None:
            raise SignInRefused("invalid_answer")
        return Tokens(id_token, claims, access_token)

    async def end_session_address(self, id_token: str | None, back_to: str) -> str | None:
        """The address at which the provider's own session ends (RP-initiated logout), if it has
        one. Without an ID token as a hint the provider asks whether to end it.

        Raises:
            ProviderUnavailable
        """
        metadata, _ = await self._metadata()
        if metadata.end_session is None:
            return None
        hint = {} if id_token is None else {"id_token_hint": id_token}
        own = {"client_id": self._client.client_id, "post_logout_redirect_uri": back_to}
        query = urlencode(hint | own)
        separator = "&" if urlsplit(metadata.end_session).query else "?"
        return f"{metadata.end_session}{separator}{query}"

    async def ended(self, logout_token: str) -> tuple[ProviderAccount, str]:
        """Verify a logout token (OpenID Connect Back-Channel Logout 1.0 §2.6).

        Returns:
            Whose sessions have ended, and the token's ``jti``.

        Raises:
            ProviderUnavailable
            SignInRefused: it is not valid.
        """
        _, keys = await self._metadata()
        claims = await self._verified(logout_token, keys, needs_expiry=False)
        events = claims.get("events")
        subject, session, token_id = (_text(claims, name) for name in ("sub", "sid", "jti"))
        is_valid = (
            isinstance(events, Mapping)
            and isinstance(events.get(LOGOUT_EVENT), Mapping)
            and "nonce" not in claims
            and (subject is not None or session is not None)
            and abs(time.time() - numeric_date(claims.get("iat"))) <= LOGOUT_AGE_MAX_S
        )
        if not is_valid or token_id is None:
            raise SignInRefused("invalid_answer")
        return ProviderAccount(subject or "", session), token_id

    async def _verified(
        self, token: str, keys: Keys, *, needs_expiry: bool = True
    ) -> Mapping[str, Any]:
        """Verify an ID token or a logout token (OpenID Connect Core 1.0 §3.1.3.7)."""
        try:
            try:
                claims = signed_claims(token, keys())
            except UnknownKey:
                if not await keys.refresh():
                    raise
                claims = signed_claims(token, keys())
            self._require_ours(claims, needs_expiry=needs_expiry)
        except (BadToken, *UNREADABLE):
            raise SignInRefused("invalid_answer") from None
        return claims

    def _require_ours(self, claims: Mapping[str, Any], *, needs_expiry: bool) -> None:
        audience, own = claims.get("aud"), self._client.client_id
        audiences = audience if isinstance(audience, list) else [audience]
        now = time.time()
        if claims.get("iss") != self._client.issuer:
            raise BadToken("it is of another issuer")
        if own not in audiences or (len(audiences) > 1 and claims.get("azp") != own):
            raise BadToken("it is for another client")
        if claims.get("azp", own) != own:
            raise BadToken("it was issued to another client")
        is_dated = needs_expiry or "exp" in claims
        if is_dated and numeric_date(claims.get("exp")) + LEEWAY_S <= now:
            raise BadToken("it has expired")
        if numeric_date(claims.get("iat")) - LEEWAY_S > now:
            raise BadToken("it is from the future")

    async def _metadata(self) -> tuple[Metadata, Keys]:
        """Share the reading that is under way, or begin one; it goes on if a caller is cancelled.

        Raises:
            ProviderUnavailable
        """
        if self._reading is None:
            if time.monotonic() < self._not_before:
                raise ProviderUnavailable("it failed a moment ago")
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(self._has_read)
        return await asyncio.shield(self._reading)

    def _has_read(self, reading: asyncio.Task[tuple[Metadata, Keys]]) -> None:
        self._reading = None
        if not reading.cancelled() and reading.exception() is not None:
            self._not_before = time.monotonic() + FAILED_S

    async def _read(self) -> tuple[Metadata, Keys]:
        now = time.monotonic()
        try:
            if self._known is None or now - self._known[0] > METADATA_AGE_S:
                found = _metadata_of(await self._discovered(), self._client.issuer)
                self._known = now, found
            metadata = self._known[1]
            return metadata, await self._fresh_keys(metadata.keys, now)
        except self._failures as error:
            raise ProviderUnavailable(type(error).__name__) from None

    async def _fresh_keys(self, address: str, now: float) -> Keys:
        if self._keys is None or self._keys[1] != address:
            self._keys = -math.inf, address, self._keys_at(address)
        loaded_at, _, keys = self._keys
        if now - loaded_at > KEYS_AGE_S:
            await keys.load()
            self._keys = now, address, keys
        return keys

    async def _discovered(self) -> bytes:
        address = f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration"
        async with (
            asyncio.timeout(TIMEOUT_S),
            httpx2.AsyncClient(timeout=TIMEOUT_S, verify=self._tls, event_hooks=_BOUNDED) as http,
        ):
            return (await http.get(address)).raise_for_status().content

    def _http(self) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            client_id=self._client.client_id,
            client_secret=self._client.client_secret,
            redirect_uri=self._client.redirect_uri,
            scope=SCOPE,
            code_challenge_method="S256",
            timeout=TIMEOUT_S,
            verify=self._tls,
            event_hooks=_BOUNDED,
        )


class _Bounded(httpx2.AsyncByteStream):
    """An answer's body, which ends with an error where it is too large."""

    def __init__(self, body: httpx2.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        taken = 0
        async for part in self._body:
            taken += len(part)
            if taken > ANSWER_BYTES_MAX:
                raise httpx2.DecodingError("it is too large")
            yield part

    async def aclose(self) -> None:
        await self._body.aclose()


async def _ask_unpacked(request: httpx2.Request) -> None:
    request.headers["Accept-Encoding"] = "identity"


async def _bound(answer: httpx2.Response) -> None:
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise httpx2.DecodingError("it is packed, although that was not asked for")
    answer.stream = _Bounded(cast("httpx2.AsyncByteStream", answer.stream))


_BOUNDED: Final[dict[str, list[Callable[..., Any]]]] = {
    "request": [_ask_unpacked],
    "response": [_bound],
}


def _metadata_of(content: bytes, issuer: str) -> Metadata:
    """
    Raises:
        ValueError: it is not the metadata of this issuer.
    """
    document = orjson.loads(content)
    if not isinstance(document, dict) or document.get("issuer") != issuer:
        raise ValueError("the metadata name another issuer")
    found = {name: document.get(name) for name in (*_ENDPOINTS, "end_session_endpoint")}
    is_secure = issuer.startswith("https://")
    for name, address in found.items():
        if address is None and name not in _ENDPOINTS:
            continue
        schemes = ("https",) if is_secure else ("https", "http")
        url = urlsplit(address) if isinstance(address, str) else None
        if url is None or url.scheme not in schemes or not url.hostname:
            raise ValueError(f"the metadata have no usable {name}")
    authorization, token, keys = (str(found[name]) for name in _ENDPOINTS)
    return Metadata(authorization, token, keys, found["end_session_endpoint"])


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    """
    Raises:
        SignInRefused: it is not a short text of printable characters.
    """
    try:
        return text_claim(claims, name)
    except BadToken:
        raise SignInRefused("invalid_answer") from None


def _code_of(error: OAuthError) -> str:
    """The error of RFC 6749 §4.1.2.1 that a page has words for."""
    return "access_denied" if error.error == "access_denied" else "refused"
