"""The DuckDB file: events, checks and their positions, always committed together."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import orjson
import structlog

from ledger.database.named_sql import Queries

from . import questions
from .batch import Batch, Mark
from .errors import SinkBusy, SinkUnusable
from .facts import COLUMNS, Row

FILE = "statistics.duckdb"
BATCH_FILE = "batch.ndjson"
MEMORY_MB = 192
THREADS = 2
EVENTS, CHECKS, OFFICER_READS = "events", "checks", "officer_reads"
CHECK_COLUMNS: Mapping[str, str] = {
    "position": "BIGINT",
    "checked_at": "TIMESTAMP",
    "permit_number": "VARCHAR",
    "track": "VARCHAR",
    "scenario": "VARCHAR",
    "outcome": "VARCHAR",
    "reason": "VARCHAR",
    "verifier": "VARCHAR",
}
"""Columns of the table ``checks``."""
READ_COLUMNS: Mapping[str, str] = {
    "day": "DATE",
    "station": "VARCHAR",
    "actor": "VARCHAR",
    "reads": "BIGINT",
}
"""Columns of the table ``officer_reads``."""

_ERASED = "holder-erased"

_sql = Queries("consumers.analytics", "sql/sink.sql")
_log = structlog.get_logger(__name__)


class Sink:
    """Owns the file while it is open; used by one thread.

    A batch is loaded from a temporary file of JSON lines, since a statement for each row would take
    hundreds of times as long.
    """

    def __init__(self, folder: Path, source: str, *, memory_mb: int = MEMORY_MB) -> None:
        """Open or create the file; rebuild it if its source or its tables differ.

        Raises:
            SinkBusy: another process has it open.
        """
        self._folder, self._source, self._memory_mb = folder, source, memory_mb
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._connection = self._open()
        if self._connection.execute(_sql.filled_from).fetchone() != (layout(), source):
            _log.warning("statistics are rebuilt", reason="another layout or source")
            self.rebuild()

    def rebuild(self) -> None:
        """Start again with an empty file."""
        self._connection.close()
        for name in (FILE, f"{FILE}.wal"):
            (self._folder / name).unlink(missing_ok=True)
        self._connection = self._open()

    def close(self) -> None:
        self._connection.close()

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """For single questions."""
        return self._connection

    def marks(self, feed: str) -> dict[int, Mark]:
        rows = self._connection.execute(_sql.progress, [feed]).fetchall()
        return {part: Mark(*mark) for part, *mark in rows}

    def write(self, batch: Batch) -> None:
        """Write a batch and its marks, or nothing."""
        with self._transaction():
            self._load(EVENTS, COLUMNS, batch.events)
            for record in batch.uncounted:
                self._connection.execute(_sql.park, list(record))
            for part, mark in batch.marks.items():
                self._connection.execute(_sql.move, [EVENTS, part, *mark])
            if any(row["name"] == _ERASED for row in batch.events):
                self._connection.execute(_sql.unlink_erased, [0])

    def write_checks(self, checks: Sequence[Row]) -> None:
        """Write the next checks, in order."""
        first, last = checks[0]["position"], checks[-1]["position"]
        with self._transaction():
            self._load(CHECKS, CHECK_COLUMNS, checks)
            self._connection.execute(_sql.move, [CHECKS, 0, last + 1, last, last, None])
            self._connection.execute(_sql.unlink_erased, [first])

    def replace_officer_reads(self, rows: Sequence[Row]) -> None:
        with self._transaction():
            self._connection.execute("DELETE FROM officer_reads")
            self._load(OFFICER_READS, READ_COLUMNS, rows)

    def vitals(self) -> dict[str, Any]:
        """Return ``position`` and ``recorded_at`` (UTC) of the newest event, and the numbers of
        ``events``, ``checks`` and ``parked`` records."""
        return self.rows(_sql.vitals)[0]

    def uncounted(self) -> list[dict[str, Any]]:
        """Return how many records cannot be counted, by reason, and where the first one is."""
        return self.rows(_sql.parked)

    def rows(self, statement: str) -> list[dict[str, Any]]:
        found = self._connection.execute(statement)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def answers(self, today: date, grace_days: int) -> list[questions.Answer]:
        """Answer all questions, as of one instant."""
        with self._transaction():
            return questions.ask_all(self._connection, today, grace_days)

    # ----------------------------------------------------------------------------------------------

    def _open(self) -> duckdb.DuckDBPyConnection:
        path = self._folder / FILE
        connection = connect(path, self._folder, memory_mb=self._memory_mb)
        try:
            tables = connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone()
            if tables == (0,):
                connection.execute("BEGIN")
                connection.execute(_tables())
                connection.execute(_sql.fill_from, [layout(), self._source])
                connection.execute("COMMIT")
            path.chmod(0o600)
            if connection.execute(_sql.filled_from).fetchone() == (layout(), self._source):
                questions.define(connection)
        except duckdb.CatalogException:  # tables of another version
            connection.close()
            for name in (FILE, f"{FILE}.wal"):
                (self._folder / name).unlink(missing_ok=True)
            return self._open()
        return connection

    def _load(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        if not rows:
            return
        path = self._folder / BATCH_FILE
        path.unlink(missing_ok=True)  # of a run that was killed
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            file.write(b"\n".join(map(orjson.dumps, rows)))
        try:
            self._connection.execute(
                f"INSERT INTO {table} BY NAME SELECT * FROM read_json(?, columns = ?,"  # noqa: S608  our own names
                " format = 'newline_delimited')",
                [str(path), dict(columns)],
            )
        finally:
            path.unlink()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def connect(
    file: Path | None, folder: Path, *, memory_mb: int = MEMORY_MB, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open DuckDB with limits: memory, threads, no network, and no files outside ``folder``.

    Raises:
        SinkBusy: another process has the file open.
        SinkUnusable: the file can't be opened or created there.
    """
    try:
        connection = duckdb.connect(str(file) if file else ":memory:", read_only=read_only)
    except duckdb.IOException as error:
        if "lock" in str(error):
            raise SinkBusy(
                f"another process has {file}: `permit-ledger analytics` runs on this data folder"
            ) from None
        detail = str(error).partition("\n")[0]
        raise SinkUnusable(f"the statistics can't be kept in {folder}: {detail}") from None
    for setting, value in (
        ("memory_limit", f"{memory_mb}MB"),
        ("threads", str(min(THREADS, os.cpu_count() or 1))),
        ("temp_directory", str(folder / "spill")),
        ("preserve_insertion_order", "false"),
        ("autoinstall_known_extensions", "false"),
        ("autoload_known_extensions", "false"),
    ):
        connection.execute(f"SET {setting} = ?", [value])
    connection.execute("SET allowed_directories = ?", [[str(folder)]])
    connection.execute("SET enable_external_access = false")
    return connection


def _tables() -> str:
    return files("consumers.analytics").joinpath("sql/tables.sql").read_text("utf-8")


def layout() -> str:
    return hashlib.sha256(_tables().encode()).hexdigest()
