"""Who may do what: a bearer token with the right scope, on every path that is not public."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from .problems import HttpProblem
from .roles import Scope
from .services import Services, services
from .tokens import BadToken, Principal, TokenVerifier

bearer = HTTPBearer(
    scheme_name="bearer", bearerFormat="JWT", description="RFC 6750", auto_error=False
)


def require(*scopes: Scope) -> Callable[..., Awaitable[Principal]]:
    """A dependency: the caller, who has at least one of ``scopes``. 401 or 403 otherwise."""

    async def principal(
        request: Request,
        service: Annotated[Services, Depends(services)],
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
    ) -> Principal:
        token = credentials.credentials if credentials else None
        caller = _verified(service.tokens, token, scopes)
        request.state.caller = caller.subject
        return caller

    return principal


def admitted(tokens: TokenVerifier, authorization: bytes | None, *scopes: Scope) -> Principal:
    """The same for who has the header's value in hand (RFC 6750 §2.1).

    Raises:
        HttpProblem: 401 or 403.
    """
    scheme, _, token = (authorization or b"").decode("latin-1").partition(" ")
    return _verified(tokens, token if scheme.lower() == "bearer" else None, scopes)


def _verified(tokens: TokenVerifier, token: str | None, scopes: tuple[Scope, ...]) -> Principal:
    caller = authenticated(tokens, token)
    require_scope(caller, *scopes)
    return caller


def authenticated(tokens: TokenVerifier, token: str | None) -> Principal:
    """Who holds the token, whatever it is good for.

    Raises:
        HttpProblem: 401.
    """
    if not token:
        challenge = {"WWW-Authenticate": "Bearer"}
        raise HttpProblem(401, "UNAUTHENTICATED", "A bearer token is required.", challenge)
    try:
        return tokens.verify(token)
    except BadToken as error:
        raise HttpProblem(
            401,
            "UNAUTHENTICATED",
            f"Not authenticated: {error}.",
            {"WWW-Authenticate": 'Bearer error="invalid_token"'},
        ) from None


def require_scope(caller: Principal, *scopes: Scope) -> None:
    """
    Raises:
        HttpProblem: 403, the caller has none of them.
    """
    if not caller.scopes.intersection(scopes):
        wanted = " ".join(scopes)
        raise HttpProblem(
            403,
            "FORBIDDEN",
            f"The token lacks the scope {wanted}.",
            {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{wanted}"'},
        )
