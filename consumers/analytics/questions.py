"""The questions of the statistics: each is a view of the roll-ups, in ``sql/questions``, under its
name.

Each has two answers: the whole one, for those who may read the data folder, and the public one. The
public one names no permit and no officer, and contains no number so small that it could identify a
person (:mod:`.withholding`).
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from types import MappingProxyType
from typing import Any, NamedTuple

from domain.calendar import add_months

Connection = sqlite3.Connection
MONTHS_SHOWN = 12


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
        " coalesce(sum(times) FILTER (WHERE max_days_late > 0), 0) AS late_times"
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


TYPES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("day", "month"), "DATE"),
        **dict.fromkeys(("first_at", "last_at"), "TIMESTAMP"),
        **dict.fromkeys(("p50_days", "p90_days", "p50_days_late"), "DOUBLE"),
        **dict.fromkeys(("on_time_share", "lost_per_1000", "claimed_share"), "DOUBLE"),
        **dict.fromkeys(
            ("division", "station", "actor", "what", "scenario", "track", "outcome", "reason"),
            "VARCHAR",
        ),
        **dict.fromkeys(("pattern", "permit_number", "verifier"), "VARCHAR"),
        "is_unusual": "BOOLEAN",
    }
)
"""Of columns that are no counts, as Parquet names them."""
COUNT = "BIGINT"


@dataclass(frozen=True, slots=True)
class Table:
    """``types`` are those of Parquet; in ``rows``, dates and instants are ISO 8601 texts."""

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
    """Create every function and view, in the connection alone."""
    connection.create_function("month_of", 1, _month_of, deterministic=True)
    connection.create_function("rounded", 2, _rounded, deterministic=True)
    connection.create_aggregate("quantile", 3, _Quantile)  # type: ignore[arg-type]  # of three
    folder = files("consumers.analytics").joinpath("sql")
    for name in ("asked", *(f"questions/{question.name}" for question in QUESTIONS)):
        connection.executescript(folder.joinpath(f"{name}.sql").read_text("utf-8"))


def set_day(
    connection: Connection, today: date, grace_days: int, days: Sequence[date] | None = None
) -> None:
    """Set the date that the views take as today; ``days`` replaces their default days.

    Ask in the same transaction, or before anything is written.
    """
    shown = sorted(set(days or default_days(today)))
    texts = [day.isoformat() for day in shown]
    connection.execute("DELETE FROM asked")
    connection.execute("INSERT INTO asked VALUES (?, ?)", [today.isoformat(), grace_days])
    connection.execute("DELETE FROM days")
    connection.executemany(
        "INSERT INTO days VALUES (?, ?)", zip(texts, ["", *texts[:-1]], strict=True)
    )
    connection.execute("DELETE FROM standing")
    connection.execute("INSERT INTO standing SELECT * FROM standing_now")


def default_days(today: date) -> list[date]:
    """Return today and the last day of each of the twelve months before."""
    month = today.replace(day=1)
    return [today, *(add_months(month, -n) - timedelta(days=1) for n in range(MONTHS_SHOWN))]


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
    types = tuple(TYPES.get(name, COUNT) for name in columns)
    rows = [[_typed(*each) for each in zip(row, types, strict=True)] for row in found]
    return Table(columns, types, rows)


def _typed(value: Any, kind: str) -> Any:
    return bool(value) if kind == "BOOLEAN" else value


def _month_of(day: str) -> str:
    return f"{day[:-2]}01"


def _rounded(value: float | None, digits: int) -> float | None:
    """Half up."""
    if value is None:
        return None
    scale: int = 10**digits
    return math.floor(value * scale + 0.5) / scale


class _Quantile:
    """The quantile of values that occur several times each, interpolated between two of them."""

    def __init__(self) -> None:
        self._times: Counter[int] = Counter()
        self._share = 0.0

    def step(self, value: int, times: int, share: float) -> None:
        self._times[value] += times
        self._share = share

    def finalize(self) -> float | None:
        if not self._times:
            return None
        place = self._share * (self._times.total() - 1)
        weight = place - math.floor(place)
        low, high = self._at(math.floor(place)), self._at(math.ceil(place))
        return low * (1 - weight) + high * weight

    def _at(self, place: int) -> int:
        for value, times in sorted(self._times.items()):
            place -= times
            if place < 0:
                return value
        raise IndexError(place)
