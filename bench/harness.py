"""Shared by all benchmarks: a database, rounds, a table on the screen, a file of results."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psycopg
from psycopg.conninfo import make_conninfo
from rich.console import Console
from rich.table import Table

from permit_ledger.embedded.server import EmbeddedPostgres

RESULTS = Path(__file__).parent / "results"


@dataclass
class Result:
    """``ratios`` are ``what_vs_baseline``; ``figures`` explain them."""

    name: str
    ratios: dict[str, float] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    def show(self, console: Console, table: Table) -> None:
        """Print the table and the ratios, and keep both sides in ``bench/results``."""
        console.print(table)
        for what, ratio in self.ratios.items():
            console.print(f"{what}: {ratio:.2f}", highlight=False)
        RESULTS.mkdir(exist_ok=True)
        content = {
            "name": self.name,
            "ratios": self.ratios,
            "figures": self.figures,
            "machine": _machine(),
        }
        file = RESULTS / f"{self.name}.json"
        file.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))


@dataclass(frozen=True)
class Round:
    """The result of one round of one side: operations a second, and their latencies."""

    rate: float
    latencies_ms: Sequence[float]


@dataclass(frozen=True)
class Rates:
    """All rounds of one side."""

    rounds: Sequence[Round]

    @property
    def median(self) -> float:
        return statistics.median(each.rate for each in self.rounds)

    @property
    def p50_ms(self) -> float:
        return self._percentile(50)

    @property
    def p95_ms(self) -> float:
        return self._percentile(95)

    @property
    def p99_ms(self) -> float:
        return self._percentile(99)

    def _percentile(self, percent: int) -> float:
        """0 if a side did everything at once."""
        latencies = [ms for each in self.rounds for ms in each.latencies_ms]
        return statistics.quantiles(latencies, n=100)[percent - 1] if len(latencies) > 1 else 0


@contextmanager
def server() -> Iterator[tuple[Path, EmbeddedPostgres]]:
    """A PostgreSQL server for the benchmark, flushing to disk, and its folder."""
    with (
        tempfile.TemporaryDirectory(prefix="permit-ledger-bench-") as folder,
        EmbeddedPostgres(Path(folder)) as embedded,
    ):
        yield Path(folder), embedded


def flush_dirty_pages(embedded: EmbeddedPostgres) -> None:
    """Write out dirty pages, so that no side pays for another's."""
    with psycopg.connect(embedded.url, autocommit=True) as admin:
        admin.execute("CHECKPOINT")


@contextmanager
def fresh_database(embedded: EmbeddedPostgres, name: str) -> Iterator[str]:
    """An empty database, dropped afterwards."""
    with psycopg.connect(embedded.url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name}")
        yield make_conninfo(embedded.url, dbname=name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def forget_garbage() -> None:
    """Freeze a round's prepared objects, so that the garbage collector does not traverse them, on
    either side."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def cpu_s(*server_processes: int) -> float:
    """The processor's time that this process and these of the server have had: unlike the time that
    passes, it does not depend on what else the machine does. Elsewhere than on Linux, the time."""
    try:
        served_ns = sum(
            int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in server_processes
        )
    except OSError:
        return time.perf_counter()
    return time.process_time() + served_ns / 1e9


def run_for(seconds: float, clients: Sequence[Callable[[], object]]) -> Round:
    """Run a thread for each client, which repeats its operation until time is up."""
    forget_garbage()
    started = time.perf_counter()

    def client(operation: Callable[[], object]) -> list[float]:
        latencies = []
        while (before := time.perf_counter()) < started + seconds:
            operation()
            latencies.append((time.perf_counter() - before) * 1000)
        return latencies

    with ThreadPoolExecutor(len(clients)) as executor:
        latencies = [ms for of_client in executor.map(client, clients) for ms in of_client]
    return Round(len(latencies) / (time.perf_counter() - started), latencies)


def _machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "architecture": platform.machine(),
    }
