"""Diagnoses a position that differs: missing, moved, replaced, or changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import orjson

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.database.rows import rows as query_rows
from ledger.database.rows import scalars
from transparency.entries import audit_read_entry, check_entry, event_entry
from transparency.merkle import leaf_hash

from .scratch import Mark, Scratch

AROUND = 2
"""Neighbours that are read too: renumbered rows have usually moved by a few positions."""
VERSIONS_MAX = 3

_sql = Queries("transparency", "sql/verifying.sql")


class _Event(NamedTuple):
    position: int
    stream: str
    version: int
    topic: str
    state: bytes
    salt: bytes | None


class _Rows:
    """The rows of one tree around the positions that differ."""

    def __init__(self, connection: Connection, scratch: Scratch, positions: list[int]) -> None:
        self._scratch = scratch
        self._connection = connection
        rows = connection.execute(self._query(), {"positions": positions}, binary=True).fetchall()
        self.rows: dict[int, Any] = {row[0]: self._row(row) for row in cast("list[Any]", rows)}

    def is_at(self, row: Any, position: int) -> bool:
        """Return whether a row is the one that was signed at a position."""
        wanted = self._scratch.leaf(position)
        return any(leaf_hash(entry) == wanted for entry in self._entries(row, position))

    def changed(self, position: int) -> str:
        raise NotImplementedError

    def _query(self) -> Any:
        raise NotImplementedError

    def _row(self, row: Any) -> Any:
        raise NotImplementedError

    def _entries(self, row: Any, position: int) -> Iterator[bytes]:
        """Return the entries that the row may have had at a position."""
        raise NotImplementedError


class _Events(_Rows):
    def __init__(self, connection: Connection, scratch: Scratch, positions: list[int]) -> None:
        super().__init__(connection, scratch, positions)
        streams = list({row.stream for row in self.rows.values()})
        self._versions: dict[tuple[str, int], int] = {
            (stream, version): position
            for stream, version, position in query_rows(
                connection, _sql.versions_at, {"streams": streams}
            )
        }
        self._suspects = sorted(positions)

    def changed(self, position: int) -> str:
        """Describe which column was changed, if that can be found out."""
        row = self.rows[position]
        for version in range(1, row.version + VERSIONS_MAX):
            if self.is_at(row._replace(version=version), position):
                return f"its version was {version}, and is {row.version} now"
        for topic in self._topics():
            if self.is_at(row._replace(topic=topic), position):
                return f"its topic was {topic}, and is {row.topic} now"
        for stream in {other.stream for other in self.rows.values()}:
            if self.is_at(row._replace(stream=stream), position):
                return f"its stream was {stream}, and is {row.stream} now"
        return "what is stored is not what was signed"

    def _topics(self) -> list[str]:
        return scalars(self._connection, _sql.topics)

    def _query(self) -> Any:
        return _sql.events_at

    def _row(self, row: Any) -> _Event:
        return _Event(*row)

    def _entries(self, row: _Event, position: int) -> Iterator[bytes]:
        for previous in self._previous(row):
            yield event_entry(position, *row[1:], previous)

    def _previous(self, row: _Event) -> list[bytes | None]:
        """Return candidates for the previous version's leaf, which may have been moved as well."""
        before = self._versions.get((row.stream, row.version - 1))
        if before is None:
            return [None]
        near = range(before - AROUND, before + AROUND + 1)
        others = self._suspects if before in self._suspects else ()
        return [None, *(self._scratch.leaf(place) for place in dict.fromkeys([*near, *others]))]


class _Checks(_Rows):
    def changed(self, position: int) -> str:
        _, check_id, state, salt = self.rows[position]
        try:
            signed_id = orjson.loads(state)["check_id"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            signed_id = None
        if signed_id and self.is_at((position, signed_id, state, salt), position):
            return f"its check_id was {signed_id}, and is {check_id} now"
        return "what is stored is not what was signed"

    def _query(self) -> Any:
        return _sql.checks_at

    def _row(self, row: Any) -> Any:
        return row

    def _entries(self, row: Any, position: int) -> Iterator[bytes]:
        yield check_entry(position, *row[1:])


class _AuditReads(_Rows):
    def changed(self, position: int) -> str:  # noqa: ARG002  as the others
        return "what is stored is not what was signed"

    def _query(self) -> Any:
        return _sql.audit_reads_at

    def _row(self, row: Any) -> Any:
        return row

    def _entries(self, row: Any, position: int) -> Iterator[bytes]:
        _, *members, salt = row
        yield audit_read_entry(position, *members, salt=salt)


class _Manifests(_Rows):
    def changed(self, position: int) -> str:  # noqa: ARG002  as the others
        return "what is stored is not what was signed"

    def _query(self) -> Any:
        return _sql.manifests_at

    def _row(self, row: Any) -> Any:
        return row

    def _entries(self, row: Any, position: int) -> Iterator[bytes]:  # noqa: ARG002
        yield row[1]


_ROWS = {
    "events": _Events,
    "checks": _Checks,
    "manifests": _Manifests,
    "audit-reads": _AuditReads,
}


def diagnose(
    connection: Connection, tree: str, scratch: Scratch, wrong: list[tuple[int, Mark]]
) -> list[tuple[int, str]]:
    """Return these positions, each with a description of the difference."""
    around = {
        place for position, _ in wrong for place in range(position - AROUND, position + AROUND + 1)
    }
    rows = _ROWS[tree](connection, scratch, sorted(around))
    return [(position, _described(rows, position, mark)) for position, mark in wrong]


def _described(rows: _Rows, position: int, mark: Mark) -> str:
    if mark is Mark.TWICE:
        return "several rows stand here"
    if mark is Mark.COLUMN:
        return "a column is not what the state says"
    here = rows.rows.get(position)
    if here and rows.is_at(here, position):
        return "unchanged, but its permit's version before is not where it was"
    others = [place for place in rows.rows if place != position]
    belongs = next((at for at in others if rows.is_at(rows.rows[at], position)), None)
    stands = next((at for at in others if here and rows.is_at(here, at)), None)
    if here is None:
        where = f"; what belongs here stands at {belongs}" if belongs else ""
        return f"missing: nothing is stored here{where}"
    if belongs and belongs == stands:
        return f"swapped with {belongs}"
    if belongs:
        return f"inserted or moved here: what belongs here stands at {belongs}"
    if stands:
        return f"missing or moved: what stands here belongs at {stands}"
    orphan = "; the version before it is not there" if mark is Mark.ORPHAN else ""
    return f"changed: {rows.changed(position)}{orphan}"
