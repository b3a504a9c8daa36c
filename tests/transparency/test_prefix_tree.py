"""The prefix tree makes the roots and proofs of a naive one, and proves nothing else.

``python -m tests.transparency.test_prefix_tree`` writes the golden vectors, which the naive tree
makes.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path as File
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transparency import naive_map
from tests.transparency.naive_map import Leaves
from tools.verify_evidence import NotProved, check_map
from transparency.last_events import key_of
from transparency.prefix_tree import (
    DEPTH_MAX,
    EMPTY,
    BadProof,
    Damaged,
    Leaf,
    Path,
    Proof,
    Slots,
    changed,
    check,
    decoded,
    encoded,
    proof_of,
    slot_of,
    subtree,
)

GOLDEN = File(__file__).parent / "golden" / "prefix_tree.json"
HASHES = st.binary(min_size=32, max_size=32)


@dataclass
class Map:
    """A map whose tiles are stored as the database has them."""

    root: bytes = EMPTY
    stored: dict[Path, bytes] = field(default_factory=dict)

    def change(self, leaves: Leaves) -> None:
        self.root, new = changed(leaves, self.root, self.tiles)
        self.stored |= {path: encoded(slots) for path, slots in new.items()}

    def proof(self, key: bytes) -> Proof:
        return proof_of(key, self.tiles)

    def tiles(self, paths: Iterable[Path]) -> dict[Path, Slots]:
        return {path: decoded(self.stored[path]) for path in paths if path in self.stored}

    @classmethod
    def of(cls, leaves: Leaves) -> "Map":
        made = cls()
        made.change(leaves)
        return made


def beside(key: bytes, bits: int, rest: bytes) -> bytes:
    """Another key with exactly its first ``bits`` bits, and then those of ``rest``."""
    below = DEPTH_MAX - bits
    flipped = int.from_bytes(key) ^ (1 << below - 1)
    mask = (1 << below - 1) - 1
    return (flipped & ~mask | int.from_bytes(rest) & mask).to_bytes(32)


@st.composite
def several_keys(draw: st.DrawFn, *, min_size: int = 0) -> list[bytes]:
    """Some of which have many bits in common."""
    keys = draw(st.lists(HASHES, min_size=min_size, max_size=8, unique=True))
    for _ in range(draw(st.integers(0, 6)) if keys else 0):
        near = draw(st.sampled_from(keys))
        keys.append(beside(near, draw(st.integers(0, DEPTH_MAX - 1)), draw(HASHES)))
    return list(dict.fromkeys(keys))


@st.composite
def maps(draw: st.DrawFn, *, min_size: int = 0) -> Leaves:
    keys = draw(several_keys(min_size=min_size))
    return {key: draw(HASHES) for key in keys}


@settings(deadline=None)
@given(leaves=maps(), data=st.data())
def test_any_order_in_any_batches(leaves: Leaves, data: st.DataObject) -> None:
    """Changes of values too: the root is the naive tree's, the tiles are those of a map that is
    made at once, and so are all of a map that is made as a whole."""
    order = data.draw(st.permutations(list(leaves)))
    grown, so_far = Map(), Leaves()
    while order:
        count = data.draw(st.integers(1, len(order)))
        batch = {key: leaves[key] for key in order[:count]}
        if data.draw(st.booleans()) and so_far:
            batch.setdefault(data.draw(st.sampled_from(list(so_far))), bytes([1] * 32))
        del order[:count]
        so_far |= batch
        grown.change(batch)
        assert naive_map.root(so_far) == grown.root
    assert grown == Map.of(so_far) if so_far else grown == Map()

    whole: dict[Path, bytes] = {}
    top = subtree(
        [Leaf(*leaf) for leaf in sorted(so_far.items())],
        b"",
        lambda path, slots: whole.update({path: encoded(slots)}),
    )
    assert (grown.root, grown.stored) == (top if top is not None else EMPTY, whole)


@settings(deadline=None)
@given(leaves=maps(), data=st.data())
def test_presence_and_absence(leaves: Leaves, data: st.DataObject) -> None:
    """Of every key in it, and of keys whose paths leave those of others early and late."""
    made = Map.of(leaves) if leaves else Map()
    absent = [data.draw(HASHES)]
    if leaves:
        near = data.draw(st.sampled_from(list(leaves)))
        absent += [beside(near, bits, data.draw(HASHES)) for bits in (0, 1, 5, 200, 255)]
    for key in [*leaves, *(key for key in absent if key not in leaves)]:
        proof = made.proof(key)
        assert naive_map.proof(key, leaves) == (proof.leaf, list(proof.siblings))
        check(key, leaves.get(key), made.root, proof)


def tampered(
    key: bytes, value: bytes | None, made: Map, leaves: Leaves, chance: Random
) -> Iterator[tuple[str, bytes, bytes | None, bytes, Proof]]:
    """Each way in which the proof of a key may be false, and the arguments of ``check`` for it."""
    root, proof = made.root, made.proof(key)
    leaf, siblings = proof
    other = chance.randbytes(32)
    yield "another root", key, value, other, proof
    yield "another value", key, other, root, proof
    yield "another value in the leaf", key, other, root, Proof(Leaf(key, other), siblings)
    if value is None:
        yield "a value of a key without", key, None, root, Proof(Leaf(key, other), siblings)
        yield "another leaf in the way", key, None, root, Proof(Leaf(other, other), siblings)
    else:
        yield "no value", key, None, root, proof
        yield "nothing there", key, None, root, Proof(None, siblings)
        yield "a made-up leaf there", key, None, root, Proof(Leaf(other, value), siblings)
        for cut in (1, 31, 33, 63):
            both = key + value
            lengths = Leaf(both[:cut], both[cut:])
            yield f"a leaf cut at {cut}", key, None, root, Proof(lengths, siblings)
        yield "another key", other, value, root, proof
    if leaf is not None:
        yield "nothing in the way", key, None, root, Proof(None, siblings)
    for present in leaves:
        if present != key:
            yield "absence of a key that is there", present, None, root, proof
            elsewhere = Leaf(present, leaves[present])
            if elsewhere != leaf:
                yield "a leaf of elsewhere", key, None, root, Proof(elsewhere, siblings)
    for longer in ((*siblings, EMPTY), (EMPTY, *siblings), (*siblings, other)):
        yield "a hash more", key, value, root, Proof(leaf, longer)
    yield "too long", key, value, root, Proof(leaf, (*siblings, *[EMPTY] * DEPTH_MAX))
    if siblings:
        at = chance.randrange(len(siblings))
        first, rest = siblings[:at], siblings[at + 1 :]
        yield "a hash less", key, value, root, Proof(leaf, (*first, *rest))
        yield "the last hash less", key, value, root, Proof(leaf, siblings[:-1])
        yield "another hash", key, value, root, Proof(leaf, (*first, other, *rest))
        yield "a longer hash", key, value, root, Proof(leaf, (*first, siblings[at] + b"0", *rest))
        yield "a shorter hash", key, value, root, Proof(leaf, (*first, siblings[at][1:], *rest))
    if siblings != siblings[::-1]:
        yield "in another order", key, value, root, Proof(leaf, siblings[::-1])


def is_accepted(key: bytes, value: bytes | None, root: bytes, proof: Proof) -> bool:
    try:
        check(key, value, root, proof)
    except BadProof:
        return False
    return True


@settings(deadline=None)
@given(leaves=maps(min_size=1), data=st.data())
def test_nothing_else_is_proved(leaves: Leaves, data: st.DataObject) -> None:
    """Whatever is changed in a proof, or in what it is presented for."""
    made, chance = Map.of(leaves), Random(data.draw(st.integers(0, 2**32)))  # noqa: S311  no secret
    near = data.draw(st.sampled_from(list(leaves)))
    absent = beside(near, data.draw(st.integers(0, DEPTH_MAX - 1)), data.draw(HASHES))
    for key in {near, absent}:
        for how, of, value, root, proof in tampered(key, leaves.get(key), made, leaves, chance):
            assert not is_accepted(of, value, root, proof), how


def test_the_verifier_of_evidence_agrees() -> None:
    """It takes the same proofs, of rows and of absence, and none of the false ones."""
    rows = {f"permit {number}": b"row %d" % number for number in range(30)}
    leaves = {key_of(stream): sha256(row).digest() for stream, row in rows.items()}
    made, chance = Map.of(leaves), Random(1)  # noqa: S311  no secret
    for stream in [*rows, *(f"no permit {number}" for number in range(30))]:
        key, row = key_of(stream), rows.get(stream)
        assert is_evidence(stream, row, made.root, made.proof(key))
        for how, of, value, root, proof in tampered(key, leaves.get(key), made, leaves, chance):
            if of == key and value in (None, leaves.get(key)):
                shown = row if value is not None else None
                assert not is_evidence(stream, shown, root, proof), how


def is_evidence(stream: str, row: bytes | None, root: bytes, proof: Proof) -> bool:
    """Return whether the verifier of evidence takes it."""
    leaf = proof.leaf
    beside = {"key": leaf.key.hex(), "value": leaf.value.hex()} if leaf and row is None else None
    manifest = {"map_root": root.hex()}
    try:
        check_map(stream, row, beside, manifest, list(proof.siblings))
    except NotProved:
        return False
    return True


@settings(deadline=None)
@given(leaves=maps(min_size=1), value=HASHES, data=st.data())
def test_a_map_that_was_put_back(leaves: Leaves, value: bytes, data: st.DataObject) -> None:
    """Proofs of before do not hold under the root of now, nor those of now under that of before;
    with the root of now, nothing is changed in tiles of before."""
    key = data.draw(st.sampled_from(list(leaves)))
    before, now = Map.of(leaves), Map.of(leaves)
    now.change({key: value})
    if now.root == before.root:
        return  # it is the value that it had
    assert not is_accepted(key, leaves[key], now.root, before.proof(key))
    assert not is_accepted(key, value, before.root, now.proof(key))
    now.stored = before.stored
    with pytest.raises(Damaged):
        now.change({key: value})


@settings(deadline=None)
@given(leaves=maps(min_size=1), data=st.data())
def test_a_damaged_tile(leaves: Leaves, data: st.DataObject) -> None:
    """Any bit of any tile on a key's path, a byte more or less, the tile itself: nothing is changed
    in such a map, and nothing proved."""
    key = data.draw(st.sampled_from(list(leaves)))
    made = Map.of(leaves)
    nibbles = bytes(slot_of(key, depth) for depth in range(DEPTH_MAX // 4))
    path = data.draw(st.sampled_from([p for p in made.stored if nibbles.startswith(p)]))
    tile = made.stored[path]
    bit = data.draw(st.integers(0, 8 * len(tile) - 1))
    flipped = (int.from_bytes(tile) ^ 1 << bit).to_bytes(len(tile))
    for damaged in (flipped, tile[:-1], tile + b"\0", b"", None):
        made.stored[path] = damaged if damaged is not None else b""
        if damaged is None:
            del made.stored[path]
        with pytest.raises(Damaged):
            made.change({key: bytes(32)})
        with pytest.raises((Damaged, BadProof)):
            check(key, leaves[key], made.root, made.proof(key))


def test_a_leaf_in_another_slot() -> None:
    """Where it is by itself it has the same hash there, and the next change would go wrong."""
    key = bytes(32)
    made = Map.of({key: key})
    made.stored = {b"": encoded({7: Leaf(key, key)})}
    with pytest.raises(Damaged):
        made.change({bytes([255] * 32): key})


@given(
    st.dictionaries(st.integers(0, 15), HASHES | st.builds(Leaf, HASHES, HASHES), min_size=1),
)
def test_tiles_are_read_as_they_were_written(slots: Slots) -> None:
    assert slots == decoded(encoded(slots))


# -- golden vectors ----------------------------------------------------------------------------


def golden() -> dict[str, Any]:
    """Sixteen keys, and one that leaves the first one's path after twelve bits."""
    keys = [sha256(b"stream %d" % number).digest() for number in range(16)]
    keys.append(beside(keys[0], 12, sha256(b"stream 16").digest()))
    leaves = {key: sha256(b"value %d" % number).digest() for number, key in enumerate(keys)}
    absent = [beside(keys[0], bits, bytes(32)) for bits in range(20)]
    ends = {key: naive_map.proof(key, leaves).leaf for key in absent}
    nothing = next(key for key, leaf in ends.items() if leaf is None)
    another = next(key for key, leaf in ends.items() if leaf is not None)

    def proved(key: bytes) -> dict[str, Any]:
        leaf, siblings = naive_map.proof(key, leaves)
        found = {"key": leaf[0].hex(), "value": leaf[1].hex()} if leaf else None
        return {"key": key.hex(), "leaf": found, "siblings": [each.hex() for each in siblings]}

    return {
        "leaves": [{"key": key.hex(), "value": value.hex()} for key, value in leaves.items()],
        "root": naive_map.root(leaves).hex(),
        "presence": proved(keys[16]),
        "absence": [proved(nothing), proved(another)],
    }


def test_the_golden_vectors() -> None:
    """They do not change, and ours agrees with them."""
    vectors = json.loads(GOLDEN.read_text("utf-8"))
    read = bytes.fromhex
    leaves = {read(each["key"]): read(each["value"]) for each in vectors["leaves"]}
    made = Map.of(leaves)
    assert golden() == vectors
    assert vectors["root"] == made.root.hex()
    for each in (vectors["presence"], *vectors["absence"]):
        key, leaf = read(each["key"]), each["leaf"]
        found = Leaf(read(leaf["key"]), read(leaf["value"])) if leaf else None
        proof = Proof(found, tuple(map(read, each["siblings"])))
        assert made.proof(key) == proof
        check(key, leaves.get(key), made.root, proof)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(), indent=1) + "\n", "utf-8")
