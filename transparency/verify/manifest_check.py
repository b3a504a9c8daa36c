"""Recomputes manifests from the log and compares them with the stored ones."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from psycopg.rows import tuple_row

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from transparency.manifests import Manifest, row_entry
from transparency.merkle import WIDTH, Edge, Tile, leaf_hash

from .scratch import Scratch

PAGE = 2_000

_sql = Queries("transparency", "sql/verifying.sql")


class Stored(NamedTuple):
    """A manifest, and its position in its log. The tiles of the newest are kept too."""

    position: int
    manifest: Manifest
    is_newest: bool


def check_manifest(connection: Connection, scratch: Scratch, stored: Stored) -> list[str]:
    """Return what is wrong with it; ``scratch`` is that of the events."""
    if stored.is_newest:
        return _check_with_tiles(connection, scratch, stored)
    edge = Edge(0, {})
    rows = _last_leaves(connection, scratch, stored.manifest.log_size)
    while page := list(islice(rows, PAGE)):
        edge.grow(leaf_hash(row_entry(*row)) for row in page)
        edge.take_full()  # of which nothing is compared
    return _compare(edge, stored)


def _check_with_tiles(connection: Connection, scratch: Scratch, newest: Stored) -> list[str]:
    problems = list[str]()
    edge, above = Edge(0, {}), dict[Tile, bytes]()
    kept = _kept(connection)
    rows = _last_leaves(connection, scratch, newest.manifest.log_size)
    while page := list(islice(rows, WIDTH)):
        leaves = [leaf_hash(row_entry(*row)) for row in page]
        number = edge.size // WIDTH
        edge.grow(leaves)
        above |= {tile: hashes for tile, hashes in edge.take_full().items() if tile.level}
        made = (b"".join(leaves), [row[0] for row in page], [row[1] for row in page])
        if next(kept, None) != (0, number, *made) and not problems:
            problems.append(f"the manifest's rows differ from permit {page[0][0]} on")
    above |= {tile: hashes for tile, hashes in edge.take_tiles().items() if tile.level}
    if any(True for _ in kept) and not problems:
        problems.append("the manifest keeps rows of permits that are not in the log")
    problems += _compare(edge, newest)
    if above != _kept_above(connection):
        problems.append("the manifest's upper tiles are not what its rows make")
    return problems


def _compare(edge: Edge, stored: Stored) -> list[str]:
    """Compare a manifest with the tree that the log makes."""
    manifest = stored.manifest
    if (edge.size, edge.root) == (manifest.permits, manifest.root):
        return []
    return [
        f"manifest {stored.position} is of {manifest.permits} permits with another root;"
        f" the log has {edge.size}"
    ]


def _last_leaves(
    connection: Connection, scratch: Scratch, size: int
) -> Iterator[tuple[str, int, bytes]]:
    with connection.cursor("last_positions", row_factory=tuple_row) as cursor:
        cursor.itersize = PAGE
        cursor.execute(_sql.last_positions, {"size": size})
        for stream, version, position in cursor:
            yield stream, version, scratch.leaf(position) or b""


def _kept(connection: Connection) -> Iterator[tuple[Any, ...]]:
    with connection.cursor("manifest_tiles", row_factory=tuple_row, binary=True) as cursor:
        cursor.itersize = 100
        cursor.execute(_sql.manifest_rows)
        yield from cursor


def _kept_above(connection: Connection) -> dict[Tile, bytes]:
    """A 256th of the rows' hashes."""
    cursor = connection.cursor(row_factory=tuple_row)
    found = cursor.execute(_sql.manifest_tiles_above, binary=True)
    return {Tile(level, number): hashes for level, number, hashes in found}
