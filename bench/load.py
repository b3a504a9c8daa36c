"""A client process: connections with one request at a time each, until time is up.

``python -m bench.load`` reads ``{"port", "connections", "seconds", "requests": [text, …]}`` as
JSON, sends the requests in turns, and writes a summary of the answers. It does as little as
possible: on a small machine it competes with the service for the CPU.
"""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any

import orjson
import uvloop

WARM_UP_S = 0.5
HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length: "


@dataclass(frozen=True)
class Load:
    """``answered`` counts responses, by status and by the word found in the body."""

    rate: float
    latencies_ms: Sequence[float]
    answered: dict[str, int]


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._received = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(HEAD_END)
        if end < 0:
            return
        at = self._received.lower().find(LENGTH, 0, end) + len(LENGTH)
        length = int(self._received[at : self._received.index(b"\r\n", at)])
        if len(self._received) < end + len(HEAD_END) + length:
            return
        self._run.answered(self._sent_at, self._received)
        self._received = b""
        self._next()

    def _next(self) -> None:
        request = self._run.next_request()
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's
        self._run.left()


class Run:
    """Shared by all connections."""

    def __init__(self, requests: Iterator[bytes], seconds: float, connections: int) -> None:
        self._requests = requests
        self._counted_from = time.perf_counter() + WARM_UP_S
        self._until = self._counted_from + seconds
        self._open = connections
        self.done = asyncio.get_running_loop().create_future()
        self.latencies_ms: list[float] = []
        self.answers: Counter[str] = Counter()

    def next_request(self) -> bytes | None:
        return next(self._requests, None) if time.perf_counter() < self._until else None

    def answered(self, sent_at: float, answer: bytes) -> None:
        now = time.perf_counter()
        if self._counted_from <= now < self._until:
            self.latencies_ms.append((now - sent_at) * 1000)
        word = "effective" if b'"outcome":"effective"' in answer else ""
        self.answers[f"{answer[9:12].decode()} {word}".strip()] += 1

    def left(self) -> None:
        self._open -= 1
        if not self._open:
            self.done.set_result(None)


async def _run(order: dict[str, Any]) -> Load:
    texts: list[str] = order["requests"]
    requests = (text.encode() for text in (itertools.cycle(texts) if order["again"] else texts))
    run = Run(requests, order["seconds"], order["connections"])
    loop = asyncio.get_running_loop()
    for _ in range(order["connections"]):
        await loop.create_connection(lambda: Client(run), "127.0.0.1", order["port"])
    await run.done
    return Load(len(run.latencies_ms) / order["seconds"], run.latencies_ms, dict(run.answers))


def load(
    port: int, requests: Sequence[str], *, connections: int, seconds: float, again: bool
) -> Load:
    """Run in a process of its own; ``again`` repeats the requests when all were sent."""
    order = {
        "port": port,
        "requests": requests,
        "connections": connections,
        "seconds": seconds,
        "again": again,
    }
    command = [sys.executable, "-m", "bench.load"]
    with TemporaryFile() as answer:
        subprocess.run(  # noqa: S603  our own module
            command, input=orjson.dumps(order), stdout=answer, check=True, timeout=seconds + 60
        )
        answer.seek(0)
        return Load(**orjson.loads(answer.read()))


if __name__ == "__main__":
    found = uvloop.run(_run(orjson.loads(sys.stdin.buffer.read())))
    sys.stdout.buffer.write(orjson.dumps(found))
