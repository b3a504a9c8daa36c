"""Conditional requests (RFC 9110 §13): ``If-Match`` on writes, ``If-None-Match`` on reads.

An entity tag names a version, as in ``"3"``. Where the same version reads otherwise on a later day,
because a permit's year has ended, the tag has a variant, as in ``"3-use_suspended"``: tags are the
same only where representations are (§8.8.3). Writes take either, since both name version 3.

``as_of_position`` is no part of what a tag stands for. It grows with every event of the log,
whosever it is, and says how recent an answer is, not what the permit is. A 304 says: what you have
is still so as of ``Ledger-Position``.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from werkzeug.http import parse_etags, unquote_etag

from .problems import HttpProblem

CONDITION_LENGTH_MAX = 1000
"""Characters of all lines of a header together."""

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"[ \t]*(?:{_TAG})?(?:[ \t]*,[ \t]*(?:{_TAG})?)*[ \t]*")
_VERSION = re.compile(r"(0|[1-9][0-9]{0,8})(?:-[a-z_]+)?")
_OF_CONTENT: Final = {b"content-type", b"content-length", b"content-disposition"}


def entity_tag(version: int, variant: str | None = None) -> str:
    """The tag of a version, and of how it reads where that is not all."""
    return f'"{version}-{variant}"' if variant else f'"{version}"'


def expected_versions(if_match: list[str] | None) -> frozenset[int] | None:
    """The versions that a write is for; ``None`` where any will do.

    A list matches if one of its members does; a weak tag never matches (§13.1.1), nor does one that
    was never handed out. A version without quotes is taken as well.

    Raises:
        HttpProblem: 422, it is no list of entity tags.
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
    """Answers a GET with 304 where the caller has what would be sent: one of its tags, or any tag
    for ``*``, is that of the answer, by weak comparison (§13.1.2).

    Whatever an endpoint does before it answers is done: a look into the audit is on record.
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
    """Whether the caller has this answer; a header that is too long says nothing."""
    tag = next((str(value, "latin-1") for name, value in message["headers"] if name == b"etag"), "")
    is_shown = message["status"] == HTTPStatus.OK and tag
    if not is_shown or len(condition) > CONDITION_LENGTH_MAX:
        return False
    return parse_etags(condition).contains_weak(unquote_etag(tag)[0])
