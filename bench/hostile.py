"""Made-up requests of every role to every route: no failure, no blocked loop, no growing memory.

Requests are drawn from ``/openapi.json`` by a seed: paths, parameters, headers and bodies that are
right, nearly right, or nothing of the kind, each with the token of some role, a broken one, or
none. The service's own histogram says how long its event loop kept a timer waiting, so that a
request that computes for too long shows, whichever it was.
"""

from __future__ import annotations

import os
import random
import re
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import psutil
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from api.http.roles import Role
from bench.harness import Result, fresh_database, server
from bench.service import environment_of, free_port, role, start, until_answers
from ledger.database.connections import connect
from permit_ledger.bootstrap.http_basis import development_issuer
from permit_ledger.bootstrap.setup import prepare
from permit_ledger.keys import files as keys
from permit_ledger.keys.key_encryption import keyring
from permit_ledger.settings import Settings

REQUESTS, QUICK_REQUESTS = 100_000, 3_000
WARM_UP = 0.2
"""The share of the requests after which memory is first measured: caches and pools are filled."""
CLIENTS = 4
BLOCK_S = 0.05
SERVER_ERROR, UNAVAILABLE = 500, 503
DEPTH_MAX = 6
MEMORY_GROWTH_MAX = 1.1
SEED_VARIABLE = "PERMIT_LEDGER_BENCH_SEED"

