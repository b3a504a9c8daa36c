"""The questions of the statistics: each is a view in ``sql/questions``, under its name.

Each has two answers: the whole one, for those who may read the data folder, and the public one. The
public one names no permit and no officer, and contains no number so small that it could identify a
person (:mod:`.withholding`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any, NamedTuple

import duckdb

Connection = duckdb.DuckDBPyConnection


class Share(NamedTuple):
    """The column ``name``: how many of ``per`` in the count ``whole`` are in the count ``part``."""

    name: str
    part: str
    whole: str
    per: int = 1


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    ``keys`` are the columns that identify a row, ``counts`` those that count people or their
    actions; others follow from the counts. ``total`` is the count that includes the other counts.
    ``shares`` are the columns that are the share of one count in another.

    ``is_local`` marks questions about districts or stations, where a small number may identify a
    person. ``for_all`` is a query on the view for the public answer; ``None``: the whole view.
    ``is_supervision`` marks questions about those who work with the ledger: supervisors alone get
    an answer.
    """

    name: str
    keys: tuple[str, ...]
    counts: tuple[str, ...]
    total: str | None = None
    is_local: bool = False
    for_all: str | None = None
    is_supervision: bool = False
    shares: tuple[Share, ...] = ()


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
        shares=(Share("on_time_share", "on_time", "ran_out"),),
    ),
    Question(
        "losses",
        ("month",),
        ("lost", "found", "reissued", "replaced", "in_force"),
        shares=(Share("lost_per_1000", "lost", "in_force", 1000),),
    ),
    Question(
        "applications",
        ("month",),
        ("accepted", "open", "overdue", "returned", "withdrawn", "collected"),
        total="accepted",
        is_local=True,
    ),
    Question(
        "electronic_adoption",
        ("month", "division"),
        ("in_force", "claimed"),
        is_local=True,
        shares=(Share("claimed_share", "claimed", "in_force"),),
    ),
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
    Question(
        "officer_days",
        ("day", "station", "actor"),
        ("voided", "cancelled", "corrected", "restricted", "lifted", "erased", "reads"),
        is_supervision=True,
    ),
    Question(
        "verifier_days",
        ("day", "verifier", "scenario"),
        ("checks", "permits", "never_before", "refused"),
        is_supervision=True,
    ),
)
BY_NAME = {question.name: question for question in QUESTIONS}


@dataclass(frozen=True, slots=True)
class Table:
    """``types`` are DuckDB's; in ``rows``, dates and instants are ISO 8601 texts."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[list[Any]]


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole answer, and the public part before small numbers are withheld."""

    question: Question
    whole: Table
    for_all: Table


def define(connection: Connection) -> None:
    """Create or replace every macro and view."""
    folder = files("consumers.analytics").joinpath("sql")
    for name in ("time", "effects", *(f"questions/{question.name}" for question in QUESTIONS)):
        connection.execute(folder.joinpath(f"{name}.sql").read_text("utf-8"))


def set_day(
    connection: Connection, today: date, grace_days: int, days: Sequence[date] | None = None
) -> None:
    """Set the date that the views take as today; ``days`` replaces their default days."""
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
    """Narrow the type of DuckDB's sums: counts of people fit into ``BIGINT``."""
    return "BIGINT" if kind in {"HUGEINT", "DECIMAL(38,0)"} else kind


def _plain(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
