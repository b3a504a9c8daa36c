"""A second definition of every question: SQL in DuckDB, over all events and checks, with nothing
added up in advance. What the roll-ups answer has to equal it."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import duckdb
import orjson

from consumers.analytics.questions import QUESTIONS
from consumers.analytics.sink import Sink

FOLDER = Path(__file__).parent
TABLES = ("events", "checks", "officer_reads")


class Recount:
    """In memory; one for many sinks."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("SET threads = 1")
        names = ["tables", "time", "effects", *(f"questions/{each.name}" for each in QUESTIONS)]
        for name in names:
            self._connection.execute((FOLDER / f"{name}.sql").read_text("utf-8"))

    def load(self, sink: Sink) -> "Recount":
        for table in TABLES:
            self._connection.execute(f"DELETE FROM {table}")
            columns = self._connection.execute(
                "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ?"
                " AND database_name = 'memory'",
                [table],
            ).fetchall()
            rows = sink.rows(f"SELECT {', '.join(name for name, _ in columns)} FROM {table}")
            if not rows:
                continue
            with NamedTemporaryFile(suffix=".ndjson") as file:
                file.write(b"\n".join(map(orjson.dumps, rows)))
                file.flush()
                self._connection.execute(
                    f"INSERT INTO {table} BY NAME SELECT * FROM read_json(?, columns = ?,"
                    " format = 'newline_delimited')",
                    [file.name, dict(columns)],
                )
        return self

    def set_day(
        self, today: date, grace_days: int = 30, days: Sequence[date] | None = None
    ) -> None:
        """What the questions take as today; ``days`` replaces their default days."""
        listed = ", ".join(f"DATE '{day}'" for day in days or ())
        self._connection.execute(f"SET VARIABLE today = DATE '{today}'")
        self._connection.execute(f"SET VARIABLE grace_days = {grace_days}")
        self._connection.execute(f"SET VARIABLE days = {f'[{listed}]' if days else 'NULL'}")

    def rows(self, statement: str) -> list[dict[str, Any]]:
        found = self._connection.execute(statement)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def answer(self, name: str) -> tuple[tuple[str, ...], list[list[Any]]]:
        """Its columns and rows, as a question's table has them."""
        found = self._connection.execute(f"SELECT * FROM {name}")
        columns = tuple(column[0] for column in found.description)
        return columns, [[_plain(value) for value in row] for row in found.fetchall()]

    def answers(self) -> dict[str, tuple[tuple[str, ...], list[list[Any]]]]:
        return {question.name: self.answer(question.name) for question in QUESTIONS}


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return int(value) if isinstance(value, Decimal) else value
