"""Receipts of appends: every write answers with the hash of its leaf and a signed promise.

The promise says that the leaf will be in the tree at its position within a minute. Whoever keeps it
can show later that a fact was taken, should the tree have another one there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledger.errors import LedgerError

if TYPE_CHECKING:
    from .services import Services

KIND: Final = "permit-append-promise+jwt"
INTEGRATED_WITHIN_S = 60
LEAF_HEADER, PROMISE_HEADER = b"ledger-leaf-hash", b"ledger-promise"


class AppendReceipts:
    """A write is what answers 2xx with a position and a version (``ETag``) to a POST."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return

        async def send_with_receipt(message: Message) -> None:
            if message["type"] == "http.response.start" and (position := _appended(message)):
                more = await _receipt(scope["app"].state.services, position)
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await self._app(scope, receive, send_with_receipt)


def _appended(message: Message) -> int | None:
    headers = dict(message["headers"])
    is_write = message["status"] in {200, 201} and b"etag" in headers
    position = headers.get(b"ledger-position", b"")
    return int(position) if is_write and position.isdigit() else None


async def _receipt(service: Services, position: int) -> list[tuple[bytes, bytes]]:
    """Nothing where the log is out of reach: what was asked is done, and the proof can be fetched
    later."""
    try:
        leaf = await service.trees.leaf(position)
    except LedgerError:
        return []
    if leaf is None:
        return []
    now = int(time.time())
    claims = {
        "origin": service.trees.origin,
        "position": position,
        "leaf_hash": leaf.hex(),
        "iat": now,
        "integrated_by": now + INTEGRATED_WITHIN_S,
    }
    promise = service.receipts.sign(claims, kind=KIND)
    return [(LEAF_HEADER, leaf.hex().encode()), (PROMISE_HEADER, promise.encode())]
