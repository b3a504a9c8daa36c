"""Checks one tree: its tiles and every claim about it, against the stored leaves."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from psycopg.rows import tuple_row

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.database.rows import scalars
from transparency.merkle import HASH_BYTES, HEIGHT, TILE_BYTES, WIDTH, Tile, hashes_in, width_at

from .claims import Claim
from .findings import Verified
from .rising import RisingTree
from .scratch import Scratch

_sql = Queries("transparency", "sql/verifying.sql")


def load_leaves(connection: Connection, scratch: Scratch, size: int, found: Verified) -> None:
    """Load the tree's stored leaves into the scratch file, except those of incomplete tiles."""
    expected = 0
    with connection.cursor("leaf_tiles", row_factory=tuple_row, binary=True) as cursor:
        cursor.itersize = 200
        cursor.execute(_sql.leaf_tiles, {"tree": found.tree})
        for number, hashes in cursor:
            width = width_at(Tile(0, number), size)
            if not width:
                break
            for missing in range(expected, number):
                _tile_is_gone(found, missing)
            expected = number + 1
            if len(hashes) < width * HASH_BYTES:
                _tile_is_gone(found, number)
            else:
                scratch.put(number * WIDTH, hashes[: width * HASH_BYTES])
    for missing in range(expected, -(-size // WIDTH)):
        _tile_is_gone(found, missing)


def _tile_is_gone(found: Verified, number: int) -> None:
    if len(found.findings) < 100:  # noqa: PLR2004  more would not help
        found.add(number * WIDTH + 1, f"tile 0/{number} is missing, or not whole")


@dataclass(slots=True)
class TreeCheck:
    """``claims`` are those kept elsewhere; the stored checkpoints are read too. ``unsigned`` are
    the stored ones that no known key has signed, by size."""

    connection: Connection
    scratch: Scratch
    size: int
    root: bytes
    claims: list[Claim]
    unsigned: dict[int, str]
    found: Verified
    _sound: int = field(default=0, init=False)
    _differing: dict[str, int] = field(default_factory=dict, init=False)
    _within: bool = field(default=True, init=False)

    def run(self) -> None:
        """Add the findings."""
        tree = RisingTree(self.scratch, self._compare_tile)
        own = Claim(self.size, self.root, "the tree's own row", is_signed=False)
        claims = heapq.merge(self._kept(), sorted([*self.claims, own]), key=lambda one: one.size)
        for size, of_size in groupby(claims, key=lambda one: one.size):
            if size > self.scratch.where.leaves:
                break  # which has been reported
            try:
                root = tree.root(size)
            except LookupError:
                self.found.add(None, f"no root of {size} entries can be made: leaves are missing")
                break
            self._compare(size, root, list(of_size))
            if size == self.size:
                for tile, hashes in tree.partial().items():
                    self._compare_tile(tile, hashes)
                self._within = False
        for source, more in self._differing.items():
            if more > 1:
                self.found.add(None, f"{more - 1:,} more of {source} differ")

    def _compare(self, size: int, root: bytes, claims: list[Claim]) -> None:
        self.found.claims += len(claims)
        for claim in claims:
            if claim.root == root:
                continue
            seen = self._differing.get(claim.source, 0)
            self._differing[claim.source] = seen + 1
            if not seen:
                first = min(self._sound + 1, max(size, 1))
                self.found.add(
                    first,
                    f"{claim.source} has another root of {size:,} entries: they differ somewhere"
                    f" from {first:,} to {size:,}",
                )
        if any(claim.root == root and claim.is_signed for claim in claims):
            self._sound = size

    def _kept(self) -> Iterator[Claim]:
        with self.connection.cursor("checkpoints", row_factory=tuple_row, binary=True) as cursor:
            cursor.itersize = 2_000
            cursor.execute(_sql.checkpoints, {"tree": self.found.tree})
            for size, root in cursor:
                yield Claim(size, root, "the checkpoints kept", size not in self.unsigned)

    def _compare_tile(self, tile: Tile, hashes: bytes) -> None:
        if not self._within:
            return
        parameters = {"tree": self.found.tree, "level": tile.level, "index": tile.number}
        stored = next(iter(scalars(self.connection, _sql.upper_tile, parameters)), b"")
        stored = stored[: len(hashes)]
        if stored == hashes:
            return
        if len(stored) < len(hashes) <= TILE_BYTES:
            self.found.add(None, f"tile {tile.level}/{tile.number} is missing, or not whole")
            return
        pairs = zip(hashes_in(hashes), hashes_in(stored), strict=True)
        at = next(at for at, (made, kept) in enumerate(pairs) if made != kept)
        below = 1 << HEIGHT * tile.level
        first = (tile.number * WIDTH + at) * below
        self.found.add(
            first + 1,
            f"tile {tile.level}/{tile.number} says something else of the entries from"
            f" {first + 1:,} to {first + below:,}",
        )
