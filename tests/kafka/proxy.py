"""Something between a client and the broker that misbehaves at exactly the wrong request."""

import socket
import struct
import threading
from contextlib import suppress

PRODUCE, END_TXN = 0, 26
HEADER = struct.Struct(">hhi")  # api key, api version, correlation id
NO_ERROR, OUT_OF_ORDER = 0, 45

SWALLOW, CUT, LIE, FAIL = "swallow", "cut", "lie", "fail"
"""What happens to a request: it is lost; the connection breaks once the broker has it; the broker
never gets it and the client hears of success; the broker never gets it and the client hears of an
error."""


class Proxy:
    """Listens on a port of its own within its context; ``target`` is set before the first client.

    ``struck`` counts what it has done.
    """

    def __init__(self):
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.target = None
        self.struck = 0
        self._strikes = {}
        self._lock = threading.Lock()
        self._lines = []

    def strike(self, api_key, how, times=1):
        """The next ``times`` requests of this kind."""
        with self._lock:
            self._strikes[api_key] = [how] * times

    def forget(self):
        """Let everything pass again."""
        with self._lock:
            self._strikes.clear()

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exception):
        self._listening.close()
        for line in self._lines:
            _close(line)

    def _accept(self):
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            host, port = self.target.split(":")
            try:
                server = socket.create_connection((host, int(port)))
            except OSError:
                client.close()
                continue
            self._lines += [client, server]
            for work in (self._requests, self._answers):
                threading.Thread(target=work, args=(client, server), daemon=True).start()

    def _requests(self, client, server):
        with suppress(OSError):
            while frame := _frame(client):
                api_key, version, correlation = HEADER.unpack_from(frame, 4)
                how = self._next(api_key)
                if how == SWALLOW:
                    continue
                if how in {LIE, FAIL}:
                    client.sendall(_answer(api_key, version, correlation, how))
                    continue
                server.sendall(frame)
                if how == CUT:
                    _close(client)
        _close(server)

    def _answers(self, client, server):
        with suppress(OSError):
            while frame := _frame(server):
                client.sendall(frame)
        _close(client)

    def _next(self, api_key):
        with self._lock:
            strikes = self._strikes.get(api_key)
            if not strikes:
                return None
            self.struck += 1
            return strikes.pop()


def _answer(api_key, version, correlation, how):
    """Of EndTxn up to version 3: throttle time, error code; flexible since version 3."""
    assert api_key == END_TXN
    error = NO_ERROR if how == LIE else OUT_OF_ORDER
    tags = b"\0" if version >= 3 else b""
    body = struct.pack(">i", correlation) + tags + struct.pack(">ih", 0, error) + tags
    return struct.pack(">i", len(body)) + body


def _frame(end):
    """One request or answer, its length before it; nothing where the connection has ended."""
    if not (length := _bytes(end, 4)):
        return b""
    return length + _bytes(end, struct.unpack(">i", length)[0])


def _bytes(end, count):
    parts = bytearray()
    while len(parts) < count:
        if not (part := end.recv(count - len(parts))):
            return b""
        parts += part
    return bytes(parts)


def _close(end):
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
