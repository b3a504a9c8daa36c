"""The map of last events: for each stream, which event is its last.

An inclusion proof does not prove that there are no further events. A stream's leaves are a chain,
and this map says where it ends: a prefix tree (:mod:`transparency.prefix_tree`) whose key is the
SHA-256 of the stream, and whose value is that of a :class:`LastEvent`. It follows the tree of
events in steps, each of which costs what has changed; manifests record its root.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, LiteralString, NamedTuple

import orjson
from psycopg.rows import tuple_row

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.database.rows import rows
from ledger.errors import Corrupt

from .merkle import HASH_BYTES
from .prefix_tree import (
    DEPTH_MAX,
    TILE_LEVELS,
    Damaged,
    Path,
    Slots,
    changed,
    decoded,
    encoded,
    slot_of,
)

STEP_MAX = 20_000
"""Positions that the map moves on by at a time."""

_sql = Queries("transparency", "sql/tree.sql")


class LastEvent(NamedTuple):
    """A stream's last version, its leaf and its salt, without which no one can tell from a value in
    the map which leaf it is about."""

    version: int
    leaf: bytes
    salt: bytes | None

    @property
    def row(self) -> bytes:
        members = {
            "last_leaf": self.leaf.hex(),
            "last_version": self.version,
            "salt": self.salt.hex() if self.salt else None,
        }
        return orjson.dumps(members, option=orjson.OPT_SORT_KEYS)

    @property
    def value(self) -> bytes:
        return sha256(self.row).digest()


def key_of(stream: str) -> bytes:
    return sha256(stream.encode()).digest()


def paths_to(key: bytes) -> list[Path]:
    """The tiles that a key's path may go through, from the topmost."""
    slots = bytes(slot_of(key, depth) for depth in range(DEPTH_MAX // TILE_LEVELS))
    return [slots[:depth] for depth in range(len(slots))]


class LastEvents:
    """The map in the database; transactions are the caller's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def head(self) -> tuple[int, bytes]:
        """The position that the map is as of, and its root."""
        [(position, root)] = rows(self._connection, _sql.last_events_head)
        return position, root

    def advance(self, until: int) -> tuple[int, bytes]:
        """Move on by one step, at most to ``until``; returns position and root.

        Raises:
            Corrupt: a leaf is missing from the tree of events, or a tile is not what was stored.
        """
        position, root = self.head()
        if position >= until:
            return position, root
        until = min(until, position + STEP_MAX)
        leaves = dict[bytes, bytes]()
        for stream, version, salt, leaf in self._rows(
            _sql.last_events_between, after=position, until=until
        ):
            if leaf is None or len(leaf) != HASH_BYTES:
                raise Corrupt(f"The tree has no leaf for version {version} of {stream}.")
            leaves[key_of(stream)] = LastEvent(version, leaf, salt).value
        try:
            root, tiles = changed(leaves, root, self._tiles)
        except Damaged as error:
            raise Corrupt(f"The map of last events can't be kept up: {error}.") from None
        paths, slots = list(tiles), [encoded(each) for each in tiles.values()]
        self._connection.execute(_sql.store_last_events_tiles, {"paths": paths, "slots": slots})
        self._connection.execute(_sql.move_last_events, {"position": until, "root": root})
        return until, root

    def _tiles(self, paths: Iterable[Path]) -> Mapping[Path, Slots]:
        found = self._rows(_sql.select_last_events_tiles, paths=list(paths))
        return {path: decoded(slots) for path, slots in found}

    def _rows(self, query: LiteralString, **parameters: object) -> Iterator[tuple[Any, ...]]:
        cursor = self._connection.cursor(row_factory=tuple_row)
        return iter(cursor.execute(query, parameters, binary=True))
