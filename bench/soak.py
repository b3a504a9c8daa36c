"""Projectors under random faults for some minutes: every read has to be right, each count of
violations has to be 0, and takeovers have to be fast.

The load, the faults and the checks are those of ``tests/chaos/test_projectors_soak.py``.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Sequence
from typing import Any

import structlog
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.harness import Result, server
from ledger.database.connections import connect
from permit_ledger.bootstrap.setup import prepare
from tests.chaos.soak import Soak
from tests.chaos.workload import BLIND_INDEX
from tests.keks import keyring

MINUTES = 10.0
QUICK_MINUTES = 0.5
"""Leaves some seconds for the start and the final check."""
SEED = 20260105
TAKEOVER_S_MAX = 2.0
RSS_MIB_MAX = 300


def bench_soak(console: Console, *, quick: bool, minutes: float | None = None) -> None:
    """Print a table of faults and observations; exit with 1 if anything is wrong."""
    seconds = 60 * (minutes or (QUICK_MINUTES if quick else MINUTES))
    logging.disable(logging.WARNING)  # each outage would be some
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with server() as (_, embedded):
        with connect(embedded.url) as connection:
            prepare(connection, BLIND_INDEX, keyring())
        with (
            Soak(embedded.url, SEED) as soak,
            Progress(console=console, transient=True) as progress,
        ):
            started = time.monotonic()
            task = progress.add_task("soak", total=seconds)
            while (elapsed := time.monotonic() - started) < seconds:
                progress.update(task, completed=elapsed)
                soak.hurt()
            problems = soak.judged()
            figures = soak.figures
    takeovers = figures.pop("takeover_s")
    figures = {
        "seed": SEED,
        "seconds": round(seconds),
        **figures,
        "takeover_s": {"p50": _percentile(takeovers, 50), "max": max(takeovers, default=0.0)},
        "visible_ms": {n: _percentile(soak.waited.visible_ms, p) for n, p in _PERCENTILES},
        "wrong": problems,
    }
    Result("soak", figures=figures).show(console, _table(figures))
    if figures["takeover_s"]["max"] >= TAKEOVER_S_MAX or figures["rss_mib_max"] >= RSS_MIB_MAX:
        problems.setdefault("short", []).append("a goal was not reached")
    if problems:
        console.print(problems)
        raise SystemExit(1)


_PERCENTILES = (("p50", 50), ("p99", 99))


def _table(figures: dict[str, Any]) -> Table:
    table = Table("what", "count", "goal", title="soak")
    for name in ("seconds", "events", "permits"):
        table.add_row(name, f"{figures[name]:,}", "")
    for fault, count in figures["faults"].items():
        table.add_row(f"fault: {fault}", f"{count:,}", "")
    for name in ("poisoned_permits", "released_permits", "reads", "rows_compared"):
        table.add_row(name.replace("_", " "), f"{figures[name]:,}", "")
    table.add_row("faces compared", f"{figures['faces_compared']:,}", "")
    table.add_row("restarts in the middle of a page", str(figures["restarts_in_a_page"]), "")
    for name in ("disagreements", "lost"):
        table.add_row(name, f"{figures[name]:,}", _goal("0", reached=not figures[name]))
    table.add_row("otherwise wrong", str(len(figures["wrong"])), "0")
    takeover, visible = figures["takeover_s"], figures["visible_ms"]
    table.add_row("takeover after a kill, p50 s", f"{takeover['p50']:.2f}", "")
    goal = _goal(f"< {TAKEOVER_S_MAX:.0f} s", reached=takeover["max"] < TAKEOVER_S_MAX)
    table.add_row("… max s", f"{takeover['max']:.2f}", goal)
    frozen = ", ".join(f"{seconds:.2f}" for seconds in figures["frozen_takeover_s"])
    table.add_row("stepped in for a frozen leader, s", frozen, "")
    table.add_row("frozen in a page, for 3 s", str(figures["frozen_in_a_page"]), "")
    table.add_row("commit to visible, p50 ms", f"{visible['p50']:.1f}", "")
    table.add_row("… p99 ms, faults included", f"{visible['p99']:.0f}", "")
    goal = _goal(f"< {RSS_MIB_MAX} MiB", reached=figures["rss_mib_max"] < RSS_MIB_MAX)
    table.add_row("a projector's memory, peak MiB", f"{figures['rss_mib_max']:.0f}", goal)
    table.add_row("… growth in its second half", f"{figures['rss_growth_mib']:.1f}", "flat")
    return table


def _goal(goal: str, *, reached: bool) -> str:
    return f"{goal}: {'reached' if reached else 'SHORT'}"


def _percentile(values: Sequence[float], percent: int) -> float:
    """The percentile; of one value that value, of none 0."""
    if len(values) < 2:
        return values[0] if values else 0.0
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
