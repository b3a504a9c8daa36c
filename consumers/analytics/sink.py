"""The statistics' file: events, checks, their roll-ups and positions, always committed together."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

import structlog

from ledger.database.named_sql import Queries

from . import questions
from .batch import Batch, Mark
from .errors import SinkBusy, SinkUnusable
from .facts import COLUMNS, Row
from .rollups import (
    ROLLUPS,
    STEPS,
    VERSION,
    Cells,
    Check,
    Past,
    cells_of_check,
    cells_of_checked_permit,
    cells_of_subject,
)

FILE = "statistics.sqlite"
LOCK_FILE = "statistics.lock"
MEMORY_MB = 48
EVENTS, CHECKS = "events", "checks"

_ERASED = "holder-erased"
_FORMER = ("statistics.duckdb", "statistics.duckdb.wal", "batch.ndjson")
"""Files of earlier versions, which nothing reads any more."""

LOCK_WAIT_S = 30.0
"""How long a write waits for a reader that holds the file, such as a backup."""
_LIMITS = ("temp_store = MEMORY", "trusted_schema = OFF")
_WRITING = (
    "journal_mode = WAL",
    "synchronous = NORMAL",  # a commit that a power failure takes away is read again
    "secure_delete = FAST",  # permit numbers of erased holders do not stay in free pages
    "journal_size_limit = 67108864",
)

_sql = Queries("consumers.analytics", "sql/sink.sql")
_log = structlog.get_logger(__name__)


class Sink:
    """Owns the file while it is open; used by one thread. Others may read it meanwhile.

    What the events of a subject add to the roll-ups is computed from them alone. So a batch reads
    the earlier events of its own subjects, which are stored together, and nothing else: its cost
    does not depend on how many events there are.
    """

    def __init__(self, folder: Path, source: str | None, *, memory_mb: int = MEMORY_MB) -> None:
        """Open or create the file; empty it if its source or its tables differ.

        Without a ``source`` the file has to be there. ``memory_mb`` limits its page cache.

        Raises:
            SinkBusy: another process has it open.
            SinkUnusable: the file can't be opened or created there.
        """
        self._folder, self._source, self._memory_mb = folder, source, memory_mb
        with _explained(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _locked(folder)
        try:
            for name in _FORMER:
                (folder / name).unlink(missing_ok=True)
            self._connection = self._open()
        except BaseException:
            self._lock.close()
            raise

    def rebuild(self) -> None:
        """Start again with an empty file."""
        self._connection.close()
        remove(self._folder / FILE)
        self._connection = self._open()

    def close(self) -> None:
        self._connection.close()
        self._lock.close()

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def connection(self) -> sqlite3.Connection:
        """For single questions."""
        return self._connection

    @property
    def is_of_other_rules(self) -> bool:
        """Whether the roll-ups were computed by another version's rules: count them again."""
        return bool(self._connection.execute(_sql.rules).fetchone() != (rules(),))

    def marks(self, feed: str) -> dict[int, Mark]:
        rows = self._connection.execute(_sql.progress, [feed])
        return {part: Mark(*mark) for part, *mark in rows}

    def write(self, batch: Batch) -> None:
        """Write a batch, what it changes in the roll-ups, and its marks; or nothing."""
        with transaction(self._connection):
            self._put_events(batch.events)
            for record in batch.uncounted:
                self._connection.execute(_sql.park, record)
                self._connection.execute(_sql.park_reason, record[:3])
            for part, mark in batch.marks.items():
                self._connection.execute(_sql.move, [EVENTS, part, *mark])

    def write_checks(self, checks: Sequence[Row]) -> None:
        """Write the next checks, in order, and what they change in the roll-ups."""
        last = checks[-1]["position"]
        with transaction(self._connection):
            self._put_checks([_check(row) for row in checks])
            self._connection.execute(_sql.move, [CHECKS, 0, last + 1, last, last, None])

    def replace_officer_reads(self, rows: Sequence[Row]) -> None:
        with transaction(self._connection):
            self._connection.execute("DELETE FROM officer_reads")
            self._connection.executemany(
                _sql.put_read, [{**row, "day": _plain(row["day"])} for row in rows]
            )

    def vitals(self) -> dict[str, Any]:
        """Return ``position`` and ``recorded_at`` (UTC) of the newest event, and the numbers of
        ``events``, ``checks`` and ``parked`` records."""
        [found] = self.rows(_sql.vitals)
        at = found["recorded_at"]
        return {**found, "recorded_at": datetime.fromisoformat(at) if at else None}

    def uncounted(self) -> list[dict[str, Any]]:
        """Return how many records cannot be counted, by reason, and where the first one is."""
        return self.rows(_sql.parked)

    def rows(self, statement: str) -> list[dict[str, Any]]:
        found = self._connection.execute(statement)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]

    def answers(self, today: date, grace_days: int) -> list[questions.Answer]:
        """Answer all questions, as of one instant."""
        with transaction(self._connection):
            return questions.ask_all(self._connection, today, grace_days)

    def history(self, subject: str) -> list[Past]:
        """Return the events of one subject, in the order of their versions."""
        return [Past._make(row) for row in self._connection.execute(_sql.history, [subject])]

    def checks_of(self, number: str) -> list[Check]:
        """Return the checks of one permit, in the order of their positions."""
        return [Check._make(row) for row in self._connection.execute(_sql.checks_of, [number])]

    # ----------------------------------------------------------------------------------------------

    def _put_events(self, rows: Sequence[Row]) -> None:
        subjects: dict[str, list[Row]] = {}
        for row in rows:
            subjects.setdefault(row["subject"], []).append(row)
        changed = Cells()
        stored: list[Row] = []
        for subject, added in subjects.items():
            before = self.history(subject)
            places = {event[:2] for event in before}
            fresh = {place: row for row in added if (place := _place(row)) not in places}
            after = sorted([*before, *map(_past, fresh.values())], key=lambda event: event[:2])
            changed.subtract(cells_of_subject(subject, before))
            changed.update(cells_of_subject(subject, after))
            stored += fresh.values()
        self._connection.executemany(_sql.put_event, map(_stored, stored))
        for subject in {row["subject"] for row in stored if row["name"] == _ERASED}:
            changed.subtract(cells_of_checked_permit(subject, self.checks_of(subject)))
            self._connection.execute(_sql.unlink, [subject])
        add(self._connection, changed)
        newest = max((_plain(row["recorded_at"]) for row in stored), default="")
        self._connection.execute(_sql.count_events, [len(stored), newest])

    def _put_checks(self, checks: Sequence[Check]) -> None:
        changed = Cells()
        permits: dict[str, list[Check]] = {}
        linked = []
        for check in checks:
            number = check.permit_number
            if number is not None and number not in permits:
                if self._connection.execute(_sql.is_erased, [number]).fetchone():
                    number = None
                else:
                    permits[number] = []
            linked.append(check._replace(permit_number=number))
            if number is not None:
                permits[number].append(check)
            changed.update(cells_of_check(check))
        for number, added in permits.items():
            before = self.checks_of(number)
            changed.subtract(cells_of_checked_permit(number, before))
            changed.update(cells_of_checked_permit(number, [*before, *added]))
        self._connection.executemany(_sql.put_check, linked)
        add(self._connection, changed)

    def _open(self) -> sqlite3.Connection:
        if (found := self._opened()) is not None:
            return found
        if self._source is None:
            raise SinkUnusable(
                f"there are no statistics of this version in {self._folder}:"
                " run `permit-ledger analytics`, or `up`"
            )
        remove(self._folder / FILE)
        with _explained(self._folder):
            (self._folder / FILE).touch(0o600)
            connection = connect(self._folder, memory_mb=self._memory_mb)
            connection.executescript(f"BEGIN; {_text('tables')} {_text('rollups')}")
            connection.execute(_sql.fill_from, [layout(), self._source])
            connection.execute(_sql.begin_counting, [rules()])
            connection.execute("COMMIT")
        return connection

    def _opened(self) -> sqlite3.Connection | None:
        """Open the file, if it is there, and of this layout and source."""
        file = self._folder / FILE
        with _explained(self._folder):
            if not file.exists():
                return None
            file.chmod(0o600)
            try:
                connection = connect(self._folder, memory_mb=self._memory_mb)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                return None  # of another program
        try:
            found = connection.execute(_sql.filled_from).fetchone()
            if found and found[0] == layout() and self._source in {found[1], None}:
                return connection
        except sqlite3.DatabaseError:
            pass  # of another program, or of a start that was killed
        _log.warning("statistics are filled again", reason="another layout or source")
        connection.close()
        return None


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what is done in this context, or roll it back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def add(connection: sqlite3.Connection, cells: Cells, schema: str = "main") -> None:
    """Add to the roll-ups; a cell of ``main`` that becomes 0 is deleted."""
    by_rollup: dict[str, list[tuple[Any, ...]]] = {}
    for (rollup, *key), n in cells.items():
        if n:
            by_rollup.setdefault(str(rollup), []).append((*key, n))
    for rollup, rows in by_rollup.items():
        keys = ROLLUPS[rollup]
        names, places = ", ".join(keys), ", ".join("?" for _ in keys)
        connection.executemany(
            f"INSERT INTO {schema}.{rollup} ({names}, n) VALUES ({places}, ?)"  # noqa: S608  our own names
            f" ON CONFLICT ({names}) DO UPDATE SET n = n + excluded.n",
            sorted(rows),
        )
        if schema == "main":
            where = " AND ".join(f"{key} = ?" for key in keys)
            connection.executemany(
                f"DELETE FROM main.{rollup} WHERE {where} AND n = 0",  # noqa: S608  our own names
                [row[:-1] for row in rows if rollup in STEPS or row[-1] < 0],
            )


