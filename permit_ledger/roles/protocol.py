"""uvicorn's HTTP/1.1 with a bound on everything that is not a body.

The parser buffers an address, a header or a trailer without a limit; a client could send one
without end.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SILENT_BYTES_MAX = 64 * 1024
"""Bytes in a row, packet by packet, in which no message began, no head ended, no body arrived."""
HELD_BYTES_MAX = 64 * 1024


class HeldTransport:
    """Sends all writes of one iteration of the loop at once, so that the head does not wake the
    client before its body."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._loop = asyncio.get_running_loop()

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._send)
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > HELD_BYTES_MAX:
            self._send()  # so that further writes get backpressure

    def close(self) -> None:
        self._send()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _send(self) -> None:
        if self._held:
            held, self._held, self._held_bytes = self._held, [], 0
            self._transport.write(b"".join(held))


class BoundedHttp(HttpToolsProtocol):
    """Closes a connection that sends bytes without ever completing a message."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._got_somewhere = False
        self._silent_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(cast("Any", HeldTransport(transport)))

    def data_received(self, data: bytes) -> None:
        self._got_somewhere = False
        super().data_received(data)
        self._silent_bytes = 0 if self._got_somewhere else self._silent_bytes + len(data)
        if self._silent_bytes > SILENT_BYTES_MAX and not self.transport.is_closing():
            self.send_400_response("The address, the headers or the trailers are too long.")

    def on_message_begin(self) -> None:
        self._got_somewhere = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._got_somewhere = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._got_somewhere = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._got_somewhere = True
        super().on_message_complete()
