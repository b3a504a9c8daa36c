"""The logs that have a tree: how each is read, and how its rows become entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries

from .entries import Recorded, audit_read_entry, check_entry, event_entry
from .merkle import HASH_BYTES, leaf_hash

_sql = Queries("transparency", "sql/tree.sql")

Row = tuple[Any, ...]
EntriesOf = Callable[[Iterable[Row]], list[bytes]]
Leaves = dict[int, bytes]
"""Hashes of leaves by position, in the order of positions."""
LeavesOf = Callable[[Iterable[Row], Mapping[int, bytes]], Leaves]


@dataclass(frozen=True, slots=True)
class Log:
    """A log; ``name`` is the tree's, and its origin is the ledger's with ``suffix``.

    The query ``rows`` reads positions above ``after`` up to ``until`` in order; ``head`` reads the
    last position.
    """

    name: str
    suffix: str
    head: LiteralString
    rows: LiteralString
    entries: EntriesOf
    leaves: LeavesOf
    """The leaves of rows, given those of the batch before, which the rows may have been read
    without."""

    def origin(self, ledger: str) -> str:
        return ledger + self.suffix


def recorded_events(rows: Iterable[Row]) -> list[Recorded]:
    """Make the entries of events, each with its predecessor's position, and that one's leaf if it
    is in the tree; within a batch it may not be yet."""
    events, leaves = [], dict[int, bytes]()
    for position, stream, version, topic, state, salt, before, leaf in rows:
        previous = _previous(position, before, leaf, leaves)
        event = Recorded.of(position, stream, version, topic, state, salt, previous)
        leaves[position] = event.leaf
        events.append(event)
    return events


def _event_entries(rows: Iterable[Row]) -> list[bytes]:
    return [event.entry for event in recorded_events(rows)]


def _event_leaves(rows: Iterable[Row], before: Mapping[int, bytes]) -> Leaves:
    leaves = Leaves()
    for position, stream, version, topic, state, salt, predecessor, stored in rows:
        leaf = before.get(predecessor, stored) if predecessor else None
        previous = _previous(position, predecessor, leaf, leaves)
        entry = event_entry(position, stream, version, topic, state, salt, previous)
        leaves[position] = leaf_hash(entry)
    return leaves


def _previous(
    position: int, before: int | None, leaf: bytes | None, leaves: Mapping[int, bytes]
) -> bytes | None:
    """The predecessor's hash; none where its position is after its successor's."""
    if before is None or before >= position:
        return None
    if before in leaves:
        return leaves[before]
    return leaf if leaf and len(leaf) == HASH_BYTES else None


def _check_entries(rows: Iterable[Row]) -> list[bytes]:
    return [check_entry(*row) for row in rows]


def _manifest_entries(rows: Iterable[Row]) -> list[bytes]:
    return [entry for _, entry in rows]


def _audit_read_entries(rows: Iterable[Row]) -> list[bytes]:
    return [audit_read_entry(*members, salt=salt) for *members, salt in rows]


def _leaves(entries: EntriesOf) -> LeavesOf:
    """Of a log whose entries are independent of each other; its rows begin with their position."""

    def leaves(rows: Iterable[Row], _: Mapping[int, bytes]) -> Leaves:
        listed = list(rows)
        return {row[0]: leaf_hash(each) for row, each in zip(listed, entries(listed), strict=True)}

    return leaves


EVENTS = Log("events", "", _sql.events_head, _sql.events_from, _event_entries, _event_leaves)
CHECKS = Log(
    "checks",
    "/checks",
    _sql.checks_head,
    _sql.checks_from,
    _check_entries,
    _leaves(_check_entries),
)
MANIFESTS = Log(
    "manifests",
    "/manifests",
    _sql.manifests_head,
    _sql.manifests_from,
    _manifest_entries,
    _leaves(_manifest_entries),
)
AUDIT_READS = Log(
    "audit-reads",
    "/audit-reads",
    _sql.audit_reads_head,
    _sql.audit_reads_from,
    _audit_read_entries,
    _leaves(_audit_read_entries),
)
LOGS = {log.name: log for log in (EVENTS, CHECKS, MANIFESTS, AUDIT_READS)}


def read(connection: Connection, log: Log, after: int, until: int) -> list[Row]:
    """The rows at these positions."""
    wanted = {"after": after, "until": until}
    return connection.execute(log.rows, wanted, binary=True).fetchall()


def gap_in(rows: Sequence[Row], after: int, until: int) -> int | None:
    """The first position above ``after`` that is missing, if one is."""
    for expected, row in zip(range(after + 1, until + 1), rows, strict=False):
        if row[0] != expected:
            return expected
    return after + len(rows) + 1 if len(rows) < until - after else None
