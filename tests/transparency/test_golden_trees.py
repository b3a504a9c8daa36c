"""Ours agrees with the golden vectors, which other people's code has made: Go's
golang.org/x/mod/sumdb and filippo.io/torchwood (``tests/foreign/test_golden.py`` makes them)."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from tests.transparency.growing import TiledTree
from transparency.merkle import (
    Span,
    check_consistency,
    check_inclusion,
    consistency_spans,
    inclusion_spans,
    leaf_hash,
)
from transparency.notes import (
    BadNote,
    Note,
    NoteSigner,
    NoteVerifier,
    TreeHead,
    Unsigned,
    cosigned_at,
)
from transparency.proof_text import TlogProof
from transparency.witness.policy import WitnessPolicy

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parent / "golden" / "go.json").read_text("utf-8")
)
LOG = NoteVerifier.of(GOLDEN["log_key"])
WITNESS = NoteVerifier.of(GOLDEN["witness_key"])
SIGNER = NoteSigner(LOG.name, bytes([1]) * 32)


def entry(number: int) -> bytes:
    return (GOLDEN["entries"] % number).encode()


def hashes(listed: list[str]) -> list[bytes]:
    return [b64decode(each) for each in listed]


@pytest.fixture(scope="module")
def trees() -> dict[int, TiledTree]:
    """By their sizes."""
    found = {}
    for golden in GOLDEN["trees"]:
        found[golden["size"]] = tree = TiledTree()
        tree.grow([entry(number) for number in range(golden["size"])])
    return found


@pytest.fixture(params=GOLDEN["trees"], ids=lambda golden: str(golden["size"]))
def golden(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param


def test_there_are_enough() -> None:
    """Sizes on both sides of where tiles end, and paths for each."""
    assert {1, 2, 255, 256, 257, 511, 513} <= {golden["size"] for golden in GOLDEN["trees"]}
    assert sum(len(golden["inclusion"]) for golden in GOLDEN["trees"]) > 100
    assert sum(len(golden["consistency"]) for golden in GOLDEN["trees"]) > 100


def test_roots(golden: dict[str, Any], trees: dict[int, TiledTree]) -> None:
    assert b64decode(golden["root"]) == trees[golden["size"]].edge.root


def test_inclusion(golden: dict[str, Any], trees: dict[int, TiledTree]) -> None:
    """The same path, and accepted."""
    size, root = golden["size"], b64decode(golden["root"])
    for each in golden["inclusion"]:
        path = hashes(each["path"])
        assert path == trees[size].hashes(inclusion_spans(each["index"], size))
        check_inclusion(leaf_hash(entry(each["index"])), each["index"], size, root, path)


def test_consistency(golden: dict[str, Any], trees: dict[int, TiledTree]) -> None:
    """The same path, and accepted."""
    size, root = golden["size"], b64decode(golden["root"])
    for each in golden["consistency"]:
        path = hashes(each["path"])
        assert path == trees[size].hashes(consistency_spans(each["old"], size))
        [old_root] = trees[size].hashes([Span(0, each["old"])])
        check_consistency(each["old"], old_root, size, root, path)


def test_checkpoints(golden: dict[str, Any]) -> None:
    """Signed with the same key, ours is the same to the last byte."""
    head = TreeHead(LOG.name, golden["size"], b64decode(golden["root"]))
    assert golden["checkpoint"] == str(head.signed([SIGNER]))
    assert head == TreeHead.of(Note.of(golden["checkpoint"]).text)


def test_cosignatures(golden: dict[str, Any]) -> None:
    """The witness's is accepted, with its time."""
    note = Note.of(golden["cosigned"])
    [cosignature] = note.verified([WITNESS])
    assert cosigned_at(cosignature) > 1_700_000_000
    assert golden["cosigned"] == str(Note.of(golden["checkpoint"]).with_signatures([cosignature]))


def test_proof_texts(golden: dict[str, Any]) -> None:
    """Read, accepted, and written again as they were."""
    size = golden["size"]
    proof = TlogProof.of(golden["proof"])
    proof.check(leaf_hash(entry(size - 1)), LOG.name, [LOG])
    assert (size - 1, golden["proof"]) == (proof.index, str(proof))


def test_the_policy(golden: dict[str, Any]) -> None:
    """It takes the witness's signature too."""
    policy = WitnessPolicy.of(GOLDEN["policy"].encode())
    assert policy.is_witnessed(Note.of(golden["cosigned"]))
    assert not policy.is_witnessed(Note.of(golden["checkpoint"]))


def test_keys_are_written_as_they_are_read() -> None:
    assert GOLDEN["log_key"] == str(LOG) == str(SIGNER.verifier)
    assert GOLDEN["witness_key"] == str(WITNESS)


def test_cosignatures_of_ml_dsa() -> None:
    """A witness whose key is of ML-DSA-44, and what it has not signed."""
    golden = GOLDEN["post_quantum"]
    key = NoteVerifier.of(golden["key"])
    note = Note.of(golden["cosigned"])
    [cosignature] = note.verified([key])
    head = TreeHead.of(note.text)
    value = cosignature.value
    others = {
        "another size": (str(head._replace(size=head.size + 1)), value),
        "another root": (str(head._replace(root=bytes(32))), value),
        "another origin": (str(head._replace(origin="b.example/log")), value),
        "a line more": (note.text + "more\n", value),
        "another time": (note.text, bytes([1]) + value[1:]),
        "another signature": (note.text, value[:-1] + bytes([value[-1] ^ 1])),
        "cut": (note.text, value[:100]),
    }
    policy = WitnessPolicy.of(f"witness w {key}\nquorum w\n".encode())

    assert golden["key"] == str(key)
    assert cosigned_at(cosignature) > 1_700_000_000
    assert policy.is_witnessed(note)
    assert not policy.is_witnessed(Note.of(GOLDEN["trees"][-1]["checkpoint"]))
    for text, changed in others.values():
        with pytest.raises(Unsigned):
            key.check(text, cosignature._replace(value=changed))
    renamed = NoteVerifier("witness.example/other", key.kind, key.public)
    with pytest.raises(Unsigned):
        renamed.check(note.text, cosignature)


@pytest.mark.parametrize("length", [0, 32, 1311, 1313])
def test_an_ml_dsa_key_has_its_length(length: int) -> None:
    with pytest.raises(BadNote):
        NoteVerifier.of(str(NoteVerifier("w.example", 6, bytes(length))))
