"""What every benchmark shares: a database, a table on the screen, a file of results."""

from __future__ import annotations

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

from permit_ledger.embedded import EmbeddedPostgres

RESULTS = Path(__file__).parent / "results"


@dataclass
class Result:
    """``ratios`` are ``what_vs_baseline``; ``figures`` are whatever explains them."""

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
class Rates:
    """Operations a second in each round, and the latency of one."""

    rounds: Sequence[float]
    latencies_ms: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def p50_ms(self) -> float:
        return statistics.median(self.latencies_ms)

    @property
    def p99_ms(self) -> float:
        return statistics.quantiles(self.latencies_ms, n=100)[98]


@contextmanager
def server() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of the benchmark's own, flushing to disk as it should."""
    with (
        tempfile.TemporaryDirectory(prefix="permit-ledger-bench-") as folder,
        EmbeddedPostgres(Path(folder)) as embedded,
    ):
        yield embedded


@contextmanager
def fresh_database(embedded: EmbeddedPostgres, name: str) -> Iterator[str]:
    """An empty database, dropped afterwards."""
    with psycopg.connect(embedded.url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name}")
        yield make_conninfo(embedded.url, dbname=name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def run_for(
    seconds: float, clients: int, operation: Callable[[], object]
) -> tuple[int, list[float]]:
    """``clients`` threads call ``operation`` until time is up: how often, and each one's ms."""
    end = time.perf_counter() + seconds

    def client(_: int) -> list[float]:
        latencies = []
        while (started := time.perf_counter()) < end:
            operation()
            latencies.append((time.perf_counter() - started) * 1000)
        return latencies

    with ThreadPoolExecutor(clients) as executor:
        all_latencies = [
            ms for latencies in executor.map(client, range(clients)) for ms in latencies
        ]
    return len(all_latencies), all_latencies


def _machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "architecture": platform.machine(),
    }
