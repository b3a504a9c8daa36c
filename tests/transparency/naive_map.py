"""The map of last events word for word as docs/transparency.md has it: slow, and written from the
text alone."""

from hashlib import sha256
from typing import NamedTuple

NOTHING = bytes(32)

Leaves = dict[bytes, bytes]
"""Values by key, 32 bytes each."""


class Found(NamedTuple):
    """What is at the end of a key's path: a leaf, or nothing; and the hashes beside the path, the
    topmost first."""

    leaf: tuple[bytes, bytes] | None
    siblings: list[bytes]


def root(leaves: Leaves) -> bytes:
    return _root(_by_path(leaves))


def proof(key: bytes, leaves: Leaves) -> Found:
    below, siblings = _by_path(leaves), []
    for at, bit in enumerate(_path(key)):
        if len(below) < 2:
            break
        beside = {path: leaf for path, leaf in below.items() if path[at] != bit}
        below = {path: leaf for path, leaf in below.items() if path[at] == bit}
        siblings.append(_root(beside, at + 1))
    return Found(next(iter(below.values()), None), siblings)


def _root(below: dict[str, tuple[bytes, bytes]], at: int = 0) -> bytes:
    """Of a subtree whose leaves have the same first ``at`` bits."""
    if not below:
        return NOTHING
    if len(below) == 1:
        [(key, value)] = below.values()
        return sha256(b"\x00" + key + value).digest()
    halves = [{path: leaf for path, leaf in below.items() if path[at] == bit} for bit in "01"]
    left, right = (_root(half, at + 1) for half in halves)
    return sha256(b"\x01" + left + right).digest()


def _by_path(leaves: Leaves) -> dict[str, tuple[bytes, bytes]]:
    return {_path(key): (key, value) for key, value in leaves.items()}


def _path(key: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in key)
