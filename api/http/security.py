"""Authentication and authorization: an access token with the right scope, on all non-public paths.

The same for dependencies, live streams and the audit. A token is sent
as a bearer token (RFC 6750 §2.1), or with a proof of the key that it is bound to (RFC 9449 §7.1):

========================  ====================  ============================================
token                     ``Authorization``     result
========================  ====================  ============================================
not bound                 ``Bearer``            accepted; a ``DPoP`` header is the endpoint's
not bound                 ``DPoP``              401: there is no key to prove
bound (``cnf.jkt``)       ``DPoP`` and a proof  accepted if the proof is by this key, and new
bound (``cnf.jkt``)       ``Bearer``            401 (RFC 9449 §7.2)
========================  ====================  ============================================

A page that has signed in sends the cookie of its session instead (:mod:`api.http.cookies`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, NamedTuple, Protocol

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPBase
from starlette.requests import HTTPConnection
from starlette.types import Scope as AsgiScope

from . import cookies, dpop
from .cookies import SessionLookup
from .documents import for_description
from .dpop import BadProof, Proof, SeenProofs
from .origin import origin_of
from .problems import HttpProblem
from .roles import Scope
from .services import services
from .tokens import BadToken, HolderLookup, Principal, TokenVerifier

BEARER, DPOP = "bearer", "dpop"
_SPENT = "spent_proof"
"""In a request's state: the proof of the token's key, which may be the device's as well."""


class _Bearer(HTTPBearer):
    async def __call__(self, request: Request) -> None:  # type: ignore[override]  # see documented
        """Do nothing; the library's own would go to another thread and back for that."""


class _Dpop(HTTPBase):
    async def __call__(self, request: Request) -> None:  # type: ignore[override]
        """Do nothing."""


_bearer = _Bearer(
    scheme_name="bearer", bearerFormat="JWT", description="RFC 6750", auto_error=False
)
_dpop = _Dpop(
    scheme="DPoP",
    scheme_name="dpop",
    description="RFC 9449: a token that is bound to a key, and in the header `DPoP` a proof by that"
    " key (ES256) of this request, with `ath`",
    auto_error=False,
)


class WrongScheme(BadToken):
    """The token is valid, but not with this scheme."""


class Access(Protocol):
    """The services that authentication needs."""

    @property
    def tokens(self) -> TokenVerifier: ...

    @property
    def proofs(self) -> SeenProofs: ...

    @property
    def sessions(self) -> SessionLookup | None: ...

    @property
    def holder_numbers(self) -> HolderLookup | None: ...

    @property
    def public_url(self) -> str | None: ...


class Credentials(NamedTuple):
    """The content of the ``Authorization`` header."""

    scheme: str
    token: str


@for_description
async def documented(
    _: Annotated[object, Security(_bearer)], __: Annotated[object, Security(_dpop)]
) -> None:
    """Dependency, for OpenAPI only: either scheme is accepted."""


def require(*scopes: Scope, is_use: bool = True) -> Callable[..., Awaitable[Principal]]:
    """Make a dependency: the caller, who has at least one of ``scopes``; else 401 or 403. The
    request prolongs a session if it ``is_use``."""

    async def principal(
        request: Request,
        service: Annotated[Access, Depends(services)],
        _: Annotated[None, Depends(documented)],
    ) -> Principal:
        caller = await admitted(request.scope, service, *scopes, is_use=is_use)
        request.state.caller = caller.subject
        return caller

    return principal


async def admitted(
    scope: AsgiScope, access: Access, *scopes: Scope, is_use: bool = True
) -> Principal:
    """Authenticate the caller and require at least one of ``scopes``.

    Raises:
        HttpProblem: 401 or 403.
    """
    caller = await authenticated(scope, access, is_use=is_use)
    require_scope(caller, *scopes)
    return caller


async def authenticated(scope: AsgiScope, access: Access, *, is_use: bool = True) -> Principal:
    """Authenticate the caller, whatever its scopes. From then on the request's state has it as
    ``principal``, also if the request is refused afterwards.

    Raises:
        HttpProblem: 401.
    """
    if access.sessions is not None and cookies.is_used(scope):
        origin = origin_of(scope, access.public_url)
        caller = await cookies.signed_in(scope, access.sessions, origin, is_use=is_use)
        await require_current_number(caller, access)
        scope.setdefault("state", {})["principal"] = caller
        return caller
    given = credentials_of(scope)
    try:
        caller = await access.tokens.principal(given.token)
        _require_scheme(given.scheme, caller)
    except BadToken as error:
        raise _not_authenticated(given.scheme, error) from None
    await require_current_number(caller, access)
    if caller.bound_to is not None:
        _require_proof(scope, access, given.token, caller.bound_to)
    scope.setdefault("state", {})["principal"] = caller
    return caller


