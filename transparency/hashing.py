"""The hashes of a Merkle tree (RFC 6962 §2.1): a leaf never looks like a node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256().digest()
"""Of a tree without leaves."""

_LEAF, _NODE = b"\x00", b"\x01"


def leaf_hash(entry: bytes) -> bytes:
    return sha256(_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(_NODE + left + right).digest()


def level_above(hashes: Sequence[bytes]) -> list[bytes]:
    """The parents of these siblings; there is an even number of them."""
    pairs = zip(hashes[::2], hashes[1::2], strict=True)
    return [sha256(_NODE + left + right).digest() for left, right in pairs]


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """The node above ``hashes``, of which there are 1, 2, 4, 8 …"""
    while len(hashes) > 1:
        hashes = level_above(hashes)
    return hashes[0]


def joined(pieces: Iterable[bytes]) -> bytes:
    """The hash of neighbouring perfect trees, given from left to right, each smaller than the one
    before it; of none, that of the empty tree."""
    backwards = list(pieces)[::-1]
    if not backwards:
        return EMPTY_ROOT
    return reduce(lambda right, left: node_hash(left, right), backwards)
