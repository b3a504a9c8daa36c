"""The logs that have a tree: what is read of each, and how it becomes entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString, cast
from uuid import UUID

from ledger.database.named_sql import Queries

from .entries import check_entry, event_entry
from .merkle import HASH_BYTES, leaf_hash

_sql = Queries("transparency", "sql/tree.sql")

Row = tuple[object, ...]
EntriesOf = Callable[[Iterable[Row]], list[bytes]]


@dataclass(frozen=True, slots=True)
class Log:
    """``name`` is the tree's; its origin is the ledger's with ``suffix``. ``rows`` reads positions
    above ``after`` up to ``until`` in order, ``head`` how far there are any."""

    name: str
    suffix: str
    head: LiteralString
    rows: LiteralString
    entries: EntriesOf

    def origin(self, ledger: str) -> str:
        return ledger + self.suffix


def _event_entries(rows: Iterable[Row]) -> list[bytes]:
    """Neighbours in one batch know each other's hash before the tree does."""
    entries, leaves = [], dict[int, bytes]()
    for row in cast("Iterable[tuple[int, str, int, str, bytes, int | None, bytes | None]]", rows):
        position, stream, version, topic, state, before, leaf = row
        previous = _previous(position, before, leaf, leaves)
        entry = event_entry(position, stream, version, topic, state, previous)
        leaves[position] = leaf_hash(entry)
        entries.append(entry)
    return entries


def _previous(
    position: int, before: int | None, leaf: bytes | None, leaves: Mapping[int, bytes]
) -> bytes | None:
    """A version that stands after its successor was never before it."""
    if before is None or before >= position:
        return None
    if before in leaves:
        return leaves[before]
    return leaf if leaf and len(leaf) == HASH_BYTES else None


def _check_entries(rows: Iterable[Row]) -> list[bytes]:
    typed = cast("Iterable[tuple[int, UUID, bytes]]", rows)
    return [check_entry(position, check_id, state) for position, check_id, state in typed]


def _manifest_entries(rows: Iterable[Row]) -> list[bytes]:
    return [entry for _, entry in cast("Iterable[tuple[int, bytes]]", rows)]


EVENTS = Log("events", "", _sql.events_head, _sql.events_from, _event_entries)
CHECKS = Log("checks", "/checks", _sql.checks_head, _sql.checks_from, _check_entries)
MANIFESTS = Log(
    "manifests", "/manifests", _sql.manifests_head, _sql.manifests_from, _manifest_entries
)
LOGS = {log.name: log for log in (EVENTS, CHECKS, MANIFESTS)}


def gap_in(rows: Sequence[Row], after: int, until: int) -> int | None:
    """The first position above ``after`` that is missing, if one is."""
    for expected, row in zip(range(after + 1, until + 1), rows, strict=False):
        if row[0] != expected:
            return expected
    return after + len(rows) + 1 if len(rows) < until - after else None
