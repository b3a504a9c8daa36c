"""Public event streams: what is sent is read once, however many listen."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import ExitStack

from api.http.streams import END, HEARTBEAT, EventStream, Stream, Streams


class PublicFeed(ABC):
    """Reads while there are listeners. ``latest`` is the event that was sent last."""

    def __init__(self, listeners: Streams, pause_s: float) -> None:
        """``pause_s`` is the time between two reads, in seconds."""
        self._listeners = listeners
        self._pause_s = pause_s
        self._has_listeners = asyncio.Event()
        self.latest: bytes | None = None

    @abstractmethod
    async def read(self) -> bytes | None:
        """Return the event to send: ``latest`` where nothing has changed, or ``None``."""

    def stream(self, client: str) -> EventStream:
        """Open a stream for a new listener.

        Raises:
            HttpProblem: 429; this client has too many open.
            Unavailable: too many are open.
        """
        with ExitStack() as held:
            stream = held.enter_context(self._listeners.open(client))
            self._has_listeners.set()
            return EventStream(self._events(stream), held.pop_all())

    async def run(self) -> None:
        """Read and wake the listeners, until cancelled."""
        while True:
            await self._has_listeners.wait()
            if not len(self._listeners):
                self._has_listeners.clear()
                self.latest = None
                continue
            event = await self.read()
            if event != self.latest:
                self.latest = event
                self._listeners.wake()
            await asyncio.sleep(self._pause_s)

    def close(self) -> None:
        """End all streams, and open no other."""
        self._listeners.close()

    async def _events(self, stream: Stream) -> AsyncIterator[bytes]:
        sent: bytes | None = None
        while not stream.is_over:
            latest = self.latest
            if latest is not None and latest != sent:
                sent = latest
                yield latest
            else:
                yield HEARTBEAT
            await stream.woken()
        yield END
