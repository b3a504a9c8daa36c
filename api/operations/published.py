"""The statistics as the analytics role has published them: files in a folder, served as they are.

The analytics role has withheld small numbers already; nothing is computed here.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import orjson

from api.http.streams import Streams, event

from .public_feed import PublicFeed

STATS_FILE, LIVE_FILE, SUPERVISION_FILE = "stats.json", "live.json", "supervision.json"
FILE_BYTES_MAX = 16 * 1024 * 1024
PAUSE_S = 0.5
"""Between two looks at the folder, while there are listeners."""

_NAME = re.compile(
    r"[a-z][a-z_]{0,39}\.(csv|parquet|(en|zh)\.(narrow|wide)\.[0-9a-f]{12}\.svg)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Stats:
    """``content`` is JSON, ``digest`` its SHA-256 (hex, the first 24 digits)."""

    content: bytes
    digest: str


class Published:
    """The folder of published files. Belongs to one event loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mark: tuple[int, int, int] | None = None
        self._stats: Stats | None = None

    async def stats(self) -> Stats | None:
        """The public statistics; ``None`` if nothing is published."""
        return await asyncio.to_thread(self._newest)

    async def live(self) -> bytes | None:
        """The newest statistics, for staff; ``None`` if nothing is published."""
        return await asyncio.to_thread(_read, self._folder / LIVE_FILE)

    async def supervision(self) -> bytes | None:
        """The answers about those who work with the ledger; ``None`` if nothing is published."""
        return await asyncio.to_thread(_read, self._folder / SUPERVISION_FILE)

    async def unusual(self) -> dict[str, int]:
        """How many days of officers and of verifiers a supervisor should look at, by question."""
        content = await self.supervision()
        return orjson.loads(content)["unusual"] if content else {}

    async def file(self, name: str) -> bytes | None:
        """A file's content; ``None`` if there is none, or its name is not of the known form."""
        if not _NAME.fullmatch(name):
            return None
        return await asyncio.to_thread(_read, self._folder / name)

    def _newest(self) -> Stats | None:
        path = self._folder / STATS_FILE
        try:
            found = path.stat()
        except OSError:
            self._mark = self._stats = None
            return None
        mark = (found.st_ino, found.st_mtime_ns, found.st_size)
        if mark != self._mark and (content := _read(path)) is not None:
            digest = hashlib.sha256(content).hexdigest()[:24]
            self._mark, self._stats = mark, Stats(content, digest)
        return self._stats


def _read(path: Path) -> bytes | None:
    try:
        if path.stat().st_size <= FILE_BYTES_MAX:
            return path.read_bytes()
    except OSError:
        pass
    return None


class StatsFeed(PublicFeed):
    """Reads the digest of the newest statistics."""

    def __init__(self, published: Published, listeners: Streams) -> None:
        super().__init__(listeners, PAUSE_S)
        self.published = published

    async def read(self) -> bytes | None:
        stats = await self.published.stats()
        return event("stats", {"digest": stats.digest}) if stats else None
