"""The statistics as the analytics role has published them: files in a folder, read and handed on.

What is told of whom was decided by who wrote them; nothing is computed here.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from api.http.streams import Streams, event

STATS_FILE = "stats.json"
FILE_BYTES_MAX = 16 * 1024 * 1024
LOOK_S = 0.5
"""How soon it is noticed that there is something new, while somebody listens."""

_NAME = re.compile(
    r"[a-z][a-z_]{0,39}\.(csv|parquet|(en|zh)\.(narrow|wide)\.[0-9a-f]{12}\.svg)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Stats:
    """``content`` is JSON, ``digest`` its SHA-256 (hex, the first 24 digits)."""

    content: bytes
    digest: str


class Published:
    """One folder; for coroutines of one loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mark: tuple[int, int, int] | None = None
        self._stats: Stats | None = None

    async def stats(self) -> Stats | None:
        """The newest; ``None`` where nothing is published here."""
        return await asyncio.to_thread(self._newest)

    async def file(self, name: str) -> bytes | None:
        """``None`` where there is none of that name, or its name is not one of ours."""
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


class StatsFeed:
    """Looks while somebody listens, and wakes them; ``latest`` is the event that was told last."""

    def __init__(self, published: Published, listeners: Streams) -> None:
        self.published = published
        self.listeners = listeners
        self._wanted = asyncio.Event()
        self.latest: bytes | None = None

    def want(self) -> None:
        """Somebody has come to listen."""
        self._wanted.set()

    async def run(self) -> None:
        """Without end; whoever starts it cancels it."""
        while True:
            await self._wanted.wait()
            if not len(self.listeners):
                self._wanted.clear()
                self.latest = None
                continue
            stats = await self.published.stats()
            told = event("stats", {"digest": stats.digest}) if stats else None
            if told != self.latest:
                self.latest = told
                self.listeners.wake()
            await asyncio.sleep(LOOK_S)
