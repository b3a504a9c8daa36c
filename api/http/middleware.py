"""The frame around every request: correlation id, size limit of the body, log line, measurements.

FastAPI's ``max_body_size`` is not used: it replaces the response to a body that is announced as too
large with plain text, outside of this frame, so without a problem document and correlation id.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import structlog
from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import correlation
from .addresses import KnownHosts
from .metrics import request_counter, request_timer, route_of
from .problems import document, response
from .queries import only_declared

BODY_BYTES_MAX = 256 * 1024
NO_EXCEPTIONS: Final[Mapping[str, int]] = {}
OF_EVERY_ENDPOINT: Final = (Depends(only_declared),)
"""Dependencies of all endpoints of the API."""
CORRELATION_HEADER = correlation.HEADER.lower().encode()

_log = structlog.get_logger("access")


class BodyTooLarge(HTTPException):
    """The body has more bytes than allowed."""

    def __init__(self) -> None:
        super().__init__(413)


class RequestFrame:
    """The outermost layer. Adds headers to the response and a line to the access log."""

    def __init__(
        self,
        app: ASGIApp,
        body_bytes_max_of: Mapping[str, int] = NO_EXCEPTIONS,
        hosts: KnownHosts | None = None,
    ) -> None:
        """``body_bytes_max_of`` names paths with another limit than :data:`BODY_BYTES_MAX`;
        requests under other ``hosts`` are not answered, where these are known."""
        self._app = app
        self._hosts = hosts
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
            if self._hosts and not self._hosts.admit(scope["path"], _headers(scope, b"host")):
                body = document(421, "MISDIRECTED", "The service is not known by this host.")
                await response(421, body)(scope, receive, send_with_id)
            else:
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
                # An officer's account or a holder's pseudonym; the log's redaction withholds any
                # other form of subject.
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
            detail = f"A body may have at most {bytes_max} bytes."
            await response(413, document(413, "TOO_LARGE", detail))(scope, receive, send)


def _headers(scope: Scope, wanted: bytes) -> list[str]:
    return [str(value, "latin-1") for name, value in scope["headers"] if name == wanted]


def _header(scope: Scope, wanted: bytes) -> str:
    """Return the header's first value, or an empty text."""
    for name, value in scope["headers"]:
        if name == wanted:
            return str(value, "latin-1")
    return ""


def _with_ours(headers: list[tuple[bytes, bytes]], correlation_id: str) -> list[Any]:
    """Called for every request, so on the raw list, without a copy in between."""
    kept = [each for each in headers if each[0] != CORRELATION_HEADER]
    if not any(name == b"cache-control" for name, _ in kept):
        kept.append((b"cache-control", b"no-store"))  # it may hold personal data
    return [*kept, (CORRELATION_HEADER, correlation_id.encode("latin-1"))]
