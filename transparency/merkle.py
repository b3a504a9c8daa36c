"""The Merkle tree: hashes, tiles, the edge that a tree grows from, and proofs.

Hashing is RFC 6962's (§2.1), proofs are RFC 9162's (§2.1.3, §2.1.4), tiles are C2SP tlog-tiles'.
Pure: the tiles are stored and read elsewhere (:mod:`transparency.store`).

A :class:`Node` is the root of a perfect subtree, a :class:`Span` a range of leaves, a :class:`Tile`
the block of 256 hashes in which nodes are stored. The :class:`Edge` holds the partial tiles at the
right of a tree: all that is needed to append to it, a few kilobytes at any size. A proof is first a
list of spans, which depends on sizes alone; :func:`span_hash` makes hashes of them. Checking a
proof needs neither tree nor tiles.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from hashlib import sha256
from typing import NamedTuple

HASH_BYTES = 32
EMPTY_ROOT = sha256().digest()
"""The root of a tree without leaves."""

HEIGHT = 8
WIDTH = 1 << HEIGHT
TILE_BYTES = WIDTH * HASH_BYTES
LEVEL_MAX = 7
"""Of a tile: eight levels of 8 bits hold as many leaves as there are positions."""

_LEAF, _NODE = b"\x00", b"\x01"
_NUMBER = r"(?:x[0-9]{3}/)*[0-9]{3}"
_PATH = re.compile(rf"(0|[1-9][0-9]?|entries)/({_NUMBER})(?:\.p/([1-9][0-9]{{0,2}}))?")


# Hashes: the prefixes keep a leaf from being taken for a node (RFC 6962 §2.1).


def leaf_hash(entry: bytes) -> bytes:
    return sha256(_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(_NODE + left + right).digest()


def level_above(hashes: Sequence[bytes]) -> list[bytes]:
    """Hash each pair of siblings; their number is even."""
    pairs = zip(hashes[::2], hashes[1::2], strict=True)
    return [sha256(_NODE + left + right).digest() for left, right in pairs]


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """The root over ``hashes``, whose number is a power of two."""
    while len(hashes) > 1:
        hashes = level_above(hashes)
    return hashes[0]


def joined(pieces: Iterable[bytes]) -> bytes:
    """The root over adjacent perfect subtrees, given from left to right, each smaller than the one
    before it; without any, the empty tree's."""
    backwards = list(pieces)[::-1]
    if not backwards:
        return EMPTY_ROOT
    return reduce(lambda right, left: node_hash(left, right), backwards)


# Nodes and spans: where hashes are in a tree.


class Node(NamedTuple):
    """The root of the perfect subtree over ``2**level`` leaves from ``number * 2**level`` on."""

    level: int
    number: int


class Span(NamedTuple):
    """The leaves from ``start`` up to, and not including, ``end``."""

    start: int
    end: int

    @property
    def nodes(self) -> list[Node]:
        """The perfect subtrees that it consists of, the largest first.

        ``start`` is a multiple of the first one's size, as it is wherever RFC 6962 divides a tree.
        """
        nodes, at, left = [], self.start, self.end - self.start
        while left:
            level = left.bit_length() - 1
            nodes.append(Node(level, at >> level))
            at, left = at + (1 << level), left - (1 << level)
        return nodes


def nodes_of(spans: Iterable[Span]) -> set[Node]:
    return {node for span in spans for node in span.nodes}


def span_hash(span: Span, hashes: Mapping[Node, bytes]) -> bytes:
    return joined(hashes[node] for node in span.nodes)


def _split(size: int) -> int:
    """The largest power of two smaller than ``size`` (over 1): where RFC 6962 divides a tree."""
    return 1 << (size - 1).bit_length() - 1


# Tiles: how a tree is stored and served. A tile of level 0 holds hashes of leaves, one of level 1
# the roots of full tiles of level 0, and so on.


class Tile(NamedTuple):
    """The place of a tile in its tree."""

    level: int
    number: int


class TilePath(NamedTuple):
    """The path under which a tile is requested; ``level`` is ``None`` for a bundle of entries."""

    level: int | None
    number: int
    width: int

    @classmethod
    def of(cls, text: str) -> TilePath:
        """Parse ``<L>/<N>[.p/<W>]``.

        Raises:
            ValueError: not such a path.
        """
        found = _PATH.fullmatch(text)
        if not found:
            raise ValueError("not the path of a tile")
        level, path, width = found[1], found[2], int(found[3] or WIDTH)
        number = int(path.replace("x", "").replace("/", ""))
        if (found[3] and width >= WIDTH) or path != number_path(number):
            raise ValueError("not the path of a tile")
        return cls(None if level == "entries" else int(level), number, width)

    def __str__(self) -> str:
        level = "entries" if self.level is None else self.level
        partial = f".p/{self.width}" if self.width < WIDTH else ""
        return f"{level}/{number_path(self.number)}{partial}"


def number_path(number: int) -> str:
    """Write a tile's number in groups of three digits: 1234067 is ``x001/x234/067``."""
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])


