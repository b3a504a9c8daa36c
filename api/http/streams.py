"""Server-sent events: the number of open streams, their format, and their end.

FastAPI's own ``EventSourceResponse`` is not used: it sets ``Cache-Control: no-cache`` where
personal data needs ``no-store``, runs two tasks and two queues for each stream, has no
time limit for a client that stops reading, and would stream in answer to a HEAD.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import orjson
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ledger.errors import Unavailable

from .admission import Admission
from .rendering import Json

STREAMS_MAX = 1000
STREAMS_A_CALLER_MAX = 8
PUBLIC_STREAMS_MAX = 1000
"""Of callers without a token; a bound of its own, so that they take no place of others."""
PUBLIC_STREAMS_A_CLIENT_MAX = 20
"""Of one address, behind which there may be an office."""
HEARTBEAT_S = 15.0
STREAM_S_MAX = 600.0
"""After that the client reconnects, with a token that is still valid."""

HEARTBEAT = b": still here\n\n"
END = b"event: end\ndata: {}\n\n"

_TOO_MANY = "There are too many live streams; close one, or try again later."


def event(name: str, content: Json) -> bytes:
    """Format an event; JSON has no line breaks, so its data is one line."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(content))


class Stream:
    """One client's stream, woken when there may be something to send."""

    def __init__(self, seconds: float = STREAM_S_MAX) -> None:
        """It ends after so many seconds, at most :data:`STREAM_S_MAX`."""
        self._woken = asyncio.Event()
        self._ends_at = asyncio.get_running_loop().time() + min(seconds, STREAM_S_MAX)
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
        """Wait until woken; return ``False`` after ``timeout_s``, or at the stream's end."""
        left_s = self._ends_at - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(max(0.0, min(timeout_s, left_s))):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True


class Streams:
    """All streams of one kind that are open in this process."""

    def __init__(
        self, streams_max: int = STREAMS_MAX, a_caller_max: int = STREAMS_A_CALLER_MAX
    ) -> None:
        self._admission = Admission(streams_max, _TOO_MANY, a_client_max=a_caller_max)
        self._open: set[Stream] = set()
        self._is_closed = False

    @contextmanager
    def open(self, caller: str, *, expires_at: float = math.inf) -> Iterator[Stream]:
        """Open a stream for a token's subject, or for the client of a request without one.

        It ends when the token expires (POSIX time); a client that goes on needs another token.

        Raises:
            HttpProblem: 429; this caller has too many open.
            Unavailable: too many are open in all, or the service stops.
        """
        if self._is_closed:
            raise Unavailable("The service is about to stop.")
        with self._admission.place(caller):
            stream = Stream(expires_at - time.time())
            self._open.add(stream)
            try:
                yield stream
            finally:
                self._open.discard(stream)

    def __len__(self) -> int:
        return len(self._open)

    def wake(self) -> None:
        """Wake all streams."""
        for stream in self._open:
            stream.wake()

    def close(self) -> None:
        """End all streams now: a stopping server waits until its responses are complete."""
        self._is_closed = True
        for stream in self._open:
            stream.close()


class EventStream(StreamingResponse):
    """A ``text/event-stream`` of bounded duration, however slowly the client reads.

    ``held`` is closed when the stream is over.
    """

    media_type = "text/event-stream"

    def __init__(self, parts: AsyncIterator[bytes], held: ExitStack) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(parts, headers=headers)
        self._held = held

    def close(self) -> None:
        """Give up a stream that is not sent."""
        self._held.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["state"].get("is_head"):
            self.body_iterator = _nothing()
        try:
            async with asyncio.timeout(STREAM_S_MAX + 2 * HEARTBEAT_S):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            return  # the client has stopped reading; the server closes the connection
        finally:
            self._held.close()


async def _nothing() -> AsyncIterator[bytes]:
    """The empty body of an answer to HEAD."""
    return
    yield b""