async def is_still_signed_in(scope: AsgiScope, access: Access) -> bool:
    """Whether a caller who was authenticated still is, for answers that take long: a session may
    have ended, and a holder's number may have been corrected. A token is good until it expires.

    Raises:
        Unavailable
    """
    sessions, numbers = access.sessions, access.holder_numbers
    if sessions is not None and cookies.is_used(scope):
        is_ended = not await cookies.goes_on(scope, sessions)
        if is_ended:
            return False
    return numbers is None or await numbers.is_current(scope["state"]["principal"])


async def require_current_number(
    caller: Principal, access: Access, *, at_once: bool = False
) -> None:
    """Require that a holder who was found by a citizen number still has it; within a minute, or
    ``at_once``.

    Raises:
        HttpProblem: 401.
        Unavailable
    """
    if access.holder_numbers is None:
        return
    if not await access.holder_numbers.is_current(caller, at_once=at_once):
        raise HttpProblem(
            401,
            "UNAUTHENTICATED",
            "The account's citizen ID number is no longer this permit's: sign in again.",
            {"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )


def credentials_of(scope: AsgiScope) -> Credentials:
    """Parse the request's credentials.

    Raises:
        HttpProblem: 401; there are none of a known scheme, or more than one.
    """
    found = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(found) == 1:
        scheme, _, token = found[0].decode("latin-1").partition(" ")
        if token and scheme.lower() in {BEARER, DPOP}:
            return Credentials(scheme.lower(), token.lstrip(" "))
    raise HttpProblem(
        401,
        "UNAUTHENTICATED",
        "A bearer token is required.",
        {"WWW-Authenticate": f"Bearer, {dpop.challenge()}"},
    )


def _require_scheme(scheme: str, caller: Principal) -> None:
    if caller.bound_to is None and scheme == DPOP:
        raise WrongScheme("the token is not bound to a key")
    if caller.bound_to is not None and scheme == BEARER:
        raise WrongScheme("the token is bound to a key and needs the scheme DPoP with a proof")


def require_device(connection: HTTPConnection, access: Access, device: str) -> None:
    """Require that the caller, who is authenticated, holds the key with this thumbprint, and use
    the proof up.

    Raises:
        HttpProblem: 401.
    """
    scope = connection.scope
    proof = device_proof(connection, access)
    if proof.device != device:
        raise dpop.refused("The proof is not by the device's key.")
    if proof != scope["state"].get(_SPENT):
        try:
            access.proofs.spend(proof)
        except BadProof as error:
            raise dpop.refused(f"Invalid proof of the device's key: {error}.") from None


def device_proof(connection: HTTPConnection, access: Access) -> Proof:
    """Verify the request's proof by a device, of whatever key; it is not used up.

    Raises:
        HttpProblem: 401.
    """
    origin = origin_of(connection.scope, access.public_url)
    return dpop.required(connection, origin=origin, token=_secret(connection.scope, access))


def credential_digest(connection: HTTPConnection, access: Access) -> str:
    """Return what the request's proof calls the caller's credential (RFC 9449 §4.2, ``ath``)."""
    return dpop.digest_of(_secret(connection.scope, access))


def _secret(scope: AsgiScope, access: Access) -> str:
    """The access token; for a session, the token that its page sends in its place."""
    if access.sessions is not None and cookies.is_used(scope):
        return cookies.csrf_token(scope)
    return credentials_of(scope).token


def _require_proof(scope: AsgiScope, access: Access, token: str, key: str) -> None:
    try:
        proof = dpop.of_request(scope, origin=origin_of(scope, access.public_url), token=token)
        if proof.device != key:
            raise BadProof("it is not by the token's key")
        access.proofs.spend(proof)
    except BadProof as error:
        raise dpop.refused(f"Invalid proof of the token's key: {error}.") from None
    scope.setdefault("state", {})[_SPENT] = proof


def _not_authenticated(scheme: str, error: BadToken) -> HttpProblem:
    is_dpop = scheme == DPOP or isinstance(error, WrongScheme)
    said = dpop.challenge("invalid_token") if is_dpop else 'Bearer error="invalid_token"'
    return HttpProblem(
        401, "UNAUTHENTICATED", f"Not authenticated: {error}.", {"WWW-Authenticate": said}
    )


def require_scope(caller: Principal, *scopes: Scope) -> None:
    """Require at least one of ``scopes``.

    Raises:
        HttpProblem: 403.
    """
    if not caller.scopes.intersection(scopes):
        wanted = " ".join(scopes)
        scheme = "Bearer" if caller.bound_to is None else "DPoP"
        raise HttpProblem(
            403,
            "FORBIDDEN",
            f"The token lacks the scope {wanted}.",
            {"WWW-Authenticate": f'{scheme} error="insufficient_scope", scope="{wanted}"'},
        )
