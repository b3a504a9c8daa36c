"""``./dev bench [name] [--quick]``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console

from .append import bench_append
from .bulk import bench_bulk
from .checks import bench_checks
from .kills import bench_kills
from .projections import bench_projections
from .sealing import bench_sealing

BENCHMARKS: dict[str, Callable[..., None]] = {
    "append": bench_append,
    "bulk": bench_bulk,
    "projections": bench_projections,
    "sealing": bench_sealing,
    "checks": bench_checks,
    "kills": bench_kills,
}

_console = Console()


def main(
    name: Annotated[str | None, typer.Argument(help=f"{', '.join(BENCHMARKS)}; none: all")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Within a minute each.")] = False,
) -> None:
    """Measure, print a table, and write bench/results/<name>.json."""
    if name is not None and name not in BENCHMARKS:
        raise typer.BadParameter(f"there is {', '.join(BENCHMARKS)}, and no {name}")
    for benchmark in [BENCHMARKS[name]] if name else BENCHMARKS.values():
        benchmark(_console, quick=quick)


if __name__ == "__main__":  # not in the processes that a rebuild starts
    typer.run(main)
