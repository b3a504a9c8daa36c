"""Query parameters: only those that an endpoint declares, each at most once.

An endpoint that ignored a parameter would answer another question than the caller may believe, and
what a caller adds to an address could find its way into records and links. So a parameter that the
endpoint does not declare is refused, as an unknown member of a body is. No endpoint takes a list.

Pages and their files are the exception (:func:`api.app.create_app`): they are public and the same
for everyone, and messengers and mail programs add parameters to links.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from .reasons import REPEATED_PARAMETER, UNKNOWN_PARAMETER
from .security import Access, authenticated, documented
from .services import services


async def only_declared(request: Request, access: Annotated[Access, Depends(services)]) -> None:
    """Dependency: refuse parameters that the endpoint does not declare, or that are repeated.

    Raises:
        HttpProblem: 401; the endpoint takes a token, and the caller has none that is valid.
        RequestValidationError
    """
    if not request.scope["query_string"]:
        return
    takes = _takes(request.scope["route"])
    given = [name for name, _ in request.query_params.multi_items()]
    errors = [_error(UNKNOWN_PARAMETER)] if set(given) - takes.names else []
    errors += [
        _error(REPEATED_PARAMETER, name) for name in sorted(takes.names) if given.count(name) > 1
    ]
    if not errors:
        return
    if takes.token:
        await authenticated(request.scope, access)
    raise RequestValidationError(errors)


class _Takes(NamedTuple):
    """What an endpoint takes: the names of its query parameters, and whether a token."""

    names: frozenset[str]
    token: bool


def _takes(route: APIRoute) -> _Takes:
    whole = list(_with_dependencies(route.dependant))
    return _Takes(
        names=frozenset(parameter.alias for one in whole for parameter in one.query_params),
        token=any(one.call is documented for one in whole),
    )


def _with_dependencies(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _with_dependencies(inner)


def _error(kind: str, *place: str) -> dict[str, Any]:
    """Make the entry of a validation error; an unknown name is the caller's input, and left out."""
    return {"type": kind, "loc": ("query", *place)}
