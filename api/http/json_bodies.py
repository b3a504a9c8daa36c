"""JSON bodies: one parser for all endpoints, on both paths to them.

UTF-8, with or without a byte order mark (RFC 8259 §8.1); no NaN or Infinity, no lone surrogates,
and no object with a duplicate member (RFC 7493 §2.3), which parsers would read differently. The
number of values is bounded before anything is validated: each unknown or wrong one would become an
error of its own.
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope

NOT_JSON = "a JSON document in UTF-8 is expected"
TOO_DEEP = "less deeply nested JSON is expected"
MEMBER_TWICE = "an object names a member twice"
VALUES_MAX = 1_000
"""In one body, over all its objects and lists; no endpoint needs a tenth of that."""
TOO_MANY_VALUES = f"JSON with at most {VALUES_MAX} values is expected"


class MalformedJson(json.JSONDecodeError):
    """The bytes are not JSON; ``msg`` is fit for the caller."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "", 0)


def parse(content: bytes) -> Any:
    """Parse a body.

    Raises:
        MalformedJson
    """
    text = without_mark(content)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedJson(TOO_DEEP if "depth limit" in error.msg else NOT_JSON) from None
    _require_few_values(value)
    try:
        _NAMES_ONCE.decode(text.decode())
    except RecursionError:
        raise MalformedJson(TOO_DEEP) from None
    return value


def without_mark(content: bytes) -> bytes:
    """Remove a byte order mark."""
    return content.removeprefix(BOM_UTF8)


def _require_few_values(value: Any) -> None:
    """Stop at the first container that has too many, without going through it."""
    count, waiting = 0, [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, dict):
            count += len(inner)
            waiting.extend(inner.values() if count <= VALUES_MAX else ())
        elif isinstance(inner, list):
            count += len(inner)
            waiting.extend(inner if count <= VALUES_MAX else ())
        if count > VALUES_MAX:
            raise MalformedJson(TOO_MANY_VALUES)


def _names_once(members: list[tuple[str, Any]]) -> None:
    if len(dict(members)) != len(members):
        raise MalformedJson(MEMBER_TWICE)


_NAMES_ONCE = json.JSONDecoder(object_pairs_hook=_names_once)
"""orjson keeps the last of duplicate members, without an error."""


Answer = Callable[[Request], Coroutine[Any, Any, Response]]
"""Runs an endpoint: reads the body, runs the dependencies, calls the function."""


class SurroundedRoute(APIRoute):
    """A route whose class adds something around its endpoint, the same on both paths."""

    def surround(self, answer: Answer) -> Answer:
        """Return what runs in place of ``answer``, and calls it."""
        return answer

    def get_route_handler(self) -> Answer:
        return self.surround(super().get_route_handler())


class JsonRequest(Request):
    """A request whose JSON is parsed by :func:`parse`."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self._content: bytes | None = None

    async def body(self) -> bytes:
        """Read the body, once; usually it has come in one piece, with the head.

        Raises:
            ClientDisconnect
        """
        if self._content is None:
            pieces = []
            is_whole = False
            while not is_whole:
                message = await self.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                pieces.append(message.get("body", b""))
                is_whole = not message.get("more_body", False)
            self._content = b"".join(pieces)
        return self._content

    async def json(self) -> Any:
        return parse(await self.body())


class JsonRoute(SurroundedRoute):
    """For routers whose endpoints take a JSON body."""

    def surround(self, answer: Answer) -> Answer:
        answer = super().surround(answer)

        async def read_and_answer(request: Request) -> Response:
            return await answer(JsonRequest(request.scope, request.receive))

        return read_and_answer
