"""Conditional requests (RFC 9110 §13): ``If-Match`` on writes, ``If-None-Match`` on reads.

An entity tag names a version, as in ``"3"``. Where the same version reads differently on a later
day, because a permit's year has ended, the tag has a variant, as in ``"3-use_suspended"``: tags are
equal only where representations are (§8.8.3). Writes accept either, since both name version 3.

``as_of_position`` is not part of what a tag identifies: it grows with every event of the log. A 304
means that the client's copy is still current as of ``Ledger-Position``.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from werkzeug.http import parse_etags, unquote_etag

from .problems import HttpProblem

CONDITION_LENGTH_MAX = 1000
"""Characters, of all lines of a header together."""

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_SPACE = r"[ \t]*+"
_MEMBER = rf"{_SPACE}(?:{_TAG}{_SPACE})?+"
_TAGS = re.compile(rf"{_MEMBER}(?:,{_MEMBER})*+")
"""In one way only: what a space belongs to is never tried again."""
_VERSION = re.compile(r"(0|[1-9][0-9]{0,8})(?:-[a-z_]+)?")
_OF_CONTENT: Final = {b"content-type", b"content-length", b"content-disposition"}


def entity_tag(version: int, variant: str | None = None) -> str:
    """Make the tag of a version, and of its variant, where it has one."""
    return f'"{version}-{variant}"' if variant else f'"{version}"'


def expected_versions(if_match: list[str] | None) -> frozenset[int] | None:
    """Parse the versions that a write accepts; ``None`` for any.

    A list matches if one of its members does. A weak tag never matches (§13.1.1), nor does one of
    another form. A version without quotes is accepted as well.

    Raises:
        HttpProblem: 422; it is not a list of entity tags.
    """
    if if_match is None:
        return None
    text = ", ".join(if_match).strip(" \t")
    if text == "*":
        return None
    if len(text) <= CONDITION_LENGTH_MAX:
        if _VERSION.fullmatch(text):
            text = f'"{text}"'
        if '"' in text and _TAGS.fullmatch(text):
            found = (_VERSION.fullmatch(tag or "") for tag in parse_etags(text))
            return frozenset(int(version[1]) for version in found if version)
    raise HttpProblem(422, "INVALID_REQUEST", 'If-Match: entity tags are expected, as in "3"')


class ConditionalReads:
    """Answers a GET with 304 if the caller has the representation already: one of its tags, or
    ``*``, matches the answer's tag by weak comparison (§13.1.2).

    The endpoint has run by then: an audit read is on record.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lines = _if_none_match(scope)
        if not lines:
            await self._app(scope, receive, send)
            return
        condition = ", ".join(lines)
        is_known = False

        async def send_if_new(message: Message) -> None:
            nonlocal is_known
            if message["type"] == "http.response.start" and _has(condition, message):
                is_known = True
                headers = [line for line in message["headers"] if line[0] not in _OF_CONTENT]
                message = {**message, "status": 304, "headers": headers}
            elif is_known:
                message = {**message, "body": b""}
            await send(message)

        await self._app(scope, receive, send_if_new)


def _if_none_match(scope: Scope) -> list[str]:
    if scope["type"] != "http" or scope["method"] != "GET":
        return []
    return [str(value, "latin-1") for name, value in scope["headers"] if name == b"if-none-match"]


def _has(condition: str, message: Message) -> bool:
    """Return whether the caller has this representation; too long a header is ignored."""
    tag = next((str(value, "latin-1") for name, value in message["headers"] if name == b"etag"), "")
    is_shown = message["status"] == HTTPStatus.OK and tag
    if not is_shown or len(condition) > CONDITION_LENGTH_MAX:
        return False
    return parse_etags(condition).contains_weak(unquote_etag(tag)[0])
