"""Where a tree's nodes are: spans of leaves, and the perfect trees that they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .hashing import joined


class Node(NamedTuple):
    """The root of a perfect tree over ``2**level`` leaves, from ``number * 2**level`` on."""

    level: int
    number: int


class Span(NamedTuple):
    """The leaves from ``start`` up to, and not including, ``end``."""

    start: int
    end: int

    @property
    def nodes(self) -> list[Node]:
        """The perfect trees it falls into, the largest first; ``start`` is a multiple of the
        first one's size, as it is wherever RFC 6962 divides a tree."""
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


def split(size: int) -> int:
    """The largest power of two smaller than ``size``, which is over 1: where a tree divides."""
    return 1 << (size - 1).bit_length() - 1
