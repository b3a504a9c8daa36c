"""Who may do what: a bearer token with the right scope, on every path that is not public."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from .problems import HttpProblem
from .roles import Scope
from .services import Services, services
from .tokens import BadToken, Principal

_bearer = HTTPBearer(
    scheme_name="bearer", bearerFormat="JWT", description="RFC 6750", auto_error=False
)


def require(*scopes: Scope) -> Callable[..., Awaitable[Principal]]:
    """A dependency: the caller, who has at least one of ``scopes``. 401 or 403 otherwise."""

    async def principal(
        request: Request,
        service: Annotated[Services, Depends(services)],
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> Principal:
        if credentials is None:
            challenge = {"WWW-Authenticate": "Bearer"}
            raise HttpProblem(401, "UNAUTHENTICATED", "A bearer token is required.", challenge)
        try:
            caller = service.tokens.verify(credentials.credentials)
        except BadToken as error:
            raise HttpProblem(
                401,
                "UNAUTHENTICATED",
                f"Not authenticated: {error}.",
                {"WWW-Authenticate": 'Bearer error="invalid_token"'},
            ) from None
        if not caller.scopes.intersection(scopes):
            wanted = " ".join(scopes)
            raise HttpProblem(
                403,
                "FORBIDDEN",
                f"The token lacks the scope {wanted}.",
                {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{wanted}"'},
            )
        request.state.caller = caller.subject
        return caller

    return principal
