"""The logs that have a tree: how each is read, and how its rows become entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries

from .entries import Recorded, audit_read_entry, check_entry, event_entry
from .merkle import HASH_BYTES, leaf_hash
from .predecessors import Predecessors

_sql = Queries("transparency", "sql/tree.sql")

Row = tuple[Any, ...]
EntriesOf = Callable[[Iterable[Row]], list[bytes]]
LeavesOf = Callable[[Sequence[Row], Predecessors], list[bytes]]
"""The hashes of the leaves of rows of a page."""


@dataclass(frozen=True, slots=True)
class Log:
    """A log; ``name`` is the tree's, and its origin is the ledger's with ``suffix``.

    The queries ``rows`` and ``page`` read positions above ``after`` up to ``until`` in order: the
    one what ``entries`` are made of, the other ``leaves``. ``head`` reads the last position.
    """

    name: str
    suffix: str
    head: LiteralString
    rows: LiteralString
    entries: EntriesOf
    page: LiteralString
    leaves: LeavesOf

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


def _event_leaves(rows: Sequence[Row], predecessors: Predecessors) -> list[bytes]:
    """Each with its predecessor's; none where that is not before it."""
    own = {(row[1], row[2]) for row in rows}
    before = {(stream, version - 1) for stream, version in own if version > 1}
    known, leaves = predecessors.find(before - own), list[bytes]()
    for position, stream, version, topic, state, salt in rows:
        previous = known.get((stream, version - 1)) if version > 1 else None
        entry = event_entry(position, stream, version, topic, state, salt, previous)
        known[stream, version] = leaf = leaf_hash(entry)
        leaves.append(leaf)
    predecessors.keep((row[1], row[2], leaf) for row, leaf in zip(rows, leaves, strict=True))
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


def _independent(
    name: str, suffix: str, head: LiteralString, rows: LiteralString, entries: EntriesOf
) -> Log:
    """A log whose entries do not refer to each other: their leaves are made of the same rows."""
    return Log(
        name,
        suffix,
        head,
        rows,
        entries,
        page=rows,
        leaves=lambda page, _: [leaf_hash(entry) for entry in entries(page)],
    )


EVENTS = Log(
    "events",
    "",
    _sql.events_head,
    _sql.events_from,
    _event_entries,
    page=_sql.events_page,
    leaves=_event_leaves,
)
CHECKS = _independent("checks", "/checks", _sql.checks_head, _sql.checks_from, _check_entries)
MANIFESTS = _independent(
    "manifests", "/manifests", _sql.manifests_head, _sql.manifests_from, _manifest_entries
)
AUDIT_READS = _independent(
    "audit-reads",
    "/audit-reads",
    _sql.audit_reads_head,
    _sql.audit_reads_from,
    _audit_read_entries,
)
LOGS = {log.name: log for log in (EVENTS, CHECKS, MANIFESTS, AUDIT_READS)}


def read(connection: Connection, log: Log, after: int, until: int) -> list[Row]:
    """The rows at these positions, of which leaves are made."""
    wanted = {"after": after, "until": until}
    return connection.execute(log.page, wanted, binary=True).fetchall()


def gap_in(rows: Sequence[Row], after: int, until: int) -> int | None:
    """The first position above ``after`` that is missing, if one is."""
    for expected, row in zip(range(after + 1, until + 1), rows, strict=False):
        if row[0] != expected:
            return expected
    return after + len(rows) + 1 if len(rows) < until - after else None
