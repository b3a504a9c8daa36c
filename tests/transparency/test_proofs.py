"""Proofs from tiles equal those of the RFC's own words, and prove nothing else."""

from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transparency import reference
from tests.transparency.growing import TiledTree, made_up
from transparency.merkle import (
    EMPTY_ROOT,
    Edge,
    ProofFailed,
    check_consistency,
    check_inclusion,
    consistency_spans,
    edge_tiles,
    inclusion_spans,
    leaf_hash,
)

LEAVES = 700


@dataclass
class Grown:
    entries: list[bytes]
    tree: TiledTree
    roots: list[bytes]


@pytest.fixture(scope="module")
def grown() -> Grown:
    """With the root at every size."""
    entries, tree = made_up(LEAVES), TiledTree()
    roots = [tree.edge.root]
    for entry in entries:
        tree.grow([entry])
        roots.append(tree.edge.root)
    return Grown(entries, tree, roots)


def test_roots_are_the_rfcs(grown: Grown) -> None:
    assert grown.roots[0] == EMPTY_ROOT
    for size in (1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, LEAVES):
        assert grown.roots[size] == reference.root(grown.entries[:size])


@settings(deadline=None)
@given(data=st.data())
def test_inclusion(grown: Grown, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, LEAVES))
    index = data.draw(st.integers(0, size - 1))
    path = grown.tree.hashes(inclusion_spans(index, size))
    assert path == reference.path(index, grown.entries[:size])
    leaf, root = leaf_hash(grown.entries[index]), grown.roots[size]
    check_inclusion(leaf, index, size, root, path)
    false = data.draw(st.sampled_from(["leaf", "index", "root", "short", "long", "flipped"]))
    other = (index + 1) % size
    if false == "leaf":
        leaf = leaf_hash(b"another")
    elif false == "index" and other != index:
        index = other
    elif false == "short" and path:
        path = path[:-1]
    elif false == "long":
        path = [*path, bytes(32)]
    elif false == "flipped" and path:
        at = data.draw(st.integers(0, len(path) - 1))
        path = [*path[:at], bytes(32), *path[at + 1 :]]
    else:
        root = bytes(32)
    with pytest.raises(ProofFailed):
        check_inclusion(leaf, index, size, root, path)


@settings(deadline=None)
@given(data=st.data())
def test_consistency(grown: Grown, data: st.DataObject) -> None:
    new = data.draw(st.integers(1, LEAVES))
    old = data.draw(st.integers(0, new))
    path = grown.tree.hashes(consistency_spans(old, new))
    assert path == reference.proof(old, grown.entries[:new])
    check_consistency(old, grown.roots[old], new, grown.roots[new], path)
    with pytest.raises(ProofFailed):
        check_consistency(old, grown.roots[old], new, grown.roots[new], [*path, bytes(32)])
    if 0 < old < new:
        with pytest.raises(ProofFailed):
            check_consistency(old, bytes(32), new, grown.roots[new], path)
        with pytest.raises(ProofFailed):
            check_consistency(old, grown.roots[old], new, bytes(32), path)
        with pytest.raises(ProofFailed):
            check_consistency(old, grown.roots[old], new, grown.roots[new], path[:-1])


def test_two_trees_of_one_size_are_a_fork(grown: Grown) -> None:
    with pytest.raises(ProofFailed, match="two trees"):
        check_consistency(5, grown.roots[5], 5, grown.roots[6], [])
    with pytest.raises(ProofFailed):
        check_consistency(6, grown.roots[6], 5, grown.roots[5], [])


def test_there_is_no_leaf_beyond(grown: Grown) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_spans(5, 5)
    with pytest.raises(ValueError, match="cannot extend"):
        consistency_spans(6, 5)
    with pytest.raises(ProofFailed):
        check_inclusion(leaf_hash(b""), 5, 5, grown.roots[5], [])


def test_an_edge_goes_on_from_its_tiles() -> None:
    """At sizes around full tiles of two levels; from tiles that have grown further, too."""
    random = Random(1)  # noqa: S311  no secret
    entries = made_up(256 * 256 + 600)
    tree, at = TiledTree(), 0
    for size in [1, 255, 256, 257, 65_280, 65_535, 65_536, 65_537, len(entries)]:
        while at < size:
            step = min(random.randint(1, 9000), size - at)
            tree.grow(entries[at : at + step])
            at += step
        again = Edge(size, {tile: tree.tiles[tile] for tile in edge_tiles(size)})
        assert again.root == tree.edge.root
    early = Edge(300, {tile: tree.tiles[tile] for tile in edge_tiles(300)})
    assert early.root == reference.root(entries[:300])


def test_an_edge_without_its_tiles_is_none() -> None:
    with pytest.raises(KeyError):
        Edge(300, {})