ODD_TEXTS = (
    *("", " ", "0", "-1", "null", "x" * 300, "居住证", "\u202eabc", "\x00", "\ud83d\ude00"),
    *("990000199001010017", "990000 19900101 0017", "2026-02-30", "9999-12-31T23:59:60Z"),
    *("=1+1", "../../etc/passwd", "%2e%2e%2f", "<script>alert(1)</script>", "' OR 1=1 --"),
    *("1e999", "NaN", "{}", "[]", "84G7ZWYRD6Z1", "000000000000", "84g7-zwyr d6z1"),
)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**31, 2**63, 2**70, 0.5, -0.0),
    *([], {}, [[]], [None] * 200, {"": ""}, {"a": {"b": {"c": []}}}),
)
ODD_BODIES = (
    *(b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe{\x00}\x00", b"NaN", b'{"a": 1, "a": 2}'),
    *(b"[" * 2_000, b'{"x": ' * 500, b'{"k": "' + b"a" * 70_000 + b'"}', b'{"\\ud800": 1}'),
    b"{" + b",".join(b'"k%d": 1' % n for n in range(3_000)) + b"}",
)
ODD_HEADERS: tuple[tuple[str, str], ...] = (
    *(("If-Match", '"1"'), ("If-Match", "*"), ("If-Match", '"x'), ("If-None-Match", 'W/"1", "2"')),
    *(("Idempotency-Key", "k" * 129), ("Idempotency-Key", "same"), ("Prefer", "wait=99999")),
    *(("DPoP", "a.b.c"), ("Accept-Language", "zh;q=0.5, *;q=2"), ("Range", "bytes=0-")),
    *(("Content-Type", "text/plain"), ("X-Forwarded-For", "10.0.0.1"), ("Cookie", "a=b; " * 50)),
    *(("X-Correlation-Id", "\u00e4" * 10), ("Audit-Case", "990000199001010017"), ("Expect", "x")),
)
LONG_LIVED = re.compile(r"/live$|/checkpoint/witnessed$")
"""Streams are never read to their end here."""


def bench_hostile(console: Console, *, quick: bool) -> None:
    """Failures, the event loop's longest waits, and the memory of the process before and after."""
    requests = QUICK_REQUESTS if quick else REQUESTS
    seed = int(os.environ.get(SEED_VARIABLE, random.SystemRandom().getrandbits(32)))
    with ExitStack() as stack:
        folder, embedded = stack.enter_context(server())
        settings = Settings(data_dir=folder / "keys", development=True)
        url = stack.enter_context(fresh_database(embedded, "hostile"))
        with connect(url) as connection:
            prepare(connection, keys.blind_index(settings), keyring(settings))
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        environment = environment_of(settings.data_dir, url, port)
        stack.enter_context(role("project", environment, f"{address}/healthz"))
        service = start("api", environment)
        stack.callback(service.wait, 30)
        stack.callback(service.terminate)
        until_answers(f"{address}/readyz")
        issuer = development_issuer(settings)
        tokens = [
            *(issuer.token(each, holder_id="somebody", case="A-1") for each in Role),
            *("", "x.y.z", issuer.token(Role.REGISTRAR)[:-3] + "AAA"),
        ]
        document = httpx.get(f"{address}/openapi.json").json()
        run = Run(address, document, tokens, seed)
        process = psutil.Process(service.pid)
        before = run.send(int(requests * WARM_UP), process, console, "warming up")
        after = run.send(requests - run.sent, process, console, "hostile requests")
    _report(console, run, before, after, seed)


def _report(console: Console, run: Run, before: Measured, after: Measured, seed: int) -> None:
    blocked = after.blocked - before.blocked
    result = Result("hostile")
    result.ratios["memory_vs_warm"] = after.memory_bytes / before.memory_bytes
    result.figures = {
        "seed": seed,
        "requests": run.sent,
        "routes": len(run.operations),
        "failures": len(run.failures),
        "failed": run.failures[:20],
        "timers_blocked": blocked,
        "timers": after.timers - before.timers,
        "statuses": {str(status): n for status, n in sorted(run.statuses.items())},
    }
    table = Table("", "measured", "goal", title=f"{run.sent:,} hostile requests, seed {seed}")
    table.add_row("routes", f"{len(run.operations)}", "all")
    table.add_row("answers 5xx, or none", f"{len(run.failures)}", "0")
    table.add_row(f"timers later than {BLOCK_S * 1000:.0f} ms", f"{blocked:,}", "0")
    memory = result.ratios["memory_vs_warm"]
    table.add_row("memory after / before", f"{memory:.2f}", f"≤ {MEMORY_GROWTH_MAX}")
    table.caption = ", ".join(f"{status}: {n:,}" for status, n in sorted(run.statuses.items()))
    result.show(console, table)
    for failure in run.failures[:20]:
        console.print(failure, markup=False, highlight=False)


@dataclass(frozen=True)
class Measured:
    """The service's timers so far, how many came late, and its resident memory."""

    timers: int
    blocked: int
    memory_bytes: int


@dataclass
class Run:
    """Sends requests and keeps what came of them; the same seed makes the same requests."""

    address: str
    document: Mapping[str, Any]
    tokens: list[str]
    seed: int
    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.operations = [
            (method, path, operation)
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
            if not LONG_LIVED.search(path) and not path.startswith("/v1/dev/")
        ]

    def send(
        self, requests: int, process: psutil.Process, console: Console, title: str
    ) -> Measured:
        """Send so many, by several clients; returns the state of the service afterwards."""
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task(title, total=requests)

            def client(numbers: range) -> None:
                with httpx.Client(base_url=self.address, timeout=60) as http:
                    for number in numbers:
                        self._one(http, number)
                        progress.advance(task)

            first = self.sent
            with ThreadPoolExecutor(CLIENTS) as clients:
                share = [range(first + n, first + requests, CLIENTS) for n in range(CLIENTS)]
                list(clients.map(client, share))
            self.sent += requests
        return self._measured(process)

    def _one(self, http: httpx.Client, number: int) -> None:
        chance = random.Random(f"{self.seed} {number}")
        method, path, operation = chance.choice(self.operations)
        made = Maker(self.document, chance)
        request = made.request(http, method, path, operation, chance.choice(self.tokens))
        try:
            status = http.send(request).status_code
        except (httpx.HTTPError, ValueError) as error:
            status = 0
            reason = type(error).__name__
        else:
            reason = str(status)
        with self._lock:
            self.statuses[status] += 1
            # 503 is an answer to a wait for a position that no one will ever write.
            if status == 0 or (status >= SERVER_ERROR and status != UNAVAILABLE):
                self.failures.append(f"{number}: {method.upper()} {request.url}: {reason}")

    def _measured(self, process: psutil.Process) -> Measured:
        text = httpx.get(f"{self.address}/metrics").text
        found = {
            bound: int(float(value))
            for bound, value in re.findall(
                r'permit_ledger_event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)', text
            )
        }
        timers = found["+Inf"]
        memory = process.memory_info().rss
        return Measured(timers, timers - found[str(BLOCK_S)], int(memory))


class Maker:
    """Makes requests of an operation that fit the document, more or less."""

    def __init__(self, document: Mapping[str, Any], chance: random.Random) -> None:
        self._document = document
        self._chance = chance

    def _happens(self, share: float) -> bool:
        return self._chance.random() < share

    def request(
        self,
        http: httpx.Client,
        method: str,
        path: str,
        operation: Mapping[str, Any],
        token: str,
    ) -> httpx.Request:
        chance = self._chance
        query: list[tuple[str, str]] = []
        for parameter in operation.get("parameters", []):
            value = self._text(parameter.get("schema", {}))
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", value or "x")
            elif parameter["in"] == "query" and self._happens(0.4):
                query.append((parameter["name"], value))
        path = re.sub(r"\{[^}]+\}", lambda _: chance.choice(ODD_TEXTS) or "x", path)
        if self._happens(0.1):
            query.append((chance.choice(("unknown", "subject", "limit", "")), "1"))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if self._happens(0.3):
            name, value = chance.choice(ODD_HEADERS)
            headers[name] = value
        content = self._body(operation) if method in {"post", "put"} else None
        if content is not None:
            headers.setdefault("Content-Type", "application/json")
        encoded = [
            (name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()
        ]
        return http.build_request(
            method.upper(),
            httpx.URL(path=path),
            params=httpx.QueryParams(query),
            headers=encoded,
            content=content,
        )

    def _body(self, operation: Mapping[str, Any]) -> bytes:
        chance = self._chance
        if self._happens(0.15):
            return chance.choice(ODD_BODIES)
        content: Mapping[str, Any] = operation.get("requestBody", {}).get("content", {})
        described: Mapping[str, Any] = next(iter(content.values()), {})
        schema: Mapping[str, Any] = described.get("schema", {})
        value = self._value(schema, depth=0)
        try:
            return orjson.dumps(value)
        except TypeError:  # integers of more than 64 bits, and lone surrogates
            return b'{"n": 1180591620717411303424}'

    def _value(self, schema: Mapping[str, Any], depth: int) -> Any:
        chance = self._chance
        if self._happens(0.06) or depth > DEPTH_MAX:
            return chance.choice(ODD_VALUES)
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return self._value(self._document["components"]["schemas"][name], depth + 1)
        for choice in ("anyOf", "oneOf", "allOf"):
            if choice in schema:
                return self._value(chance.choice(schema[choice]), depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return chance.choice(schema["enum"])
        if schema.get("examples") and self._happens(0.8):
            return chance.choice(schema["examples"])
        if schema.get("type") == "object":
            return self._object(schema, depth)
        if schema.get("type") == "array":
            items = schema.get("items", {})
            return [self._value(items, depth + 1) for _ in range(chance.randrange(4))]
        return self._scalar(schema)

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        required = set(schema.get("required", []))
        value = {
            name: self._value(inner, depth + 1)
            for name, inner in schema.get("properties", {}).items()
            if name in required or self._happens(0.5)
        }
        if self._happens(0.05):
            value[self._chance.choice(ODD_TEXTS)] = 1
        return value

    def _scalar(self, schema: Mapping[str, Any]) -> Any:
        match schema.get("type"):
            case "integer" | "number":
                return self._chance.choice((0, 1, 2, -1, 10**6, 2**53))
            case "boolean":
                return self._happens(0.5)
            case "null":
                return None
        return self._text(schema)

    def _text(self, schema: Mapping[str, Any]) -> str:
        chance = self._chance
        if schema.get("examples") and self._happens(0.5):
            return str(chance.choice(schema["examples"]))
        if schema.get("type") == "integer":
            return str(chance.choice((0, 1, 2, 2**63, -1, "x", "")))
        match schema.get("format"):
            case "date":
                return chance.choice(("2026-01-05", "1990-01-01", "2026-02-30", "x"))
            case "date-time":
                return chance.choice(("2026-01-05T00:00:00Z", "2026-01-05T00:00:00", "x"))
        return chance.choice(ODD_TEXTS)
