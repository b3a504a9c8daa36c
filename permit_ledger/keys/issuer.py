"""The issuer's public keys: from a file, or fetched from its address and kept fresh."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import structlog
from joserfc.jwk import KeySet

from api.http.addresses import is_loopback
from api.http.tokens import ALGORITHMS
from ledger.errors import Unavailable

from .jwks import usable_keys

REFRESH_S = 300
AGE_MAX_S = 24 * 3600
"""Keys that could not be confirmed for so long verify nothing: one may have been revoked."""
UNKNOWN_KEY_REFRESH_S = 5
"""The issuer is asked at most this often because a token names an unknown key, whatever number of
such tokens is sent."""
FETCH_TIMEOUT_S = 5
BYTES_MAX = 256 * 1024

FAILURES = (OSError, httpx.HTTPError, httpx.InvalidURL, ValueError)

_log = structlog.get_logger(__name__)


class IssuerKeys:
    """``source`` is a file or an ``https`` address; :meth:`load` has to succeed once.

    Concurrent reads are shared and bounded; files and keys are read outside the event loop. A
    failed read leaves the keys as they are.

    ``read`` reads the source's bytes, and ``now`` is a monotonic clock.
    """

    def __init__(
        self,
        source: str,
        *,
        read: Callable[[], Awaitable[bytes]] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read or partial(read_source, source)
        self._now = now
        self._content: bytes | None = None
        self._keys: KeySet | None = None
        self._confirmed_at = 0.0
        self._reading: asyncio.Task[None] | None = None
        self._not_before = 0.0

    def __call__(self) -> KeySet:
        """
        Raises:
            Unavailable: the source could not be read for too long.
        """
        if self._keys is None:
            raise RuntimeError("the issuer's keys are not loaded")
        if self._now() - self._confirmed_at > AGE_MAX_S:
            raise Unavailable("The issuer's keys are out of date: no token can be verified.")
        return self._keys

    async def load(self) -> None:
        """
        Raises:
            OSError, httpx.HTTPError, ValueError: the keys can't be fetched or read; TimeoutError
                after ``FETCH_TIMEOUT_S``.
        """
        async with asyncio.timeout(FETCH_TIMEOUT_S):
            content = await self._read()
            if content == self._content:
                self._confirmed_at = self._now()
                return  # keep the object of an equal set: cached verifications refer to it
            found = await asyncio.to_thread(usable_keys, content, ALGORITHMS)
        for reason in found.for_encryption:
            _log.debug("a key of the issuer is not for signatures", reason=reason)
        for reason in found.passed_over:
            _log.warning("a key of the issuer is passed over", reason=reason)
        self._content, self._keys = content, found.usable
        self._confirmed_at = self._now()

    async def keep_fresh(self) -> None:
        """Refresh until cancelled; after a failure the last good keys stay, up to their age."""
        while True:
            await asyncio.sleep(REFRESH_S)
            await self._reload()

    async def refresh(self) -> bool:
        """Ask the issuer now, unless it was asked a moment ago; return whether the keys changed."""
        before = self._keys
        if self._reading is None:
            now = self._now()
            if now < self._not_before:
                return False
            self._not_before = now + UNKNOWN_KEY_REFRESH_S
        await self._reload()
        return self._keys is not before

    async def _reload(self) -> None:
        """Share the read that is under way, or begin one; it goes on if a caller is cancelled."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._load_or_warn())
            self._reading.add_done_callback(self._has_read)
        await asyncio.shield(self._reading)

    def _has_read(self, _: asyncio.Task[None]) -> None:
        self._reading = None

    async def _load_or_warn(self) -> None:
        try:
            await self.load()
        except FAILURES as error:
            reason = str(error) if isinstance(error, ValueError) else None
            _log.warning("issuer's keys not refreshed", error=type(error).__name__, reason=reason)


async def read_source(source: str) -> bytes:
    """Read a file or an address, at most ``BYTES_MAX`` of it.

    Raises:
        OSError, httpx.HTTPError, ValueError: it can't be read, or is larger.
    """
    if not is_address(source):
        return await asyncio.to_thread(_start_of, Path(source))
    content = b""
    async with (
        httpx.AsyncClient(timeout=FETCH_TIMEOUT_S) as client,
        client.stream("GET", source) as answer,
    ):
        async for part in answer.raise_for_status().aiter_bytes():
            content += part
            if len(content) > BYTES_MAX:
                break
    return _bounded(content)


def is_address(source: str) -> bool:
    """Whether the keys are fetched: over TLS, or from this machine."""
    url = urlsplit(source)
    return url.scheme == "https" or (url.scheme == "http" and is_loopback(url.hostname or ""))


def load_at_start(source: str, setting: str = "PERMIT_LEDGER_JWKS") -> IssuerKeys:
    """Load the keys before anything is served.

    Args:
        setting: What names the source, for the message.

    Raises:
        NoKeys: the message says what an operator can do.
    """
    keys = IssuerKeys(source)
    try:
        asyncio.run(keys.load())
    except FAILURES as error:
        what = str(error) if isinstance(error, ValueError) else _of(error)
        raise NoKeys(
            f"{setting} can't be used: {what}. Set it to a file or an https address with"
            " the issuer's JWK Set, one of whose public keys fits"
            f" {', '.join(ALGORITHMS)}"
        ) from None
    return keys


class NoKeys(Exception):
    """The issuer's keys can't be fetched, so no token could be verified."""


def _of(error: Exception) -> str:
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return f"no answer within {FETCH_TIMEOUT_S} s"
    if isinstance(error, httpx.HTTPStatusError):
        return f"the address answers {error.response.status_code}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'it'}: {error.strerror}"
    return f"it can't be read ({type(error).__name__})"


def _start_of(file: Path) -> bytes:
    with file.open("rb") as content:
        return _bounded(content.read(BYTES_MAX + 1))


def _bounded(content: bytes) -> bytes:
    if len(content) > BYTES_MAX:
        raise ValueError(f"it has more than {BYTES_MAX} bytes, and is too large")
    return content
