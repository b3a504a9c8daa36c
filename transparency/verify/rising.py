"""Recomputes a tree from its leaves: its tiles, and its root at any smaller size."""

from __future__ import annotations

from collections.abc import Callable

from transparency.merkle import (
    HASH_BYTES,
    HEIGHT,
    WIDTH,
    Tile,
    hashes_in,
    joined,
    level_above,
    perfect_root,
)

from .scratch import Scratch


class RisingTree:
    """``tile`` is called with each tile above the leaves as it gets full."""

    def __init__(self, scratch: Scratch, tile: Callable[[Tile, bytes], None]) -> None:
        self._scratch = scratch
        self._tile = tile
        self._full = 0
        self._above: list[list[bytes]] = []

    def root(self, size: int) -> bytes:
        """Return the root at a size, which must not decrease from call to call.

        Raises:
            LookupError: a leaf is unknown.
        """
        while (self._full + 1) * WIDTH <= size:
            self._lift(perfect_root(self._hashes(self._full * WIDTH, WIDTH)))
            self._full += 1
        return joined(self._peaks() + peaks_of(self._hashes(self._full * WIDTH, size % WIDTH)))

    def partial(self) -> dict[Tile, bytes]:
        """Return the current partial tiles above the leaves."""
        return {
            Tile(level, (self._full >> HEIGHT * (level - 1)) // WIDTH): b"".join(hashes)
            for level, hashes in enumerate(self._above, 1)
            if hashes
        }

    def _lift(self, node: bytes) -> None:
        for level in range(len(self._above) + 1):
            if level == len(self._above):
                self._above.append([])
            hashes = self._above[level]
            hashes.append(node)
            if len(hashes) < WIDTH:
                return
            number = ((self._full + 1) >> HEIGHT * (level + 1)) - 1
            self._tile(Tile(level + 1, number), b"".join(hashes))
            node = perfect_root(hashes)
            self._above[level] = []

    def _peaks(self) -> list[bytes]:
        return [peak for hashes in self._above[::-1] for peak in peaks_of(hashes)]

    def _hashes(self, after: int, count: int) -> list[bytes]:
        hashes = hashes_in(self._scratch.leaves(after, count))
        if len(hashes) < count or bytes(HASH_BYTES) in hashes:
            raise LookupError
        return hashes


def peaks_of(hashes: list[bytes]) -> list[bytes]:
    """Return the roots of the perfect trees over these siblings, the largest tree first."""
    peaks: list[bytes] = []
    while hashes:
        if len(hashes) % 2:
            peaks.append(hashes[-1])
            hashes = hashes[:-1]
        hashes = level_above(hashes)
    return peaks[::-1]
