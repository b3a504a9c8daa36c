"""The issuer's public keys: from a file, or fetched from its address and kept fresh."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import orjson
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

REFRESH_S = 300
FETCH_TIMEOUT_S = 5
BYTES_MAX = 256 * 1024

_log = structlog.get_logger(__name__)


class IssuerKeys:
    """``source`` is a file or an ``https`` address; :meth:`load` has to succeed once."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._keys: KeySet | None = None

    def __call__(self) -> KeySet:
        if self._keys is None:
            raise RuntimeError("the issuer's keys are not loaded")
        return self._keys

    async def load(self) -> None:
        """
        Raises:
            OSError, httpx.HTTPError, ValueError: the keys can't be had or read.
        """
        text = await self._read()
        try:
            keys = KeySet.import_key_set(orjson.loads(text))
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError("the issuer's JWKS is none that can be read") from error
        self._keys = keys

    async def keep_fresh(self) -> None:
        """Until cancelled; the last good keys stay where a refresh fails."""
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                await self.load()
            except (OSError, httpx.HTTPError, ValueError) as error:
                _log.warning("issuer's keys not refreshed", error=type(error).__name__)

    async def _read(self) -> str:
        if not self._source.startswith("https://"):
            return await asyncio.to_thread(Path(self._source).read_text, encoding="utf-8")
        async with httpx.AsyncClient(timeout=FETCH_TIMEOUT_S) as client:
            answer = (await client.get(self._source)).raise_for_status()
        if len(answer.content) > BYTES_MAX:
            raise ValueError("the issuer's JWKS is too large")
        return answer.text
