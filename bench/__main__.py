"""``./dev bench [name] [--quick] [--minutes N]``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console

from bench.analytics import bench_analytics
from bench.append import bench_append
from bench.bulk import bench_bulk
from bench.checks import bench_checks
from bench.forged import bench_forged
from bench.growth import bench_growth
from bench.hostile import bench_hostile
from bench.http import bench_http
from bench.kills import bench_kills
from bench.map import bench_map
from bench.peers import bench_peers
from bench.projections import bench_projections
from bench.reads import bench_reads
from bench.relay import bench_relay
from bench.remote import bench_remote
from bench.sealing import bench_sealing
from bench.soak import bench_soak
from bench.tree import bench_tree

BENCHMARKS: dict[str, Callable[..., None]] = {
    "append": bench_append,
    "bulk": bench_bulk,
    "peers": bench_peers,
    "projections": bench_projections,
    "sealing": bench_sealing,
    "checks": bench_checks,
    "http": bench_http,
    "reads": bench_reads,
    "tree": bench_tree,
    "map": bench_map,
    "growth": bench_growth,
    "analytics": bench_analytics,
    "remote": bench_remote,
    "hostile": bench_hostile,
    "forged": bench_forged,
    "kills": bench_kills,
    "relay": bench_relay,
    "soak": bench_soak,
}

_console = Console()


def main(
    name: Annotated[str | None, typer.Argument(help=f"{', '.join(BENCHMARKS)}; none: all")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Within a minute each.")] = False,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0.1, max=10_000, help="How long to soak.")
    ] = None,
) -> None:
    """Measure, print a table, and write bench/results/<name>.json."""
    if name is not None and name not in BENCHMARKS:
        raise typer.BadParameter(f"there is {', '.join(BENCHMARKS)}, and no {name}")
    if minutes is not None and name != "soak":
        raise typer.BadParameter("only soak lasts for so many minutes")
    for benchmark in [BENCHMARKS[name]] if name else BENCHMARKS.values():
        lasting = {"minutes": minutes} if minutes is not None else {}
        benchmark(_console, quick=quick, **lasting)


if __name__ == "__main__":  # a rebuild's child processes import this module
    typer.run(main)
