"""Fresh reads: their cost over eventual ones, and whether any of them is ever stale.

The cost is that of ``GET /v1/permits/{n}`` while the views are in step, against the same with
``consistency=eventual``; rounds alternate, and the ratio is the median of the rounds'. For the
second part writers change permits of their own and read each change back on another connection,
while the projector is slowed, frozen and killed at random, by a seed.
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import httpx
from rich.console import Console
from rich.progress import track
from rich.table import Table

from api.http.roles import Role
from api.operations.development import DevelopmentIssuer
from bench import population
from bench.harness import Rates, Result, Round, flush_dirty_pages, fresh_database, server
from bench.load import load
from bench.service import START_S, environment_of, free_port, request, role, start
from domain import citizen_id
from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import connect
from permit_ledger.bootstrap.http_basis import development_issuer
from permit_ledger.bootstrap.setup import prepare
from permit_ledger.keys import files as keys
from permit_ledger.keys.key_encryption import keyring
from permit_ledger.settings import Settings

PERMITS = 10_000
CONNECTIONS = 32
ROUNDS, ROUND_S = 7, 3.0
QUICK_ROUNDS, QUICK_ROUND_S = 3, 1.5
WRITES, QUICK_WRITES = 10_000, 1_000
WRITERS = 8
WRITES_A_PERMIT = 50
"""Long streams are slow to fold on any side, and no permit has one."""
COST_GOAL = 0.95
SEED_VARIABLE = "PERMIT_LEDGER_BENCH_SEED"
SIDES = {"fresh": "", "eventual": "?consistency=eventual"}
READS = ("", "/physical", "/electronic", "/v1/me/permit")


def bench_reads(console: Console, *, quick: bool) -> None:
    """Requests a second of both sides; the number of stale reads."""
    rounds, seconds = (QUICK_ROUNDS, QUICK_ROUND_S) if quick else (ROUNDS, ROUND_S)
    seed = int(os.environ.get(SEED_VARIABLE, random.SystemRandom().getrandbits(32)))
    result = Result("reads")
    table = Table("side", "reads/s", "p50 ms", "p99 ms", title="reads of one permit")
    with ExitStack() as stack:
        folder, embedded = stack.enter_context(server())
        settings = Settings(data_dir=folder / "keys", development=True)
        issuer = development_issuer(settings)
        url = stack.enter_context(fresh_database(embedded, "reads"))
        with connect(url) as connection:
            prepare(connection, keys.blind_index(settings), keyring(settings))
            made = population.settle(connection, HolderKeys(keyring(settings)), PERMITS)
        port = free_port()
        environment = environment_of(settings.data_dir, url, port)
        stack.enter_context(role("api", environment, f"http://127.0.0.1:{port}/healthz"))
        measured: dict[str, list[Round]] = {side: [] for side in SIDES}
        token = issuer.token(Role.REGISTRAR)
        for _ in track(range(rounds), "cost", console=console, transient=True):
            for side, query in SIDES.items():
                flush_dirty_pages(embedded)
                asked = [request("GET", f"/v1/permits/{n}{query}", token) for n, _ in made]
                found = load(port, asked, connections=CONNECTIONS, seconds=seconds, again=True)
                if set(found.answered) != {"200"}:
                    raise RuntimeError(f"{side}: {found.answered}")
                measured[side].append(Round(found.rate, found.latencies_ms))
        result.ratios["fresh_vs_eventual"] = _cost(measured, result, table)
    with ExitStack() as stack:
        folder, embedded = stack.enter_context(server())
        settings = Settings(data_dir=folder / "keys", development=True)
        url = stack.enter_context(fresh_database(embedded, "reads"))
        with connect(url) as connection:
            prepare(connection, keys.blind_index(settings), keyring(settings))
        port = free_port()
        environment = environment_of(settings.data_dir, url, port)
        stack.enter_context(role("api", environment, f"http://127.0.0.1:{port}/healthz"))
        run = Run(f"http://127.0.0.1:{port}", development_issuer(settings), random.Random(seed))
        with mistreated_projector(environment, random.Random(seed)) as done:
            run.write_and_read(QUICK_WRITES if quick else WRITES, console)
        result.figures |= {"seed": seed, "projector": dict(done), **run.figures()}
    console.print(
        f"{run.written:,} writes, each read back; stale: {run.stale}; refused: {dict(run.refused)};"
        f" p50 {run.percentile(50):.1f} ms, p99 {run.percentile(99):.1f} ms;"
        f" the projector was {dict(done)}; seed {seed}",
        highlight=False,
    )
    result.show(console, table)


def _cost(measured: dict[str, list[Round]], result: Result, table: Table) -> float:
    for side, done in measured.items():
        rates = Rates(done)
        table.add_row(side, f"{rates.median:,.0f}", f"{rates.p50_ms:.2f}", f"{rates.p99_ms:.2f}")
        result.figures[side] = {"reads_per_s": rates.median, "p50_ms": rates.p50_ms}
    pairs = zip(measured["fresh"], measured["eventual"], strict=True)
    found = statistics.median(fresh.rate / eventual.rate for fresh, eventual in pairs)
    table.caption = f"goal {COST_GOAL}: {'reached' if found >= COST_GOAL else 'SHORT'}"
    return found


@dataclass
class Run:
    """Writers, each with permits of its own and two connections: one writes, one reads."""

    url: str
    issuer: DevelopmentIssuer
    chance: random.Random
    written: int = 0
    stale: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write_and_read(self, writes: int, console: Console) -> None:
        lives = [compose(n, self.chance) for n in range(-(-writes // WRITES_A_PERMIT))]
        with (
            console.status(f"{writes:,} writes, each read back"),
            ThreadPoolExecutor(WRITERS) as threads,
        ):
            list(threads.map(self._live, lives))

    def _live(self, person: dict[str, Any]) -> None:
        token = {"Authorization": f"Bearer {self.issuer.token(Role.REGISTRAR)}"}
        with (
            httpx.Client(base_url=self.url, headers=token, timeout=30) as writer,
            httpx.Client(base_url=self.url, headers=token, timeout=30) as reader,
        ):
            permit = self._sent(writer, "/v1/permits", person)
            path = f"/v1/permits/{permit['permit_number']}"
            as_holder = self.issuer.token(Role.HOLDER, holder_id=permit["holder_id"])
            for turn in range(WRITES_A_PERMIT):
                what = "loss-lifts" if turn % 2 else "loss-reports"
                permit = self._sent(writer, f"{path}/{what}", {})
                read = READS[turn % len(READS)]
                before = time.perf_counter()
                if read.startswith("/v1"):
                    headers = {"Authorization": f"Bearer {as_holder}"}
                    answer = reader.get(read, headers=headers)
                else:
                    answer = reader.get(f"{path}{read}")
                self._judge(answer, permit["version"], (time.perf_counter() - before) * 1000)

    def _sent(self, writer: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = writer.post(path, json=body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def _judge(self, answer: httpx.Response, version: int, took_ms: float) -> None:
        with self._lock:
            self.written += 1
            self.latencies_ms.append(took_ms)
            if answer.status_code != httpx.codes.OK:
                self.refused[str(answer.status_code)] += 1
            elif answer.json()["version"] != version:
                self.stale += 1

    def percentile(self, percent: int) -> float:
        return statistics.quantiles(self.latencies_ms, n=100)[percent - 1]

    def figures(self) -> dict[str, Any]:
        return {
            "writes": self.written,
            "stale": self.stale,
            "refused": dict(self.refused),
            "read_p50_ms": self.percentile(50),
            "read_p99_ms": self.percentile(99),
        }


def compose(n: int, chance: random.Random) -> dict[str, Any]:
    """An application of a made-up person."""
    born_on = date(1980, 1, 1) + timedelta(days=chance.randrange(5000))
    return {
        "holder": {
            "name": "欧阳测试",
            "sex": "1",
            "ethnicity": "01",
            "birth_date": born_on.isoformat(),
            "citizen_id_number": citizen_id.compose("990000", born_on, 2 * n + 1),
            "hukou_address": "安徽省合肥市蜀山区示例路1号",
        },
        "residence": {"division": "320211", "address": "滨湖区示例新村8号101室"},
        "residence_registered_on": "2020-01-15",
        "ground": "employment",
    }


@contextmanager
def mistreated_projector(
    environment: dict[str, str], chance: random.Random
) -> Iterator[Counter[str]]:
    """Slow, freeze and kill ``permit-ledger project`` at random; return how often."""
    done: Counter[str] = Counter()
    over = threading.Event()
    with ExitStack() as stack:
        ending = stack.enter_context(ThreadPoolExecutor(1))
        ended = ending.submit(_mistreat, environment, chance, done, over)
        try:
            yield done
        finally:
            over.set()
            ended.result()


def _mistreat(
    environment: dict[str, str], chance: random.Random, done: Counter[str], over: threading.Event
) -> None:
    projector = start("project", environment)
    try:
        while not over.wait(chance.uniform(0.5, 2.0)):
            match act := chance.choice(("slowed", "frozen", "killed")):
                case "slowed":
                    for _ in range(chance.randrange(10, 50)):
                        _frozen_for(projector, 0.04, over)
                        over.wait(0.01)
                case "frozen":
                    _frozen_for(projector, chance.uniform(0.5, 3.0), over)
                case _:
                    projector.kill()
                    projector.wait(START_S)
                    over.wait(chance.uniform(0.0, 2.0))
                    projector = start("project", environment)
            done[act] += 1
    finally:
        projector.terminate()
        projector.wait(START_S)


def _frozen_for(projector: subprocess.Popen[bytes], seconds: float, over: threading.Event) -> None:
    projector.send_signal(signal.SIGSTOP)
    over.wait(seconds)
    projector.send_signal(signal.SIGCONT)
