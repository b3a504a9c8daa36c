"""Tiles: how a tree is stored and served, 256 hashes at a time (C2SP tlog-tiles).

A tile of level 0 holds hashes of leaves, one of level 1 those of full tiles of level 0, and so on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .hashing import HASH_BYTES, perfect_root
from .nodes import Node

HEIGHT = 8
WIDTH = 1 << HEIGHT
TILE_BYTES = WIDTH * HASH_BYTES
LEVEL_MAX = 7
"""8-bit steps: as many leaves as a position can have."""

_NUMBER = r"(?:x[0-9]{3}/)*[0-9]{3}"
_PATH = re.compile(rf"(0|[1-9][0-9]?|entries)/({_NUMBER})(?:\.p/([1-9][0-9]{{0,2}}))?")


class Tile(NamedTuple):
    """Where a tile is."""

    level: int
    number: int


class TilePath(NamedTuple):
    """What an address asks for; ``level`` is ``None`` for a bundle of entries."""

    level: int | None
    number: int
    width: int

    @classmethod
    def of(cls, text: str) -> TilePath:
        """From ``<L>/<N>[.p/<W>]``.

        Raises:
            ValueError: it is no such path.
        """
        found = _PATH.fullmatch(text)
        if not found:
            raise ValueError("no path of a tile")
        level, path, width = found[1], found[2], int(found[3] or WIDTH)
        number = int(path.replace("x", "").replace("/", ""))
        if (found[3] and width >= WIDTH) or path != number_path(number):
            raise ValueError("no path of a tile")
        return cls(None if level == "entries" else int(level), number, width)

    def __str__(self) -> str:
        level = "entries" if self.level is None else self.level
        partial = f".p/{self.width}" if self.width < WIDTH else ""
        return f"{level}/{number_path(self.number)}{partial}"


def number_path(number: int) -> str:
    """1234067 is ``x001/x234/067``."""
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])


def width_at(tile: Tile, size: int) -> int:
    """How many hashes the tile has in a tree of ``size`` leaves; 0: it is not there."""
    return min(max((size >> HEIGHT * tile.level) - tile.number * WIDTH, 0), WIDTH)


def tile_of(node: Node) -> Tile:
    """In which tile a node's hash is, or those it is made of."""
    return Tile(node.level // HEIGHT, (node.number << node.level % HEIGHT) >> HEIGHT)


def tiles_of(nodes: Iterable[Node]) -> set[Tile]:
    return {tile_of(node) for node in nodes}


def hash_in(node: Node, tiles: Mapping[Tile, bytes]) -> bytes:
    """A node's hash.

    Raises:
        KeyError: its tile is not there, or not wide enough.
    """
    tile, inside = tile_of(node), node.level % HEIGHT
    first = (node.number << inside) % WIDTH
    hashes = hashes_in(tiles[tile])[first : first + (1 << inside)]
    if len(hashes) < 1 << inside:
        raise KeyError(tile)
    return perfect_root(hashes)


def hashes_in(tile: bytes) -> list[bytes]:
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]
