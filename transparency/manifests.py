"""Manifests: all permits and each one's last event, at a size of the tree.

An inclusion proof does not prove that there are no further events. A permit's leaves are a chain,
and the manifest records where it ends: a Merkle tree of its own, with a leaf for each permit in the
order of their bytes. Its root is an entry of the log of manifests.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

import orjson
from psycopg.rows import tuple_row

from ledger.database.connections import Connection, translated_errors
from ledger.database.named_sql import Queries
from ledger.database.rows import rows as query_rows
from ledger.errors import Corrupt

from .merkle import HASH_BYTES, WIDTH, Edge, Tile, leaf_hash
from .store import TreeStore

PAGE = 2_000

_sql = Queries("transparency", "sql/tree.sql")


class Manifest(NamedTuple):
    """The content of a manifest's entry: the root over the last events of all permits, as of the
    tree of ``log_size`` leaves."""

    log_size: int
    log_root: bytes
    permits: int
    root: bytes

    @classmethod
    def of(cls, entry: bytes) -> Manifest:
        """Parse a manifest's entry.

        Raises:
            Corrupt: not a manifest's entry.
        """
        try:
            members: dict[str, Any] = orjson.loads(entry)
            return cls(
                int(members["log_size"]),
                bytes.fromhex(members["log_root"]),
                int(members["permits"]),
                bytes.fromhex(members["manifest_root"]),
            )
        except (ValueError, KeyError, TypeError):
            raise Corrupt("an entry of the log of manifests can't be read") from None

    @property
    def entry(self) -> bytes:
        members = {
            "log_root": self.log_root.hex(),
            "log_size": self.log_size,
            "manifest_root": self.root.hex(),
            "permits": self.permits,
        }
        return orjson.dumps(members, option=orjson.OPT_SORT_KEYS)


def row_entry(stream: str, version: int, leaf: bytes) -> bytes:
    """The entry of a leaf of a manifest's tree."""
    members = {"last_leaf": leaf.hex(), "last_version": version, "stream": stream}
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS)


class ManifestMaker:
    """Makes manifests, at intervals and on request, when the log has moved."""

    def __init__(self, connection: Connection, interval_s: float) -> None:
        self._connection = connection
        self._interval_s = interval_s
        self._rest_until = 0.0
        self._due_at = 0.0

    def make(self, *, asked: bool) -> bool:
        """Make a manifest where one is due; returns whether it was made.

        One is due once an interval, or on request (``asked``). Manifests never take more than a
        twentieth of the time.

        Raises:
            Corrupt: a leaf is missing.
            Unavailable
        """
        now = time.monotonic()
        if now < (self._rest_until if asked else self._due_at):
            return False
        with translated_errors(), self._connection.transaction():
            size, root = TreeStore(self._connection, "events").head()
            position, newest = self._newest()
            if not size or (newest and newest.log_size >= size):
                return False
            manifest = self._write(size, root)
            self._connection.execute(
                _sql.add_manifest, {"position": position + 1, "entry": manifest.entry}
            )
        end = time.monotonic()
        self._rest_until = end + 20 * (end - now)
        self._due_at = max(end + self._interval_s, self._rest_until)
        return True

    def _newest(self) -> tuple[int, Manifest | None]:
        """The position of the last one, and what it states, if that can be read."""
        for position, entry in query_rows(self._connection, _sql.newest_manifest):
            with suppress(Corrupt):
                return position, Manifest.of(entry)
            return position, None
        return 0, None

    def _write(self, size: int, root: bytes) -> Manifest:
        """Write row by row, so that memory does not grow with the number of permits."""
        self._connection.execute(_sql.clear_manifest_tiles)
        edge = Edge(0, {})
        tile_of_rows: list[tuple[str, int]] = []
        found = self._last_versions(size)
        while rows := list(islice(found, WIDTH)):
            leaves = []
            for stream, version, leaf in rows:
                if leaf is None or len(leaf) != HASH_BYTES:
                    raise Corrupt(f"The tree has no leaf for version {version} of {stream}.")
                leaves.append(leaf_hash(row_entry(stream, version, leaf)))
            tile_of_rows = [(stream, version) for stream, version, _ in rows]
            edge.grow(leaves)
            if len(rows) == WIDTH:
                self._store(edge.take_full(), tile_of_rows)
                tile_of_rows = []
        self._store(edge.take_tiles(), tile_of_rows)
        return Manifest(size, root, edge.size, edge.root)

    def _store(self, tiles: dict[Tile, bytes], rows: list[tuple[str, int]]) -> None:
        streams, versions = [row[0] for row in rows], [row[1] for row in rows]
        for tile, hashes in tiles.items():
            of_leaves = (streams, versions) if tile.level == 0 else (None, None)
            self._connection.execute(
                _sql.store_manifest_tile, [tile.level, tile.number, hashes, *of_leaves]
            )

    def _last_versions(self, size: int) -> Iterator[tuple[str, int, bytes | None]]:
        with self._connection.cursor("last_versions", row_factory=tuple_row) as cursor:
            cursor.itersize = PAGE
            cursor.execute(_sql.last_versions, {"size": size})
            yield from map(_last_version, cursor)


def _last_version(row: tuple[Any, ...]) -> tuple[str, int, bytes | None]:
    stream, version, leaf = row
    return stream, version, leaf
