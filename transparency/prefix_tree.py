"""A Merkle prefix tree: an authenticated map whose cost follows what changes.

A key is a digest, and its bits are its path from the root. A leaf stands where its path first
leaves those of all others; a subtree without leaves is empty. So both can be proved: what a key's
value is, and that a key has none (after Diem's "Jellyfish Merkle tree").

==================  ===============================================================
hash of             is
==================  ===============================================================
an empty subtree    32 zero bytes
a leaf              SHA-256(00 ‖ key ‖ value), wherever in the tree it stands
a subtree of more   SHA-256(01 ‖ left ‖ right)
==================  ===============================================================

Pure: the tree is kept as tiles of four levels, each under its :data:`Path`; a tile has up to
sixteen slots, and a slot is a leaf or the hash of the tile below it. They are stored and read
elsewhere (:mod:`transparency.last_events`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import groupby
from typing import NamedTuple

HASH_BYTES = 32
EMPTY = bytes(HASH_BYTES)
"""The hash of a subtree without leaves, and the root of a map without keys."""

TILE_LEVELS = 4
SLOTS = 1 << TILE_LEVELS
DEPTH_MAX = 8 * HASH_BYTES

_LEAF, _NODE = b"\x00", b"\x01"

Path = bytes
"""Where a tile is: the slots that lead to it, one in each byte; the topmost is ``b""``."""


class Leaf(NamedTuple):
    """A key, 32 bytes, and its value, 32 bytes."""

    key: bytes
    value: bytes

    @property
    def hash(self) -> bytes:
        return sha256(_LEAF + self.key + self.value).digest()


Slot = Leaf | bytes
"""What is below a slot: one leaf, or a tile with this hash."""
Slots = dict[int, Slot]
"""A tile: what is in its slots that are not empty."""
Tiles = Callable[[Iterable[Path]], Mapping[Path, Slots]]
"""Reads those of these tiles that exist."""


class Damaged(Exception):
    """A tile is not what the tile above it, or the root, refers to."""


class BadProof(Exception):
    """The proof does not prove what it was presented for."""


# Tiles.


def encoded(slots: Slots) -> bytes:
    """A tile as it is stored: two bitmaps of 16 bits, which slots are taken and which of these by a
    leaf, and then each slot's hash, or its leaf's key and value."""
    taken = sum(1 << slot for slot in slots)
    leaves = sum(1 << slot for slot, what in slots.items() if isinstance(what, Leaf))
    content = b"".join(
        what.key + what.value if isinstance(what, Leaf) else what
        for _, what in sorted(slots.items())
    )
    return taken.to_bytes(2) + leaves.to_bytes(2) + content


def decoded(tile: bytes) -> Slots:
    """
    Raises:
        Damaged
    """
    taken, leaves = int.from_bytes(tile[:2]), int.from_bytes(tile[2:4])
    length = HASH_BYTES * (taken.bit_count() + leaves.bit_count())
    if len(tile) != 4 + length or not taken or leaves & ~taken:
        raise Damaged("a tile can't be read")
    slots, at = Slots(), 4
    for slot in range(SLOTS):
        if not taken >> slot & 1:
            continue
        first, at = tile[at : at + HASH_BYTES], at + HASH_BYTES
        if leaves >> slot & 1:
            slots[slot] = Leaf(first, tile[at : at + HASH_BYTES])
            at += HASH_BYTES
        else:
            slots[slot] = first
    return slots


def hash_of(slots: Slots) -> bytes:
    """The hash of the subtree that a tile is the top of."""
    return _hash(_row(slots))


def slot_of(key: bytes, depth: int) -> int:
    """The slot of the tile with ``depth`` tiles above it that leads to the key."""
    byte = key[depth >> 1]
    return byte & 15 if depth & 1 else byte >> 4


def _row(slots: Slots) -> list[Slot | None]:
    return [slots.get(slot) for slot in range(SLOTS)]


def _hash(row: Sequence[Slot | None]) -> bytes:
    [top] = _merged(row, 1)
    return EMPTY if top is None else top.hash if isinstance(top, Leaf) else top


def _merged(row: Sequence[Slot | None], width: int) -> Sequence[Slot | None]:
    """Hash pairs of neighbours until ``width`` are left; a leaf by itself rises as it is."""
    while len(row) > width:
        row = [_pair(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
    return row


def _pair(left: Slot | None, right: Slot | None) -> Slot | None:
    if right is None and (left is None or isinstance(left, Leaf)):
        return left
    if left is None and isinstance(right, Leaf):
        return right
    return sha256(_NODE + _bytes(left) + _bytes(right)).digest()


def _bytes(slot: Slot | None) -> bytes:
    return EMPTY if slot is None else slot.hash if isinstance(slot, Leaf) else slot


# Changes.


def changed(
    leaves: Mapping[bytes, bytes], root: bytes, tiles: Tiles
) -> tuple[bytes, dict[Path, Slots]]:
    """Set the values of keys in the map with this root; return the new root, and the tiles that
    this changes.

    Tiles are read level by level, those of a level at once.

    Raises:
        Damaged
    """
    items = [Leaf(key, value) for key, value in sorted(leaves.items())]
    known = _along([leaf.key for leaf in items], tiles)
    new = dict[Path, Slots]()
    top = _changed(b"", root, items, known, new)
    return top, new


def _along(keys: Sequence[bytes], tiles: Tiles) -> dict[Path, Slots]:
    """The tiles on the paths of these keys, as far as they exist."""
    known = dict[Path, Slots]()
    wanted: dict[Path, list[bytes]] = {b"": list(keys)}
    depth = 0
    while wanted:
        found = tiles(wanted)
        known |= found
        below = dict[Path, list[bytes]]()
        for path, through in wanted.items():
            for key in through if path in found else ():
                slot = slot_of(key, depth)
                if isinstance(found[path].get(slot), bytes):
                    below.setdefault(path + bytes([slot]), []).append(key)
        wanted, depth = below, depth + 1
    return known


def _intact(path: Path, known: Mapping[Path, Slots], expected: bytes) -> Slots:
    """A tile that hashes to what was expected. A leaf by itself has the same hash wherever below a
    node it stands, so its place is compared as well.

    Raises:
        Damaged
    """
    slots, depth = known.get(path, {}), len(path)
    if hash_of(slots) != expected or any(
        isinstance(what, Leaf) and slot_of(what.key, depth) != slot for slot, what in slots.items()
    ):
        raise Damaged(f"the tile {path.hex() or 'at the top'} is not the one that was stored")
    return slots


def _changed(
    path: Path,
    expected: bytes,
    items: Sequence[Leaf],
    known: Mapping[Path, Slots],
    new: dict[Path, Slots],
) -> bytes:
    slots, depth = dict(_intact(path, known, expected)), len(path)
    for slot, group in groupby(items, lambda leaf: slot_of(leaf.key, depth)):
        own, there = list(group), slots.get(slot)
        if isinstance(there, Leaf) and there.key not in {leaf.key for leaf in own}:
            own = sorted([there, *own])
        if isinstance(there, bytes) or len(own) > 1:
            before = there if isinstance(there, bytes) else EMPTY
            slots[slot] = _changed(path + bytes([slot]), before, own, known, new)
        else:
            slots[slot] = own[0]
    new[path] = slots
    return hash_of(slots)


# Whole maps, made from their leaves.


Keep = Callable[[Path, Slots], None]
"""Takes each tile as it is made."""


def subtree(leaves: Sequence[Leaf], path: Path, keep: Keep) -> Slot | None:
    """What stands in the slot at ``path`` of a map whose leaves there are these, sorted."""
    if len(leaves) < 2 and path:  # noqa: PLR2004
        return leaves[0] if leaves else None
    depth = len(path)
    groups = groupby(leaves, lambda leaf: slot_of(leaf.key, depth))
    return joined(
        {slot: subtree(list(own), path + bytes([slot]), keep) for slot, own in groups}, path, keep
    )


def joined(slots: Mapping[int, Slot | None], path: Path, keep: Keep) -> Slot | None:
    """The same, from what stands in the slots of the tile at ``path``."""
    taken: Slots = {slot: what for slot, what in slots.items() if what is not None}
    if not taken:
        return None
    [*_, last] = taken.values()
    if path and len(taken) == 1 and isinstance(last, Leaf):
        return last
    keep(path, taken)
    return hash_of(taken)


# Proofs.


class Proof(NamedTuple):
    """What is at the end of a key's path, and the hashes beside that path from the root down.

    ``leaf`` is the key's own where it has a value; another leaf that stands there, or nothing,
    where it has none.
    """

    leaf: Leaf | None
    siblings: tuple[bytes, ...]


def proof_of(key: bytes, tiles: Tiles) -> Proof:
    """Prove a key's value, or that it has none, in the map of which these are the tiles.

    Raises:
        Damaged
    """
    siblings = list[bytes]()
    known = _along([key], tiles)
    path, expected = b"", hash_of(known.get(b"", {}))
    while True:
        slot = slot_of(key, len(path))
        found, beside = _descend(_row(_intact(path, known, expected)), slot)
        siblings += beside
        if not isinstance(found, bytes):
            return Proof(found, tuple(siblings))
        path, expected = path + bytes([slot]), found


def _descend(row: Sequence[Slot | None], slot: int) -> tuple[Slot | None, list[bytes]]:
    """Go down to a slot, but not below where a leaf or nothing is all that is left."""
    rows = [row]
    while len(rows[-1]) > 1:
        rows.append(_merged(rows[-1], len(rows[-1]) // 2))
    beside = list[bytes]()
    for level, wide in enumerate(reversed(rows)):
        here = wide[slot >> (TILE_LEVELS - level)]
        if level == TILE_LEVELS or here is None or isinstance(here, Leaf):
            return here, beside
        below = rows[-2 - level]
        beside.append(_bytes(below[(slot >> (TILE_LEVELS - level - 1)) ^ 1]))
    raise AssertionError


def check(key: bytes, value: bytes | None, root: bytes, proof: Proof) -> None:
    """Verify that a key has this value, or with ``None``, that it has none.

    Raises:
        BadProof
    """
    leaf, siblings = proof
    if len(siblings) > DEPTH_MAX:
        raise BadProof("the proof is too long")
    if any(len(each) != HASH_BYTES for each in (key, *siblings, *(leaf or ()))):
        raise BadProof("a key, a value or a hash has another length")
    bits = int.from_bytes(key)
    if value is not None and leaf != Leaf(key, value):
        raise BadProof("the key has no value, or another one")
    if value is None and leaf is not None:
        differs = DEPTH_MAX - (bits ^ int.from_bytes(leaf.key)).bit_length()
        if not len(siblings) <= differs < DEPTH_MAX:
            raise BadProof("the leaf that was shown does not stand in the key's way")
    found = EMPTY if leaf is None else leaf.hash
    for depth in reversed(range(len(siblings))):
        is_right = bits >> (DEPTH_MAX - 1 - depth) & 1
        pair = siblings[depth] + found if is_right else found + siblings[depth]
        found = sha256(_NODE + pair).digest()
    if found != root:
        raise BadProof("the proof does not lead to the root")