def clear(connection: sqlite3.Connection, schema: str) -> None:
    """Delete the cells that are 0."""
    for rollup in ROLLUPS:
        connection.execute(f"DELETE FROM {schema}.{rollup} WHERE n = 0")  # noqa: S608  our own names


def connect(
    folder: Path, *, memory_mb: int = MEMORY_MB, read_only: bool = False
) -> sqlite3.Connection:
    """Open the file, with the questions defined, and a limit for its page cache.

    Raises:
        sqlite3.Error: the file is not there, or not one of SQLite.
    """
    mode = "ro" if read_only else "rw"
    connection = sqlite3.connect(
        f"{(folder / FILE).resolve().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=LOCK_WAIT_S,
    )
    try:
        for pragma in (*_LIMITS, *(() if read_only else _WRITING)):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.execute(f"PRAGMA cache_size = {-1024 * memory_mb}")
        questions.define(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def remove(file: Path) -> None:
    """Remove a file of SQLite, with what it keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        file.with_name(f"{file.name}{suffix}").unlink(missing_ok=True)


def layout() -> str:
    return hashlib.sha256(_text("tables").encode()).hexdigest()


def rules() -> str:
    """What the roll-ups are computed by: their tables, and the version of the rules."""
    return hashlib.sha256(f"{VERSION} {_text('rollups')}".encode()).hexdigest()


def table_texts() -> list[str]:
    """Return the statements that create the roll-ups."""
    return [f"CREATE TABLE {text}" for text in _text("rollups").split("CREATE TABLE ")[1:]]


def _text(name: str) -> str:
    return files("consumers.analytics").joinpath(f"sql/{name}.sql").read_text("utf-8")


def _locked(folder: Path) -> IO[bytes]:
    """Lock the folder until the file that is returned is closed.

    Raises:
        SinkBusy
    """
    descriptor = os.open(
        folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    lock = os.fdopen(descriptor, "r+b")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise SinkBusy(
            f"another process has {folder / FILE}: `permit-ledger analytics` runs on this data"
            " folder"
        ) from None
    return lock


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        raise SinkUnusable(f"the statistics can't be kept in {folder}: {error}") from None


def _place(row: Row) -> tuple[int, int]:
    return row["version"], row["position"]


def _past(row: Row) -> Past:
    return Past._make(_plain(row.get(name)) for name in Past._fields)


def _stored(row: Row) -> dict[str, Any]:
    version = row["type"].rpartition(".v")[2]
    return {"type_version": int(version)} | {name: _plain(row.get(name)) for name in COLUMNS}


def _check(row: Row) -> Check:
    return Check._make(_plain(row.get(name)) for name in Check._fields)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
