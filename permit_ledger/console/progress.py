"""Progress bars on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextmanager
def progress(
    console: Console, what: str, total: int | None
) -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar; call the function it gives with the amount done and the total.

    Nothing is drawn if the output is not a terminal.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=total)

        def report(done: int, of: int | None) -> None:
            bar.update(task, completed=done, total=of)

        yield report


@contextmanager
def stages(console: Console, what: str) -> Iterator[Callable[[str, int, int | None], None]]:
    """The same for work in several stages, with its rate; the function takes the stage as well."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=None, rate="")

        def report(stage: str, done: int, of: int | None) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:,.0f}/s" if speed else ""
            bar.update(task, description=f"{what}: {stage}", completed=done, total=of, rate=rate)

        yield report