def width_at(tile: Tile, size: int) -> int:
    """How many hashes the tile has in a tree of ``size`` leaves; 0 where it does not exist."""
    return min(max((size >> HEIGHT * tile.level) - tile.number * WIDTH, 0), WIDTH)


def tile_of(node: Node) -> Tile:
    """The tile that holds the node's hash, or the hashes it is made of."""
    return Tile(node.level // HEIGHT, (node.number << node.level % HEIGHT) >> HEIGHT)


def tiles_of(nodes: Iterable[Node]) -> set[Tile]:
    return {tile_of(node) for node in nodes}


def hash_in(node: Node, tiles: Mapping[Tile, bytes]) -> bytes:
    """The node's hash, from its tile.

    Raises:
        KeyError: the tile is missing or not wide enough.
    """
    tile, inside = tile_of(node), node.level % HEIGHT
    first = (node.number << inside) % WIDTH
    hashes = hashes_in(tiles[tile])[first : first + (1 << inside)]
    if len(hashes) < 1 << inside:
        raise KeyError(tile)
    return perfect_root(hashes)


def hashes_in(tile: bytes) -> list[bytes]:
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]


# The edge: appending leaves.


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
    """The partial tiles of a tree, which grows by leaves.

    Store what :meth:`take_tiles` returns after each growth.
    """

    def __init__(self, size: int, tiles: Mapping[Tile, bytes]) -> None:
        """Continue a tree of ``size`` leaves from the tiles that :func:`edge_tiles` names.

        Raises:
            KeyError: one of them is missing, or narrower than it has to be at this size.
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
        """The whole tree's root (RFC 6962 §2.1)."""
        if not self.size:
            return EMPTY_ROOT
        nodes = Span(0, self.size).nodes
        partial = self._partial()
        wanted = tiles_of(nodes)
        return joined(hash_in(node, {tile: partial[tile] for tile in wanted}) for node in nodes)

    def grow(self, leaves: Iterable[bytes]) -> None:
        """Append leaves, given by their hashes."""
        lowest = self._hashes[0]
        for leaf in leaves:
            lowest.append(leaf)
            self.size += 1
            if len(lowest) == WIDTH:
                self._carry()
                lowest = self._hashes[0]

    def take_full(self) -> dict[Tile, bytes]:
        """The tiles that have become full since the last call."""
        full, self._full = self._full, {}
        return full

    def take_tiles(self) -> dict[Tile, bytes]:
        """The tiles that have become full since the last call, and all partial ones."""
        return self.take_full() | self._partial()

    def _carry(self) -> None:
        """Set aside tiles that are full, and append the root of each to the level above."""
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


# Proofs: that an entry is in a tree, and that one tree extends another.


class ProofFailed(Exception):
    """The proof does not prove what it was presented for."""


def inclusion_spans(index: int, size: int) -> list[Span]:
    """The spans that prove leaf ``index`` in the tree of ``size`` leaves, from its sibling up.

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    spans, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(start, middle))
            start = middle
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """The spans that prove that the tree of ``new`` leaves extends that of ``old``.

    There are none where both are the same or the old one is empty.

    Raises:
        ValueError: the old tree is the larger one.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves cannot extend one of {old}")
    if old in {0, new}:
        return []
    spans, start, end, is_whole = [], 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(start, middle))
            start, is_whole = middle, False
    return ([] if is_whole else [Span(start, end)]) + spans[::-1]


def check_inclusion(leaf: bytes, index: int, size: int, root: bytes, path: Sequence[bytes]) -> None:
    """Verify an inclusion proof for the hash of a leaf (RFC 9162 §2.1.3.2).

    Raises:
        ProofFailed
    """
    if not 0 <= index < size:
        raise ProofFailed(f"a tree of {size} leaves has no leaf {index}")
    at, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofFailed("the inclusion proof is too long")
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise ProofFailed("the inclusion proof is too short")
    if found != root:
        raise ProofFailed(f"leaf {index} is not the one in the tree of {size} leaves")


def check_consistency(  # noqa: PLR0912  as the RFC has it, step by step
    old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Verify a consistency proof (RFC 9162 §2.1.4.2).

    Raises:
        ProofFailed
    """
    if not 0 <= old <= new:
        raise ProofFailed(f"a tree of {new} leaves cannot extend one of {old}")
    if old in {0, new}:
        if path:
            raise ProofFailed("the consistency proof is too long")
        if old == new and old_root != new_root:
            raise ProofFailed(f"there are two trees of {new} leaves")
        return
    hashes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not hashes:
        raise ProofFailed("the consistency proof is too short")
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_found = new_found = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise ProofFailed("the consistency proof is too long")
        if at & 1 or at == last:
            old_found, new_found = node_hash(sibling, old_found), node_hash(sibling, new_found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new_found = node_hash(new_found, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise ProofFailed("the consistency proof is too short")
    if old_found != old_root or new_found != new_root:
        raise ProofFailed(f"the tree of {new} leaves does not extend that of {old}")
