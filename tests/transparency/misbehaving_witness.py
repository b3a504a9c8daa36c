"""A witness that does as a test says: whatever bytes, however slowly, over a real socket."""

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Behaviour = Callable[[socket.socket, bytes], None]
"""Gets the connection, and the body of the request."""


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def witness_at(behaviour: Behaviour) -> Iterator[str]:
    """Its submission prefix."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the other side has read enough
                behaviour(self.request, _body(self.request))

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:  # without it the thread would go on polling the closed socket, test after test
            server.shutdown()


def answers(
    status: int, content: bytes, content_type: str = "text/plain", more: str = ""
) -> Behaviour:
    """One answer, well-formed as HTTP."""

    def behave(connection: socket.socket, _body: bytes) -> None:
        head = (
            f"HTTP/1.1 {status} Whatever\r\nContent-Type: {content_type}\r\n{more}"
            f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(head.encode() + content)

    return behave


def says(raw: bytes) -> Behaviour:
    """These bytes, and the end."""
    return lambda connection, _body: connection.sendall(raw)


def drips(head: bytes, again: bytes) -> Behaviour:
    """``again``, over and over, as long as the other side reads."""

    def behave(connection: socket.socket, _body: bytes) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(again)
            threading.Event().wait(0.005)

    return behave


def _body(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65536)
        if not part:
            raise OSError
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    [length] = [
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length")
    ]
    while len(body) < length:
        body += connection.recv(65536)
    return body
