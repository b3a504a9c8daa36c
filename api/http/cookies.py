"""Sessions of pages: the cookie, and what keeps other origins from using it.

The cookie is sent by a browser whatever page asks, so a request with it is answered only if the
page that asks is ours: by ``Sec-Fetch-Site`` where the browser says it, and for writes also by
``Origin`` and by a header with the session's token, which a page of another origin can't know. The
token takes the access token's place in the ``ath`` of DPoP proofs as well.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Protocol

from starlette.types import Scope as AsgiScope

from .problems import HttpProblem
from .tokens import Principal

COOKIE = "__Host-permit-ledger"
CSRF_HEADER = "X-CSRF-Token"
COOKIES_LENGTH_MAX = 4096
_SAFE = {"GET", "HEAD", "OPTIONS"}
_OWN_SITES = {"same-origin", "none"}


class SignedIn(Protocol):
    """What a session says of its caller."""

    @property
    def principal(self) -> Principal: ...

    @property
    def csrf_token(self) -> str: ...


class SessionLookup(Protocol):
    """Finds the session of a cookie."""

    async def of(self, identifier: str, *, is_use: bool = True) -> SignedIn | None: ...


def is_used(scope: AsgiScope) -> bool:
    """Whether the request comes with a session's cookie, and without ``Authorization``, which goes
    first."""
    names = {name for name, _ in scope["headers"]}
    return b"authorization" not in names and cookie_of(scope, COOKIE) is not None


def cookie_of(scope: AsgiScope, name: str) -> str | None:
    """The value of a cookie; ``None`` without it, and where it comes more than once."""
    pairs = [
        pair.partition("=")
        for line in _headers(scope, b"cookie")
        for pair in line[:COOKIES_LENGTH_MAX].split(";")
    ]
    found = [value.strip() for key, _, value in pairs if key.strip() == name]
    return found[0] if len(found) == 1 and found[0] else None


def csrf_token(scope: AsgiScope) -> str:
    """The token that the page has sent, or an empty text."""
    return next(_headers(scope, CSRF_HEADER.lower().encode()), "")


async def signed_in(
    scope: AsgiScope, sessions: SessionLookup, origin: str, *, is_use: bool = True
) -> Principal:
    """Authenticate the caller by the session's cookie. The request prolongs the session if it
    ``is_use``; a page sends some by itself.

    Raises:
        HttpProblem: 401 without a session that goes on; 403 where another origin asks.
        Unavailable
    """
    session = await sessions.of(cookie_of(scope, COOKIE) or "", is_use=is_use)
    if session is None:
        raise HttpProblem(
            401,
            "UNAUTHENTICATED",
            "The session has ended: sign in again.",
            {"WWW-Authenticate": "Bearer"},
        )
    require_own_page(scope, session, origin)
    return session.principal


async def goes_on(scope: AsgiScope, sessions: SessionLookup) -> bool:
    """Whether the session of a request that was answered before still goes on; this prolongs it
    not.

    Raises:
        Unavailable
    """
    return await sessions.of(cookie_of(scope, COOKIE) or "", is_use=False) is not None


def require_own_page(scope: AsgiScope, session: SignedIn, origin: str) -> None:
    """
    Raises:
        HttpProblem: 403; the request comes from a page of another origin.
    """
    site = next(_headers(scope, b"sec-fetch-site"), None)
    is_own = site is None or site in _OWN_SITES
    if scope["method"] not in _SAFE:
        given = list(_headers(scope, b"origin"))
        is_own = (
            site in (None, "same-origin")
            and given == [origin]
            and hmac.compare_digest(csrf_token(scope).encode(), session.csrf_token.encode())
        )
    if not is_own:
        raise HttpProblem(
            403, "FORBIDDEN", "The request does not come from a page of this service."
        )


def _headers(scope: AsgiScope, name: bytes) -> Iterator[str]:
    return (value.decode("latin-1") for key, value in scope["headers"] if key == name)
