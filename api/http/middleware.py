"""Around every request: a correlation id, a bound on the body, one log line, two measurements."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import correlation
from .metrics import request_counter, request_timer, route_of
from .problems import document, response

BODY_BYTES_MAX = 256 * 1024
NO_EXCEPTIONS: Final[Mapping[str, int]] = {}
CORRELATION_HEADER = correlation.HEADER.lower().encode()

_log = structlog.get_logger("access")


class BodyTooLarge(HTTPException):
    """More bytes came than the bound allows."""

    def __init__(self) -> None:
        super().__init__(413)


class RequestFrame:
    """Innermost but for the application; everything that it adds is in the headers and the log."""

    def __init__(self, app: ASGIApp, body_bytes_max_of: Mapping[str, int] = NO_EXCEPTIONS) -> None:
        """``body_bytes_max_of`` names the paths that take more, or less, than
        :data:`BODY_BYTES_MAX`."""
        self._app = app
        self._body_bytes_max_of = body_bytes_max_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        correlation_id = correlation.correlation_id(_header(scope, CORRELATION_HEADER))
        scope.setdefault("state", {})["correlation_id"] = correlation_id
        status = 500
        is_head = scope["method"] == "HEAD"

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": _with_ours(message["headers"], correlation_id)}
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        if is_head:  # GET without the body (RFC 9110 §9.3.2), for every path alike
            scope = {**scope, "method": "GET"}
            scope["state"]["is_head"] = True
        try:
            await self._bounded(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            method, route = scope["method"], route_of(scope)
            request_counter(method, route, status).inc()
            request_timer(method, route).observe(seconds)
            _log.info(
                "request",
                method=method,
                route=route,
                status=status,
                ms=round(seconds * 1000, 2),
                correlation_id=correlation_id,
                # Who has looked at what is asked of this log, and of nothing else where only was
                # read. The token's subject is an officer's account or a holder's pseudonym; one of
                # another form, a name or a citizen number, is withheld by the log's redaction.
                caller=scope["state"].get("caller"),
            )

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        received, bytes_max = 0, self._body_bytes_max_of.get(scope["path"], BODY_BYTES_MAX)

        async def receive_bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > bytes_max:
                raise BodyTooLarge
            return message

        announced = _header(scope, b"content-length") or "0"
        try:
            if announced.isdecimal() and int(announced[:20]) > bytes_max:
                raise BodyTooLarge
            await self._app(scope, receive_bounded, send)
        except BodyTooLarge:
            detail = f"A request has at most {bytes_max} bytes."
            await response(413, document(413, "TOO_LARGE", detail))(scope, receive, send)


def _header(scope: Scope, wanted: bytes) -> str:
    """Its value, or nothing; of several the first."""
    for name, value in scope["headers"]:
        if name == wanted:
            return str(value, "latin-1")
    return ""


def _with_ours(headers: list[tuple[bytes, bytes]], correlation_id: str) -> list[Any]:
    """Read by every request, so without any machinery."""
    kept = [each for each in headers if each[0] != CORRELATION_HEADER]
    if not any(name == b"cache-control" for name, _ in kept):
        kept.append((b"cache-control", b"no-store"))  # it may be somebody's details
    return [*kept, (CORRELATION_HEADER, correlation_id.encode("latin-1"))]
