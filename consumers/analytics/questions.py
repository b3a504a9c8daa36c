"""The questions people ask: each is a view of its own name in ``sql/questions``.

Two answers come of each: the whole one, for whoever may read the data folder, and the one for
everybody. The latter names no permit and no officer, and no number that is so small that it may be
about somebody (:mod:`.withholding`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any

import duckdb

Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Question:
    """``keys`` are the columns that say what a row is about, ``counts`` those that count people
    or what they did; others follow from the counts. ``total`` is the count that others are part of.

    ``is_local`` ones tell of districts or stations, where a small number may be about somebody.
    ``for_all`` is what everybody may see of it: a query on the view; ``None``: all of it.
    """

    name: str
    keys: tuple[str, ...]
    counts: tuple[str, ...]
    total: str | None = None
    is_local: bool = False
    for_all: str | None = None


QUESTIONS: tuple[Question, ...] = (
    Question(
        "in_force_by_district",
        ("day", "division"),
        ("in_force", "in_force_known_then"),
        is_local=True,
    ),
    Question("delivery_times", ("station",), ("cards", "collected_after_due"), is_local=True),
    Question(
        "endorsements_due",
        ("division",),
        ("due_in_30_days", "due_in_60_days", "due_in_90_days", "in_force"),
        is_local=True,
    ),
    Question(
        "endorsement_outcomes",
        ("month",),
        ("ran_out", "on_time", "in_grace", "late", "pending", "lapsed"),
        total="ran_out",
    ),
    Question("losses", ("month",), ("lost", "found", "reissued", "replaced", "in_force")),
    Question(
        "applications",
        ("month",),
        ("accepted", "open", "overdue", "returned", "withdrawn", "collected"),
        total="accepted",
        is_local=True,
    ),
    Question("electronic_adoption", ("month", "division"), ("in_force", "claimed"), is_local=True),
    Question(
        "checks_answered",
        ("scenario", "track", "outcome", "reason"),
        ("checks", "checks_in_30_days"),
    ),
    Question(
        "corrections",
        ("what",),
        ("times", "late_times"),
        for_all="SELECT what, sum(times) AS times,"
        " coalesce(sum(times) FILTER (max_days_late > 0), 0) AS late_times"
        " FROM corrections GROUP BY what ORDER BY times DESC, what",
    ),
    Question(
        "station_throughput",
        ("station",),
        ("issued", "endorsed", "cards", "other", "total"),
        total="total",
        is_local=True,
        for_all="SELECT station, sum(issued) AS issued, sum(endorsed) AS endorsed,"
        " sum(cards) AS cards, sum(other) AS other, sum(total) AS total"
        " FROM station_throughput GROUP BY station ORDER BY total DESC, station",
    ),
    Question(
        "suspicious",
        ("pattern",),
        ("permits",),
        for_all="SELECT pattern, count(*) AS permits FROM suspicious"
        " GROUP BY pattern ORDER BY pattern",
    ),
)
BY_NAME = {question.name: question for question in QUESTIONS}


@dataclass(frozen=True, slots=True)
class Table:
    """``types`` as DuckDB has them; in ``rows`` dates and instants are ISO 8601 texts."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[list[Any]]


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole of it, and what of it everybody may see before small numbers are withheld."""

    question: Question
    whole: Table
    for_all: Table


def define(connection: Connection) -> None:
    """Make, or make anew, every macro and view."""
    folder = files("consumers.analytics").joinpath("sql")
    for name in ("time", "effects", *(f"questions/{question.name}" for question in QUESTIONS)):
        connection.execute(folder.joinpath(f"{name}.sql").read_text("utf-8"))


def set_day(
    connection: Connection, today: date, grace_days: int, days: Sequence[date] | None = None
) -> None:
    """What the views take for today; ``days`` are others to answer for than the usual ones."""
    connection.execute(f"SET VARIABLE today = DATE '{today}'")
    connection.execute(f"SET VARIABLE grace_days = {int(grace_days)}")
    listed = ", ".join(f"DATE '{day}'" for day in days or ())
    connection.execute(f"SET VARIABLE days = {f'[{listed}]' if days else 'NULL'}")


def ask_all(connection: Connection, today: date, grace_days: int) -> list[Answer]:
    set_day(connection, today, grace_days)
    return [ask(connection, question) for question in QUESTIONS]


def ask(connection: Connection, question: Question) -> Answer:
    whole = _table(connection, f"SELECT * FROM {question.name}")  # noqa: S608  our own name
    if question.for_all is None:
        return Answer(question, whole, whole)
    return Answer(question, whole, _table(connection, question.for_all))


def _table(connection: Connection, statement: str) -> Table:
    found = connection.execute(statement)
    columns = tuple(column[0] for column in found.description)
    types = tuple(str(column[1]) for column in found.description)
    rows = [[_plain(value) for value in row] for row in found.fetchall()]
    return Table(columns, tuple(_simple(kind) for kind in types), rows)


def _simple(kind: str) -> str:
    """Sums of counts are as wide as DuckDB can; counts of people are not."""
    return "BIGINT" if kind in {"HUGEINT", "DECIMAL(38,0)"} else kind


def _plain(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
