"""Recomputes manifests from the log and compares them with the stored ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby, islice
from typing import Any, NamedTuple

from psycopg.rows import tuple_row

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.database.rows import rows as query_rows
from transparency.last_events import LastEvent
from transparency.manifests import Manifest, row_entry
from transparency.merkle import Edge, leaf_hash
from transparency.prefix_tree import (
    EMPTY,
    SLOTS,
    Damaged,
    Leaf,
    Path,
    Slot,
    Slots,
    decoded,
    joined,
    subtree,
)

from .scratch import Scratch

PAGE = 2_000
NAMED_MAX = 20

_sql = Queries("transparency", "sql/verifying.sql")


class Stored(NamedTuple):
    """A manifest, and its position in its log. The newest's map is stored too."""

    position: int
    manifest: Manifest
    is_newest: bool


def check_manifest(connection: Connection, scratch: Scratch, stored: Stored) -> list[str]:
    """Return what is wrong with it; ``scratch`` is that of the events."""
    if stored.manifest.permits is not None:
        return _check_list(connection, scratch, stored)
    if not stored.is_newest:
        root = _map_root(connection, scratch, stored.manifest.log_size, _Unkept())
        return _compare(stored, root)
    kept = _Kept(connection)
    root = _map_root(connection, scratch, stored.manifest.log_size, kept)
    return [*kept.problems, *_compare(stored, root), *_compare_head(connection, stored)]


def _check_list(connection: Connection, scratch: Scratch, stored: Stored) -> list[str]:
    """Check a manifest of format 1, whose tree is over all permits."""
    edge, manifest = Edge(0, {}), stored.manifest
    rows = _last_leaves(connection, scratch, manifest.log_size)
    while page := list(islice(rows, PAGE)):
        edge.grow(leaf_hash(row_entry(*row)) for row in page)
        edge.take_full()  # of which nothing is compared
    if (edge.size, edge.root) == (manifest.permits, manifest.root):
        return []
    return [
        f"manifest {stored.position} is of {manifest.permits} permits with another root;"
        f" the log has {edge.size}"
    ]


def _compare(stored: Stored, root: bytes) -> list[str]:
    if root == stored.manifest.root:
        return []
    return [f"manifest {stored.position} has another root of last events than the log makes"]


def _compare_head(connection: Connection, newest: Stored) -> list[str]:
    """Compare the stored map's own row with the newest manifest."""
    manifest = newest.manifest
    if query_rows(connection, _sql.last_events_head) == [(manifest.log_size, manifest.root)]:
        return []
    return [f"the map of last events is not the one of the newest manifest, {newest.position}"]


class _Unkept:
    """What is compared of a map that is not stored: nothing."""

    def keep(self, path: Path, slots: Slots) -> None:
        """Takes a tile that the log makes."""

    def compare(self, under: Path, streams: Mapping[bytes, str]) -> None:
        """Compares the tiles that were taken since, all of them below ``under``."""


class _Kept(_Unkept):
    """Compares the tiles of the stored map with those that the log makes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._made: dict[Path, Slots] = {}
        self.problems: list[str] = []

    def keep(self, path: Path, slots: Slots) -> None:
        self._made[path] = slots

    def compare(self, under: Path, streams: Mapping[bytes, str]) -> None:
        if under:
            last = int.from_bytes(under) + 1
            end = last.to_bytes(len(under)) if last < 256 ** len(under) else None
            stored = self._stored(_sql.last_events_tiles_below, first=under, end=end)
        else:
            stored = self._stored(_sql.last_events_tiles_above, length=2)
        made, self._made = self._made, {}
        kept = dict[Path, Slots | None]()
        for path, slots in stored:
            try:
                kept[path] = decoded(slots)
            except Damaged:
                kept[path] = None
        if kept == made:
            return
        problems = _differences(_leaves_of(made), _leaves_of(kept), streams)
        self.problems += (problems or _changed(made, kept))[:NAMED_MAX]

    def _stored(self, query: Any, **parameters: object) -> list[tuple[Any, ...]]:
        cursor = self._connection.cursor(row_factory=tuple_row)
        return cursor.execute(query, parameters, binary=True).fetchall()


def _leaves_of(tiles: Mapping[Path, Slots | None]) -> dict[bytes, bytes]:
    slots = [slot for tile in tiles.values() if tile for slot in tile.values()]
    return {slot.key: slot.value for slot in slots if isinstance(slot, Leaf)}


def _differences(
    made: Mapping[bytes, bytes], kept: Mapping[bytes, bytes], streams: Mapping[bytes, str]
) -> list[str]:
    lacking = [
        f"the map of last events lacks {streams.get(key, key.hex())}" for key in made.keys() - kept
    ]
    others = [
        f"the map of last events has another one of {streams.get(key, key.hex())} than the log"
        for key in made.keys() & kept
        if made[key] != kept[key]
    ]
    added = [
        f"the map of last events has a key of no permit: {key.hex()}" for key in kept.keys() - made
    ]
    return sorted(lacking) + sorted(others) + sorted(added)


def _changed(made: Mapping[Path, Slots], kept: Mapping[Path, Slots | None]) -> list[str]:
    """Tiles that differ though all leaves are in them."""
    return [
        f"the tile {path.hex() or 'at the top'} of the map of last events was changed"
        for path in sorted(made.keys() | kept)
        if made.get(path) != kept.get(path)
    ]


def _map_root(connection: Connection, scratch: Scratch, size: int, kept: _Unkept) -> bytes:
    """The map's root, made a 256th of the keys at a time, so that memory is bounded."""
    above: dict[int, dict[int, Slot | None]] = {slot: {} for slot in range(SLOTS)}
    few = dict[bytes, str]()
    rows = _by_key(connection, scratch, size)
    for first, group in groupby(rows, key=lambda row: row[0].key[0]):
        own = list(group)
        path = bytes([first >> 4, first & 15])
        slot = subtree([leaf for leaf, _ in own], path, kept.keep)
        streams = {leaf.key: stream for leaf, stream in own}
        kept.compare(path, streams)
        above[path[0]][path[1]] = slot
        if isinstance(slot, Leaf):  # which may stand in a tile above
            few[slot.key] = streams[slot.key]
    top = {slot: joined(slots, bytes([slot]), kept.keep) for slot, slots in above.items()}
    root = joined(top, b"", kept.keep)
    kept.compare(b"", few)
    return root if isinstance(root, bytes) else EMPTY


def _by_key(connection: Connection, scratch: Scratch, size: int) -> Iterator[tuple[Leaf, str]]:
    for key, stream, version, position, salt in _read(
        connection, _sql.last_events_by_key, size=size
    ):
        last = LastEvent(version, scratch.leaf(position) or b"", salt)
        yield Leaf(key, last.value), stream


def _last_leaves(
    connection: Connection, scratch: Scratch, size: int
) -> Iterator[tuple[str, int, bytes]]:
    for stream, version, position in _read(connection, _sql.last_positions, size=size):
        yield stream, version, scratch.leaf(position) or b""


def _read(connection: Connection, query: Any, **parameters: object) -> Iterator[tuple[Any, ...]]:
    with connection.cursor("last_events", row_factory=tuple_row, binary=True) as cursor:
        cursor.itersize = PAGE
        cursor.execute(query, parameters)
        yield from cursor
