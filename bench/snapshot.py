"""Commits beside a snapshot that is held open, as by a backup: with rows that are found by their
value, and as before migration 0022, side by side."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

from ledger.database.connections import Connection, connect
from ledger.database.migrations import migrate
from ledger.database.named_sql import Queries
from permit_ledger.embedded.server import EmbeddedPostgres

from .harness import cpu_s, fresh_database

COMMITS = 20_000
QUICK_COMMITS = 4_000
EDGE = 500
"""So many early commits and the last so many are compared; as many before them warm up."""
FORMER = "0022"
"""The first migrations that the other side does not have."""

_APPEND: LiteralString = """SELECT ledger.append(
    event_command => '{0}', event_stream => ARRAY[%s], event_version => '{1}',
    event_topic => '{bench.happened.v1}', event_state => ARRAY['{}'::bytea])"""
_MOVE: LiteralString = (
    "UPDATE views.position SET position = %(until)s WHERE position = %(until)s - 1"
)
_FORMER_MOVE: LiteralString = "UPDATE views.position SET position = %(until)s"
_READ: LiteralString = "SELECT views.reached(), ledger.log_end()"
_FORMER_READ: LiteralString = (
    "SELECT position.position, head.position FROM views.position, ledger.head"
)


@dataclass(frozen=True)
class Cost:
    """An append, a move of the views and a read of both positions together, in ms of the
    processor's time: the medians of early commits and of the last ones."""

    first_ms: float
    last_ms: float

    @property
    def slope(self) -> float:
        return self.last_ms / self.first_ms


def beside_a_snapshot(embedded: EmbeddedPostgres, *, quick: bool) -> dict[str, Cost]:
    """The cost of a commit on either side, in turns."""
    commits = QUICK_COMMITS if quick else COMMITS
    with ExitStack() as stack:
        sides = {
            "now": (stack.enter_context(_database(embedded, "now")), _MOVE, _READ),
            "before": (
                stack.enter_context(_database(embedded, "former")),
                _FORMER_MOVE,
                _FORMER_READ,
            ),
        }
        took: dict[str, list[float]] = {name: [] for name in sides}
        for n in range(1, commits + 1):
            for name, (connection, move, read) in sides.items():
                pid = connection.info.backend_pid
                began = cpu_s(pid)
                connection.execute(_APPEND, [f"s{n}"], prepare=True)
                connection.execute(move, {"until": n}, prepare=True)
                connection.execute(read, prepare=True)
                took[name].append((cpu_s(pid) - began) * 1000)
    return {
        name: Cost(statistics.median(each[EDGE : 2 * EDGE]), statistics.median(each[-EDGE:]))
        for name, each in took.items()
    }


@contextmanager
def _database(embedded: EmbeddedPostgres, name: str) -> Iterator[Connection]:
    """A connection to a database with an empty log, beside which a snapshot is held."""
    with fresh_database(embedded, f"snapshot_{name}") as url, connect(url) as connection:
        if name == "now":
            migrate(connection, "ledger", "projections")
        else:
            connection.execute(Queries("ledger", "sql/migrations.sql").create)
            for package in ("ledger", "projections"):
                for file in sorted(Path(package, "sql", "migrations").glob("*.sql")):
                    if file.name < FORMER:
                        connection.execute(file.read_bytes())
        # A flush takes as long on either side, and varies more than what is measured.
        connection.execute("SET synchronous_commit = off")
        connection.execute("INSERT INTO ledger.topics VALUES ('bench.happened.v1')")
        with connect(url) as backup, backup.transaction():
            backup.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            backup.execute("SELECT FROM ledger.head")
            yield connection
