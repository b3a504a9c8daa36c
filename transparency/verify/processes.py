"""Worker processes for the verification, all on one snapshot of the database."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from ledger.database.connections import Connection, connect
from ledger.database.named_sql import Queries
from ledger.processes.parent import exit_with_parent
from transparency.notes import NoteVerifier

from .manifest_check import Stored, check_manifest
from .rows import (
    Checked,
    Positions,
    Streams,
    check_audit_reads,
    check_checks,
    check_events,
    check_manifests,
)
from .scratch import Scratch, Where
from .signatures import Sizes, unsigned

APPLICATION = "permit-ledger verify-log"

_sql = Queries("transparency", "sql/verifying.sql")


@dataclass(frozen=True, slots=True)
class Shared:
    """Parameters of every process; can be pickled."""

    database_url: str
    snapshot: str
    wheres: dict[str, Where]
    origins: dict[str, str]
    keys: list[NoteVerifier]


@dataclass(frozen=True, slots=True)
class Task:
    """A unit of work: a range of a tree's rows or checkpoints, or a manifest."""

    tree: str
    within: Streams | Positions | Sizes | Stored


Outcome = Checked | dict[int, str] | list[str]


@contextmanager
def reading_only(database_url: str) -> Iterator[Connection]:
    """Open a connection with a read-only transaction."""
    with connect(database_url, application_name=APPLICATION) as connection:
        connection.execute(_sql.begin)
        yield connection


@contextmanager
def reading_by_statement(database_url: str) -> Iterator[Connection]:
    """Open a connection that only reads, each statement in a snapshot of its own: none is held open
    for as long as a copy takes."""
    with connect(database_url, application_name=APPLICATION) as connection:
        connection.execute("SET default_transaction_read_only = on")
        yield connection


class Worker:
    """Runs the tasks of one process."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._connection = connect(shared.database_url, application_name=APPLICATION)
        self._connection.execute(_sql.begin)
        self._connection.execute(f"SET TRANSACTION SNAPSHOT '{shared.snapshot}'")
        self._scratch = {tree: Scratch(where) for tree, where in shared.wheres.items()}

    def close(self) -> None:
        self._connection.close()
        for scratch in self._scratch.values():
            scratch.__exit__(None, None, None)

    def do(self, task: Task) -> Outcome:
        scratch, origin = self._scratch[task.tree], self._shared.origins[task.tree]
        match task.within:
            case Sizes():
                return unsigned(self._connection, task.tree, origin, self._shared.keys, task.within)
            case Stored():
                return check_manifest(self._connection, scratch, task.within)
            case Streams():
                return check_events(self._connection, scratch, task.within)
            case Positions() if task.tree == "checks":
                return check_checks(self._connection, scratch, task.within)
            case Positions() if task.tree == "audit-reads":
                return check_audit_reads(self._connection, scratch, task.within)
            case _:
                return check_manifests(self._connection, scratch, task.within)


def done(shared: Shared, tasks: list[Task], workers: int) -> Iterator[tuple[Task, Outcome]]:
    """Run tasks; yield each with its outcome, in any order. A single worker is this process."""
    if workers <= 1:
        worker = Worker(shared)
        try:
            yield from ((task, worker.do(task)) for task in tasks)
        finally:
            worker.close()
        return
    with ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=_start, initargs=(shared,)
    ) as pool:
        waiting: dict[Future[Outcome], Task] = {pool.submit(_do, task): task for task in tasks}
        try:
            for future in as_completed(waiting):
                yield waiting.pop(future), future.result()
        finally:
            pool.shutdown(cancel_futures=True)


_workers: list[Worker] = []
"""The worker of this process; it ends with the process."""


def _start(shared: Any) -> None:
    exit_with_parent()
    _workers.append(Worker(shared))


def _do(task: Task) -> Outcome:
    return _workers[0].do(task)
