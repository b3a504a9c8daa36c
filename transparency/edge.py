"""The right edge: all of a tree that is needed to go on with it, a few kilobytes at any size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .hashing import EMPTY_ROOT, joined, perfect_root
from .nodes import Span
from .tiles import HEIGHT, WIDTH, Tile, hash_in, hashes_in, tiles_of, width_at


def edge_tiles(size: int) -> list[Tile]:
    """The partial tiles of a tree of ``size`` leaves, the lowest first."""
    tiles, level = [], 0
    while size >> HEIGHT * level:
        tile = Tile(level, (size >> HEIGHT * level) // WIDTH)
        if width_at(tile, size):
            tiles.append(tile)
        level += 1
    return tiles


class Edge:
    """Grows by leaves; what has changed since :meth:`take_tiles` was asked last is to be stored."""

    def __init__(self, size: int, tiles: Mapping[Tile, bytes]) -> None:
        """``tiles`` are those that :func:`edge_tiles` names.

        Raises:
            KeyError: one of them is missing, or is not as wide as the size says.
        """
        self.size = size
        self._hashes: list[list[bytes]] = []
        for level in range(size.bit_length() // HEIGHT + 1):
            tile = Tile(level, (size >> HEIGHT * level) // WIDTH)
            width = width_at(tile, size)
            hashes = hashes_in(tiles[tile])[:width] if width else []
            if len(hashes) < width:
                raise KeyError(tile)
            self._hashes.append(hashes)
        self._full: dict[Tile, bytes] = {}

    @property
    def root(self) -> bytes:
        """Of the whole tree (RFC 6962 §2.1)."""
        if not self.size:
            return EMPTY_ROOT
        nodes = Span(0, self.size).nodes
        partial = self._partial()
        wanted = tiles_of(nodes)
        return joined(hash_in(node, {tile: partial[tile] for tile in wanted}) for node in nodes)

    def grow(self, leaves: Iterable[bytes]) -> None:
        """Take further leaves, by their hashes."""
        lowest = self._hashes[0]
        for leaf in leaves:
            lowest.append(leaf)
            self.size += 1
            if len(lowest) == WIDTH:
                self._lift()
                lowest = self._hashes[0]

    def take_full(self) -> dict[Tile, bytes]:
        """Only the full tiles that have come to be."""
        full, self._full = self._full, {}
        return full

    def take_tiles(self) -> dict[Tile, bytes]:
        """Full tiles that have come to be, and the partial ones as they are now."""
        return self.take_full() | self._partial()

    def _lift(self) -> None:
        """Tiles that are full go, and their hash to the level above."""
        level = 0
        while len(self._hashes[level]) == WIDTH:
            hashes, self._hashes[level] = self._hashes[level], []
            index = (self.size >> HEIGHT * (level + 1)) - 1
            self._full[Tile(level, index)] = b"".join(hashes)
            level += 1
            if level == len(self._hashes):
                self._hashes.append([])
            self._hashes[level].append(perfect_root(hashes))

    def _partial(self) -> dict[Tile, bytes]:
        return {
            Tile(level, (self.size >> HEIGHT * level) // WIDTH): b"".join(hashes)
            for level, hashes in enumerate(self._hashes)
            if hashes
        }
