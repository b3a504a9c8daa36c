"""Recomputes leaves from rows, a range at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from psycopg.rows import tuple_row

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from transparency.entries import audit_read_entry, check_entry, event_entry
from transparency.merkle import leaf_hash

from .findings import SHOWN_MAX
from .scratch import Mark, Scratch

PAGE = 2_000

_sql = Queries("transparency", "sql/verifying.sql")


class Streams(NamedTuple):
    """Permits from ``lower`` (inclusive) to ``upper`` (exclusive); ``None``: no bound."""

    lower: str | None
    upper: str | None


class Positions(NamedTuple):
    """Positions above ``after`` up to ``until``."""

    after: int
    until: int


@dataclass(slots=True)
class Checked:
    """The number of rows in a range, and errors that only their neighbours show, by position."""

    rows: int = 0
    broken: list[tuple[int, str]] = field(default_factory=list)

    def add(self, position: int, what: str) -> None:
        if len(self.broken) < SHOWN_MAX:
            self.broken.append((position, what))


def check_events(connection: Connection, scratch: Scratch, within: Streams) -> Checked:
    """Check events permit by permit, since a leaf holds the hash of the one before it."""
    checked, chain = Checked(), _Chain(scratch)
    for position, stream, version, topic, state, salt in _read(
        connection, _sql.streams_in_range, lower=within.lower, upper=within.upper
    ):
        checked.rows += 1
        problem = chain.follow(position, stream, version)
        entry = event_entry(position, stream, version, topic, state, salt, chain.previous)
        leaf = leaf_hash(entry)
        chain.stand_at(position, leaf)
        if scratch.compare(position, leaf):
            mark = Mark.SAME
            if problem:
                checked.add(position, problem)
        else:
            mark = Mark.ORPHAN if problem else Mark.OTHER
        scratch.mark(position, mark)
    return checked


class _Chain:
    """A permit's versions, one after the other."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._stream: str | None = None
        self._version = 0
        self._position = 0
        self._leaf: bytes | None = None
        self.previous: bytes | None = None
        """The hash of the previous leaf."""

    def follow(self, position: int, stream: str, version: int) -> str | None:
        """What is wrong with the order of versions, if anything."""
        if stream != self._stream:
            self._stream, self._version, self._position = stream, 0, 0
        before, self._version = self._version, version
        self.previous = None
        if version != before + 1:
            return f"version {version} of {stream} comes after {before} versions"
        if before and self._position >= position:
            return f"version {version} of {stream} stands before version {before}"
        if before:
            self.previous = self._scratch.leaf(self._position) or self._leaf
        return None

    def stand_at(self, position: int, leaf: bytes) -> None:
        self._position, self._leaf = position, leaf


def check_checks(connection: Connection, scratch: Scratch, within: Positions) -> Checked:
    checked = Checked()
    for row in _read(connection, _sql.checks_in_range, **within._asdict()):
        position, check_id, *columns, state, salt = row
        checked.rows += 1
        mark = Mark.SAME
        if not scratch.compare(position, leaf_hash(check_entry(position, check_id, state, salt))):
            mark = Mark.OTHER
        elif wrong := differing_columns(check_id, columns, state):
            mark = Mark.COLUMN
            checked.add(position, f"{', '.join(wrong)} is not what the state says")
        scratch.mark(position, mark)
    return checked


def check_audit_reads(connection: Connection, scratch: Scratch, within: Positions) -> Checked:
    checked = Checked()
    for *members, salt in _read(connection, _sql.audit_reads_in_range, **within._asdict()):
        checked.rows += 1
        same = scratch.compare(members[0], leaf_hash(audit_read_entry(*members, salt=salt)))
        scratch.mark(members[0], Mark.SAME if same else Mark.OTHER)
    return checked


def check_manifests(connection: Connection, scratch: Scratch, within: Positions) -> Checked:
    checked = Checked()
    for position, entry in _read(connection, _sql.manifests_in_range, **within._asdict()):
        checked.rows += 1
        same = scratch.compare(position, leaf_hash(entry))
        scratch.mark(position, Mark.SAME if same else Mark.OTHER)
    return checked


def _index(value: str | None) -> bytes | None:
    return bytes.fromhex(value) if value is not None else None


_SAME: Callable[[Any], Any] = lambda value: value  # noqa: E731  beside the others
_COLUMNS: dict[str, Callable[[Any], Any]] = {
    "checked_at": datetime.fromisoformat,
    "permit_number": _SAME,
    "track": _SAME,
    "scenario": _SAME,
    "outcome": _SAME,
    "reason": _SAME,
    "verifier_index": _index,
    "as_of_position": _SAME,
}


def differing_columns(check_id: UUID, columns: list[Any], state: bytes) -> list[str]:
    """The names of the columns that differ from a check's state."""
    try:
        members = orjson.loads(state)
        expected: dict[str, Any] = {"check_id": UUID(members["check_id"])}
        expected |= {name: read(members.get(name)) for name, read in _COLUMNS.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return ["a column"]
    stored = {"check_id": check_id, **dict(zip(_COLUMNS, columns, strict=True))}
    return [name for name, value in expected.items() if stored[name] != value]


def _read(connection: Connection, query: Any, **parameters: object) -> Iterable[tuple[Any, ...]]:
    with connection.cursor("rows", row_factory=tuple_row, binary=True) as cursor:
        cursor.itersize = PAGE
        cursor.execute(query, parameters)
        yield from cursor
