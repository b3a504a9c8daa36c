"""Two scratch files that several processes write, so that memory does not grow with the log."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from enum import IntEnum
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from transparency.merkle import HASH_BYTES

UNKNOWN = bytes(HASH_BYTES)
"""Placeholder for a leaf that is missing in the stored tree."""

_CHUNK = 1 << 20


class Mark(IntEnum):
    """The finding at a position."""

    MISSING = 0
    SAME = 1
    OTHER = 2
    ORPHAN = 3
    """The permit's previous version is missing."""
    TWICE = 4
    COLUMN = 5
    """The state is the signed one, and a column differs from it."""


_WRONG = re.compile(rb"[^\x01]")


class Where(NamedTuple):
    """Room for this many ``leaves`` and ``rows``; can be pickled."""

    folder: Path
    tree: str
    leaves: int
    rows: int

    def make(self) -> None:
        for name, size in (("leaves", self.leaves * HASH_BYTES), ("marks", self.rows)):
            with (self.folder / f"{self.tree}.{name}").open("wb") as file:
                file.truncate(max(size, 1))


class Scratch:
    """Positions start at 1, as in the log."""

    def __init__(self, where: Where) -> None:
        self.where = where
        self._leaves = _mapped(where.folder / f"{where.tree}.leaves")
        self._marks = _mapped(where.folder / f"{where.tree}.marks")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self._leaves.close()
        self._marks.close()

    # -- leaves ----------------------------------------------------------------------------------

    def leaf(self, position: int) -> bytes | None:
        """Return a leaf; ``None`` if it is unknown or beyond the file."""
        if not 0 < position <= self.where.leaves:
            return None
        at = (position - 1) * HASH_BYTES
        leaf = self._leaves[at : at + HASH_BYTES]
        return None if leaf == UNKNOWN else leaf

    def leaves(self, after: int, count: int) -> bytes:
        """Return the next leaves, joined; fewer at the end."""
        end = min(after + count, self.where.leaves)
        return self._leaves[after * HASH_BYTES : end * HASH_BYTES]

    def put(self, after: int, hashes: bytes) -> None:
        """Write leaves; those beyond the file are skipped."""
        room = max(self.where.leaves - after, 0) * HASH_BYTES
        self._leaves[after * HASH_BYTES : after * HASH_BYTES + min(len(hashes), room)] = hashes[
            :room
        ]

    def compare(self, position: int, leaf: bytes) -> bool:
        """Return whether a leaf equals the known one; an unknown one is set."""
        if position > self.where.leaves:
            return True
        at = (position - 1) * HASH_BYTES
        known = self._leaves[at : at + HASH_BYTES]
        if known == UNKNOWN:
            self._leaves[at : at + HASH_BYTES] = leaf
            return True
        return known == leaf

    # -- marks -----------------------------------------------------------------------------------

    def mark(self, position: int, mark: Mark) -> None:
        """Mark a position; those beyond the rows are counted elsewhere."""
        if 0 < position <= self.where.rows:
            marked = self._marks[position - 1]
            self._marks[position - 1] = Mark.TWICE if marked else mark

    def wrong(self, limit: int) -> list[tuple[int, Mark]]:
        """Return the first marked positions."""
        return [(position, mark) for position, mark in islice(self._wrong(), limit)]

    def wrong_count(self) -> int:
        rows, same = self.where.rows, 0
        for at in range(0, rows, _CHUNK):
            same += self._marks[at : min(at + _CHUNK, rows)].count(Mark.SAME)
        return rows - same

    def _wrong(self) -> Iterator[tuple[int, Mark]]:
        for found in _WRONG.finditer(self._marks, 0, self.where.rows):
            yield found.start() + 1, Mark(found[0][0])


def _mapped(file: Path) -> mmap.mmap:
    with file.open("r+b") as opened:
        return mmap.mmap(opened.fileno(), 0)
