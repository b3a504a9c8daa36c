"""Requests a witness's cosignature of a checkpoint (C2SP tlog-witness, add-checkpoint).

The response is not trusted: it is bounded in size and time, and only a size and signatures by the
witness's configured key are used from it.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import Sequence
from typing import NamedTuple

import httpx

from transparency.notes import (
    BadNote,
    Note,
    NoteVerifier,
    Signature,
    Unsigned,
    cosigned_at,
    signature_of,
)

ANSWER_BYTES_MAX = 64 * 1024
ANSWER_LINES_MAX = 64
ANSWER_TIMEOUT_S = 10.0
"""From the first attempt to connect to the last byte of the answer."""

CONNECT_TIMEOUT_S = 5.0
AHEAD_MAX_S = 600
"""How far a witness's clock may be ahead of this one."""

SIZE_TYPE = "text/x.tlog.size"
PATH_MAX = 63

_OK, _CONFLICT = 200, 409
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


class NotCosigned(Exception):
    """The witness has not cosigned; the message says why and repeats nothing of its answer."""


class OtherSize(NotCosigned):
    """It has cosigned a tree of another size last."""

    def __init__(self, size: int) -> None:
        super().__init__(f"it has seen a tree of {size} leaves last")
        self.size = size


class Answer(NamedTuple):
    status: int
    content_type: str
    content: bytes


def request_body(old: int, path: Sequence[bytes], checkpoint: Note) -> bytes:
    """``path`` proves that the checkpoint's tree begins with that of ``old`` leaves; it is empty
    if ``old`` is 0, or the checkpoint's own size."""
    if len(path) > PATH_MAX:
        raise ValueError("a consistency proof has no more than 63 hashes")
    lines = "".join(f"{b64encode(each).decode()}\n" for each in path)
    return f"old {old}\n{lines}\n{checkpoint}".encode()


def witness_client() -> httpx.AsyncClient:
    """A client for :func:`submit`, of one event loop; the caller closes it."""
    return httpx.AsyncClient(
        follow_redirects=False,
        timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
        headers={"User-Agent": "permit-ledger", "Accept-Encoding": "identity"},
    )


async def submit(client: httpx.AsyncClient, url: str, body: bytes) -> Answer:
    """``url`` is the witness's submission prefix.

    Raises:
        NotCosigned: it cannot be reached, or its reply is too large or too late.
    """
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await _exchange(client, f"{url.removesuffix('/')}/add-checkpoint", body)
    except TimeoutError:
        raise NotCosigned(f"it has not answered within {ANSWER_TIMEOUT_S:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise NotCosigned(f"it can't be reached ({type(error).__name__})") from None


async def _exchange(client: httpx.AsyncClient, url: str, body: bytes) -> Answer:
    content = bytearray()
    async with client.stream(
        "POST", url, content=body, headers={"Content-Type": "text/plain"}
    ) as response:
        async for part in response.aiter_raw():  # what is packed may become any size
            content += part
            if len(content) > ANSWER_BYTES_MAX:
                raise NotCosigned("its answer is too large")
        content_type = response.headers.get("content-type", "")
        return Answer(response.status_code, content_type, bytes(content))


def cosignature_in(answer: Answer, key: NoteVerifier, text: str, now_s: float) -> Signature:
    """The signature by ``key`` of the checkpoint's ``text``, which was sent; ``now_s`` is the time
    in seconds since 1970. Other people's are passed over.

    Raises:
        OtherSize, NotCosigned
    """
    if answer.status == _CONFLICT:
        raise OtherSize(_size_in(answer))
    if answer.status != _OK:
        raise NotCosigned(f"it has answered with {answer.status}")
    for signature in _signatures_in(answer.content):
        if (signature.name, signature.key_id) == (key.name, key.key_id):
            try:
                key.check(text, signature)
            except Unsigned:
                raise NotCosigned("its signature is false") from None
            if not 0 < cosigned_at(signature) <= now_s + AHEAD_MAX_S:
                raise NotCosigned("its signature has a time that can't be")
            return signature
    raise NotCosigned("it has not signed with its key")


def _size_in(answer: Answer) -> int:
    content_type = answer.content_type.partition(";")[0].strip().lower()
    found = _SIZE.fullmatch(answer.content)
    if content_type != SIZE_TYPE or not found or int(found[1]) >= 1 << 63:
        raise NotCosigned("it objects and does not say to what")
    return int(found[1])


def _signatures_in(content: bytes) -> list[Signature]:
    try:
        lines = content.decode().split("\n")
        if lines.pop() or not 0 < len(lines) <= ANSWER_LINES_MAX:
            raise NotCosigned("its answer is no list of signatures")
        return [signature_of(line) for line in lines]
    except (UnicodeDecodeError, BadNote):
        raise NotCosigned("its answer is no list of signatures") from None
