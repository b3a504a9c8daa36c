"""A network between ledger and database that fails at a chosen statement."""

import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

RECEIVED_BYTES_MAX = 1 << 20
PORT = 5432
END_TIMEOUT_S = 10
READY_FOR_QUERY = b"Z\x00\x00\x00\x05I"
"""The server's last message for a statement, once its transaction is over."""


@dataclass(frozen=True)
class Strike:
    """The fault for a statement that contains ``marker``.

    ``reaches``: the server gets it, and its answer is dropped; otherwise it is held back until it
    is released. ``cut``: the client's connection is closed then; otherwise it gets no answer.
    """

    marker: bytes
    reaches: bool
    cut: bool


class _Line:
    """One connection of a client, and the one to the server that belongs to it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.strike: Strike | None = None

    def close(self) -> None:
        for end in (self.client, self.server):
            hang_up(end)


class Proxy:
    """Listens on a socket of its own within its context.

    ``struck`` is set when the first fault is over: its statement was held back, or the server has
    executed it. ``sendings`` counts how often the marker was seen.
    """

    def __init__(self, folder: Path, database_url: str) -> None:
        where = conninfo_to_dict(database_url)
        self._target = f"{where['host']}/.s.PGSQL.{where['port']}"
        self.url = make_conninfo(database_url, host=str(folder), port=PORT)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / f".s.PGSQL.{PORT}"))
        self._listening.listen()
        self._lock = Lock()
        self._strikes: list[Strike] = []
        self._marker: bytes | None = None
        self._kept_back: list[Event] = []
        self._ends = False
        self._lines: list[_Line] = []
        self._threads: list[Thread] = []
        self.struck = Event()
        self.sendings = 0

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        hang_up(self._listening)
        self._listening.close()
        self._ends = True
        for sending in range(len(self._kept_back)):
            self.let_go(sending)
        self.break_off()
        for thread in self._threads:
            thread.join(END_TIMEOUT_S)
        for line in self._lines:
            line.client.close()
            line.server.close()

    def strike(self, marker: bytes, *, reaches: bool, cut: bool) -> None:
        """Once, on the next statement that carries ``marker``; a further one on the one after."""
        with self._lock:
            self._marker = marker
            self._strikes.append(Strike(marker, reaches, cut))

    def let_go(self, sending: int) -> None:
        """Send the server a statement that was held back; counted from 0."""
        self._kept_back[sending].set()

    def break_off(self) -> None:
        """Close every current connection."""
        for line in list(self._lines):
            line.close()

    def _run(self, work: Callable[..., None], *arguments: object) -> None:
        thread = Thread(target=work, args=arguments, name="proxy")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            line = _Line(client, server)
            self._lines.append(line)
            try:
                server.connect(self._target)
            except OSError:
                line.close()
                continue
            self._run(self._to_server, line)
            self._run(self._to_client, line)

    def _to_server(self, line: _Line) -> None:
        before = b""
        while data := receive(line.client):
            strike = self._take_strike(before, data)
            before = data
            if strike and not strike.reaches:
                self._keep_back(line, cut=strike.cut)
                if self._ends:
                    return
            elif strike:
                line.strike = strike
            with suppress(OSError):
                line.server.sendall(data)
        hang_up(line.server)

    def _keep_back(self, line: _Line, *, cut: bool) -> None:
        go_on = Event()
        self._kept_back.append(go_on)
        if cut:
            hang_up(line.client)
        self.struck.set()
        go_on.wait()

    def _take_strike(self, before: bytes, data: bytes) -> Strike | None:
        """The fault, if this is its statement; a marker may arrive in two parts."""
        with self._lock:
            marker = self._marker
            if marker is None or marker not in before[1 - len(marker) :] + data:
                return None
            self.sendings += 1
            return self._strikes.pop(0) if self._strikes else None

    def _to_client(self, line: _Line) -> None:
        before = b""
        while data := receive(line.server):
            if line.strike is None:
                with suppress(OSError):
                    line.client.sendall(data)
            elif (before[-6:] + data).endswith(READY_FOR_QUERY):
                if line.strike.cut:
                    hang_up(line.client)
                self.struck.set()
            before = data
        hang_up(line.client)


def receive(end: socket.socket) -> bytes:
    """The next bytes; none if the connection has ended."""
    try:
        return end.recv(RECEIVED_BYTES_MAX)
    except OSError:
        return b""


def hang_up(end: socket.socket) -> None:
    """End the connection, and with it every wait for it."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
