"""Proofs: that an entry is in a tree, and that a tree only grew (RFC 9162 §2.1.3, §2.1.4).

A proof is first a list of spans, which depends on sizes alone; whoever has the tree turns them into
hashes (:func:`transparency.nodes.span_hash`). To check one takes nothing but itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from .hashing import node_hash
from .nodes import Span, split


class ProofFailed(Exception):
    """It does not prove what it is shown for."""


def inclusion_spans(index: int, size: int) -> list[Span]:
    """What proves leaf ``index`` in the tree of ``size`` leaves, from its sibling upwards.

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    spans, start, end = [], 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(start, middle))
            start = middle
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """What proves that the tree of ``new`` leaves begins with that of ``old``; none if they are the
    same or the old one is empty.

    Raises:
        ValueError: the old tree is the larger one.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves can't go on from {old}")
    if old in {0, new}:
        return []
    spans, start, end, is_whole = [], 0, new, True
    while old != end:
        middle = start + split(end - start)
        if old <= middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(start, middle))
            start, is_whole = middle, False
    return ([] if is_whole else [Span(start, end)]) + spans[::-1]


def check_inclusion(leaf: bytes, index: int, size: int, root: bytes, path: Sequence[bytes]) -> None:
    """RFC 9162 §2.1.3.2, for the hash of a leaf.

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
        raise ProofFailed(f"leaf {index} is not what the tree of {size} leaves has there")


def check_consistency(  # noqa: PLR0912  as the RFC has it, step by step
    old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """RFC 9162 §2.1.4.2.

    Raises:
        ProofFailed
    """
    if not 0 <= old <= new:
        raise ProofFailed(f"a tree of {new} leaves can't go on from {old}")
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
        raise ProofFailed(f"the tree of {new} leaves does not begin with that of {old}")
