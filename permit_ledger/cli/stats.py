"""``permit-ledger stats``: the complete statistics, for those who may read the data folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.table import Table as Screen

from permit_ledger.console.private_files import replace_file
from permit_ledger.settings import Settings

from .commandline import DataDir, console, errors_console, explained, settings_of

if TYPE_CHECKING:
    from consumers.analytics.questions import Table

ROWS_SHOWN_MAX = 60


class NotCountedYet(Exception):
    """The message says what to do."""


def stats(
    question: Annotated[
        str | None, typer.Argument(help="Name of one question; without it, all are shown.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the answer as CSV.")
    ] = None,
    parquet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the answer as Parquet.")
    ] = None,
    charts: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write all charts as SVG, in both languages."),
    ] = None,
    day: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATE",
            help="Answer for this date.",
        ),
    ] = None,
    recount: Annotated[
        bool,
        typer.Option(
            "--recount",
            help="Count all events again, say what differs, and repair it; only while the analytics"
            " role is not running.",
        ),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Show or export the complete statistics, small numbers included.

    If a recount is stopped, run it again to continue.
    """
    from consumers.analytics.errors import AnalyticsError  # noqa: PLC0415
    from consumers.analytics.questions import BY_NAME  # noqa: PLC0415

    settings = settings_of(data_dir=data_dir)
    if question is not None and question not in BY_NAME:
        raise typer.BadParameter(f"there is {', '.join(BY_NAME)}, and no {question}")
    if question is None and (csv or parquet):
        raise typer.BadParameter("name the question whose answer is to be written")
    if recount and (question or csv or parquet or charts or day):
        raise typer.BadParameter("--recount goes with no question and no other option of answers")
    with explained(AnalyticsError, NotCountedYet, sqlite3.Error):
        if recount:
            _recount(settings)
            return
        head, tables = _answers(settings, _dates(day))
        names = [question] if question else list(tables)
        if charts:
            typer.echo(f"{_draw(tables, date.fromisoformat(head['today']), charts)} charts")
        for name in names:
            if csv or parquet:
                _export(tables[name], csv, parquet)
            elif not charts:
                console.print(_screen(name, tables[name]))
        typer.echo(f"as of event {head['as_of_position']:,}, for {head['today']}")
        if head["parked"]:
            typer.echo(f"{head['parked']:,} records can't be counted:")
            for one in head["parked_by_reason"]:
                typer.echo(
                    f"  {one['records']:,} × {one['reason']}, the first in partition"
                    f" {one['partition']} at offset {one['first_offset']}"
                )


def _dates(days: list[str] | None) -> list[date]:
    try:
        return [date.fromisoformat(day) for day in days or ()]
    except ValueError:
        raise typer.BadParameter("a date looks like 2026-11-26") from None


def _answers(settings: Settings, days: list[date]) -> tuple[dict[str, Any], dict[str, Table]]:
    """Read the last published answers, or query the file for other days."""
    from consumers.analytics.publishing import ANSWERS_FILE  # noqa: PLC0415
    from consumers.analytics.questions import Table  # noqa: PLC0415

    folder = settings.statistics_dir
    try:
        head = orjson.loads((folder / ANSWERS_FILE).read_bytes())
    except FileNotFoundError:
        raise NotCountedYet(
            f"nothing is counted in {folder} yet: run `permit-ledger analytics`, or `up`"
        ) from None
    if days:
        return head, _asked_for(settings, days, date.fromisoformat(head["today"]))
    found = head["answers"].items()
    return head, {
        name: Table(tuple(one["columns"]), tuple(one["types"]), one["rows"]) for name, one in found
    }


def _asked_for(settings: Settings, days: list[date], today: date) -> dict[str, Table]:
    from consumers.analytics.questions import QUESTIONS, ask, set_day  # noqa: PLC0415
    from permit_ledger.bootstrap.cli_context import policy_in_force  # noqa: PLC0415

    with _file(settings) as connection:
        set_day(connection, today, policy_in_force(settings).late_grace_days, days)
        return {question.name: ask(connection, question).whole for question in QUESTIONS}


@contextmanager
def _file(settings: Settings) -> Iterator[Any]:
    from consumers.analytics.sink import connect  # noqa: PLC0415

    connection = connect(
        settings.statistics_dir, memory_mb=settings.analytics_memory_mb, read_only=True
    )
    try:
        connection.execute("BEGIN")  # all questions as of one instant
        yield connection
    finally:
        connection.close()


def _recount(settings: Settings) -> None:
    from consumers.analytics.recount import recount  # noqa: PLC0415
    from consumers.analytics.sink import Sink  # noqa: PLC0415
    from permit_ledger.console.progress import stages  # noqa: PLC0415

    folder, memory_mb = settings.statistics_dir, settings.analytics_memory_mb
    with (
        closing(Sink(folder, None, memory_mb=memory_mb)) as sink,
        stages(errors_console, "recount") as progress,
    ):
        differences = recount(sink, progress) or []
        events = sink.vitals()["events"]
    for one in differences:
        typer.echo(f"{one.rollup}: {one.live:,} cells were wrong, {one.recounted:,} are right")
    if differences:
        typer.echo("repaired; the role publishes it at its next start")
        raise typer.Exit(1)
    typer.echo(f"{events:,} events counted again: every roll-up is equal")


def _export(table: Table, csv: Path | None, parquet: Path | None) -> None:
    from consumers.analytics.exports import csv_bytes, parquet_bytes  # noqa: PLC0415

    if csv:
        replace_file(csv, csv_bytes(table))
    if parquet:
        replace_file(parquet, parquet_bytes(table))


def _draw(tables: dict[str, Table], today: date, folder: Path) -> int:
    """Draw all charts; return how many."""
    from consumers.analytics.chart_kinds import KINDS  # noqa: PLC0415
    from consumers.analytics.chart_texts import LANGUAGES  # noqa: PLC0415
    from consumers.analytics.charts import WIDTHS_PX, svg_of  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    drawn = 0
    for kind in KINDS:
        for language in LANGUAGES:
            table = tables[kind.question]
            svg = svg_of(kind, table, today, language, WIDTHS_PX["wide"], titled=True)
            if svg is not None:
                replace_file(folder / f"{kind.name}.{language}.svg", svg.encode())
                drawn += 1
    return drawn


def _screen(name: str, table: Table) -> Screen:
    screen = Screen(title=name, title_justify="left", title_style="bold")
    for column, kind in zip(table.columns, table.types, strict=True):
        is_number = kind in {"BIGINT", "INTEGER", "DOUBLE"}
        screen.add_column(column, justify="right" if is_number else "left")
    for row in table.rows[:ROWS_SHOWN_MAX]:
        screen.add_row(*(_said(value) for value in row))
    if (more := len(table.rows) - ROWS_SHOWN_MAX) > 0:
        screen.caption = f"and {more:,} more: --csv FILE has all"
    return screen


def _said(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int | float) else str(value)
