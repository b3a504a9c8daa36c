"""Server-sent events: how many streams may be open, what they look like, and that they end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import orjson
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ledger.errors import Unavailable

from .rendering import Json

STREAMS_MAX = 1000
STREAMS_A_CALLER_MAX = 8
PUBLIC_STREAMS_MAX = 200
"""Of strangers, whom nothing tells apart: a bound of its own, so that they take nobody's place."""
HEARTBEAT_S = 15.0
STREAM_S_MAX = 600.0
"""Then the client comes back, with a token that is still good."""

HEARTBEAT = b": still here\n\n"
END = b"event: end\ndata: {}\n\n"


def event(name: str, content: Json) -> bytes:
    """One event; JSON has no line breaks, so its data is one line."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(content))


class Stream:
    """One client's stream: woken when there may be something to tell."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._ends_at = asyncio.get_running_loop().time() + STREAM_S_MAX
        self._is_closed = False

    @property
    def is_over(self) -> bool:
        return self._is_closed or asyncio.get_running_loop().time() > self._ends_at

    def wake(self) -> None:
        self._woken.set()

    def close(self) -> None:
        self._is_closed = True
        self._woken.set()

    async def woken(self, timeout_s: float = HEARTBEAT_S) -> bool:
        """Whether there may be something to tell; ``False`` after ``timeout_s`` of nothing."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True


class Streams:
    """All of one kind that are open in this process."""

    def __init__(
        self, streams_max: int = STREAMS_MAX, a_caller_max: int = STREAMS_A_CALLER_MAX
    ) -> None:
        self._streams_max, self._a_caller_max = streams_max, a_caller_max
        self._open: set[Stream] = set()
        self._of: Counter[str] = Counter()
        self._is_closed = False

    @contextmanager
    def open(self, caller: str) -> Iterator[Stream]:
        """A stream for a token's subject.

        Raises:
            Unavailable: there are as many as there may be.
        """
        if self._is_closed:
            raise Unavailable("The service is about to stop.")
        if len(self._open) >= self._streams_max or self._of[caller] >= self._a_caller_max:
            raise Unavailable("There are too many live streams; close one, or try again later.")
        stream = Stream()
        self._open.add(stream)
        self._of[caller] += 1
        try:
            yield stream
        finally:
            self._open.discard(stream)
            self._of[caller] -= 1
            if not self._of[caller]:
                del self._of[caller]

    def __len__(self) -> int:
        return len(self._open)

    def wake(self) -> None:
        """There is something to tell to all."""
        for stream in self._open:
            stream.wake()

    def close(self) -> None:
        """End them all, now: a server that stops waits until its answers are complete."""
        self._is_closed = True
        for stream in self._open:
            stream.close()


class EventStream(StreamingResponse):
    """``text/event-stream``, for a bounded time, however slowly it is read.

    ``held`` is what the stream holds, and given back when it is over.
    """

    media_type = "text/event-stream"

    def __init__(self, parts: AsyncIterator[bytes], held: ExitStack) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(parts, headers=headers)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["state"].get("is_head"):
            self.body_iterator = _nothing()
        try:
            async with asyncio.timeout(STREAM_S_MAX + 2 * HEARTBEAT_S):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            return  # nobody reads it; the server closes what is left of it
        finally:
            self._held.close()


async def _nothing() -> AsyncIterator[bytes]:
    """What a HEAD waits for."""
    return
    yield b""
