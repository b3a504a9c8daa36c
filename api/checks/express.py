"""A direct path for the most frequent request: a check.

FastAPI's path matches routes, resolves dependencies and passes a dozen layers, which takes longer
than the check itself. Here the same endpoint is called with the same caller and body. Any request
that is not plainly a check takes FastAPI's path.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.http import problems
from api.http.json_bodies import MalformedJson, invalid, parse
from api.http.middleware import BodyTooLarge
from api.http.roles import Scope as Right
from api.http.security import admitted

from .schemas import CheckBody
from .verifier import VERIFICATIONS, verify

JSON: Final = b"application/json"
_BODY: TypeAdapter[CheckBody] = TypeAdapter(CheckBody)
_MISSING: Final = {"type": "missing", "loc": ("body",), "msg": "Field required"}


class _Route(NamedTuple):
    """The route in metrics and log lines."""

    path: str


_ROUTE = _Route(VERIFICATIONS)


class ExpressLane:
    """Runs within the request's frame, for requests that :func:`is_check` accepts."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = _ROUTE
        try:
            response = await _answer(scope, receive)
        except BodyTooLarge:
            raise  # handled by the frame
        except Exception as error:  # noqa: BLE001  a problem document, as on FastAPI's path
            response = problems.of(Request(scope), error)
        if response is not None:
            await response(scope, receive, send)


def is_check(scope: Scope) -> bool:
    """Return whether a request is plainly a check in JSON."""
    return (
        scope["type"] == "http"
        and scope["path"] == VERIFICATIONS
        and scope["method"] == "POST"
        and not scope["query_string"]
        and _header(scope, b"content-type") == JSON
    )


async def _answer(scope: Scope, receive: Receive) -> Response | None:
    """Respond; ``None`` if the caller has disconnected."""
    service = scope["app"].state.services
    caller = await admitted(scope, service, Right.VERIFY)
    scope["state"]["caller"] = caller.subject
    body = await _read(receive)
    if body is None:
        return None
    return await verify(_asked(body), caller, service)


def _asked(body: bytes) -> CheckBody:
    """Validate a body as FastAPI does.

    Raises:
        RequestValidationError
    """
    if not body:
        raise RequestValidationError([_MISSING])
    try:
        value = parse(body)
    except MalformedJson as error:
        raise RequestValidationError([invalid(error)]) from None
    try:
        return _BODY.validate_python(value)
    except ValidationError as error:
        found = [{**line, "loc": ("body", *line["loc"])} for line in error.errors()]
        raise RequestValidationError(found) from None


async def _read(receive: Receive) -> bytes | None:
    body = b""
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            return None
        part: bytes = message.get("body", b"")
        body += part
        if not message.get("more_body"):
            return body


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    for name, value in scope["headers"]:
        if name == wanted:
            found: bytes = value
            return found
    return None
