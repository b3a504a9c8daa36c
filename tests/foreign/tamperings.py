"""Each way in which a proof may be false. What is tampered with is shown as if it were true."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace

from tests.foreign.claims import Consistency, Inclusion
from transparency.notes import NoteSigner

STRANGER = bytes([77]) * 32


def flipped(value: bytes, at: int = 0) -> bytes:
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


def other_note(claim: Inclusion, **lines: str) -> str:
    """The checkpoint with other lines under the same signatures."""
    origin, size, root, rest = claim.note.split("\n", 3)
    said = {"origin": origin, "size": size, "root": root, **lines}
    return f"{said['origin']}\n{said['size']}\n{said['root']}\n{rest}"


def other_signature(claim: Inclusion, at: int) -> str:
    """One bit of the log's signature is another; ``at`` counts from the key's id."""
    head, _, value = claim.note.rstrip("\n").rpartition(" ")
    return f"{head} {b64encode(flipped(b64decode(value), at)).decode()}\n"


def resigned(claim: Inclusion, signer: NoteSigner, **lines: str) -> str:
    """A checkpoint that ``signer`` has really signed."""
    text = other_note(claim, **lines).partition("\n\n")[0] + "\n"
    return f"{text}\n{signer.sign(text)}"


def _name(claim: Inclusion) -> str:
    return claim.key.partition("+")[0]


def _stranger(claim: Inclusion) -> NoteSigner:
    return NoteSigner(_name(claim), STRANGER)


def _root(claim: Inclusion) -> str:
    return b64encode(flipped(claim.root)).decode()


PROOFS: dict[str, Callable[[Inclusion], Inclusion]] = {
    "another entry": lambda claim: replace(claim, entry=flipped(claim.entry, 9)),
    "a byte more": lambda claim: replace(claim, entry=claim.entry + b"\n"),
    "another hash first": lambda claim: replace(
        claim, path=(flipped(claim.path[0]), *claim.path[1:])
    ),
    "another hash last": lambda claim: replace(
        claim, path=(*claim.path[:-1], flipped(claim.path[-1], 31))
    ),
    "hashes swapped": lambda claim: replace(
        claim, path=(claim.path[1], claim.path[0], *claim.path[2:])
    ),
    "path too short": lambda claim: replace(claim, path=claim.path[:-1]),
    "path without its beginning": lambda claim: replace(claim, path=claim.path[1:]),
    "path too long": lambda claim: replace(claim, path=(*claim.path, claim.root)),
    "no path": lambda claim: replace(claim, path=()),
    "next index": lambda claim: replace(claim, index=claim.index ^ 1),
    "index beyond": lambda claim: replace(claim, index=claim.size),
    "negative index": lambda claim: replace(claim, index=-1 - claim.index),
}
"""Of the proof itself."""

SIZES: dict[str, Callable[[Inclusion], Inclusion]] = {
    "half the size": lambda claim: replace(claim, size=claim.size // 2),
    "twice the size": lambda claim: replace(claim, size=claim.size * 2 + 1),
    "another root": lambda claim: replace(claim, root=flipped(claim.root)),
}
"""Of what a checkpoint says, for those who can't read one."""

NOTES: dict[str, Callable[[Inclusion], Inclusion]] = {
    "a size more": lambda claim: replace(claim, note=other_note(claim, size=str(claim.size + 1))),
    "another root": lambda claim: replace(claim, note=other_note(claim, root=_root(claim))),
    "another origin": lambda claim: replace(claim, note=other_note(claim, origin="b.example/log")),
    "a line more": lambda claim: replace(claim, note=claim.note.replace("\n\n", "\nextra\n\n", 1)),
    "another signature": lambda claim: replace(claim, note=other_signature(claim, 4)),
    "another signature's end": lambda claim: replace(claim, note=other_signature(claim, 67)),
    "another key's id": lambda claim: replace(claim, note=other_signature(claim, 0)),
    "no signature": lambda claim: replace(claim, note=claim.note.partition("\n\n")[0] + "\n\n"),
    "a stranger trusted": lambda claim: replace(claim, key=str(_stranger(claim).verifier)),
    "signed by a stranger": lambda claim: replace(claim, note=resigned(claim, _stranger(claim))),
    "a stranger's root": lambda claim: replace(
        claim, note=resigned(claim, _stranger(claim), root=_root(claim))
    ),
    "signed in another name": lambda claim: replace(
        claim,
        note=resigned(claim, NoteSigner("b.example/log", STRANGER), origin="b.example/log"),
    ),
}
"""Of the checkpoint."""

GROWTHS: dict[str, Callable[[Consistency], Consistency]] = {
    "another hash first": lambda claim: replace(
        claim, path=(flipped(claim.path[0]), *claim.path[1:])
    ),
    "another hash last": lambda claim: replace(
        claim, path=(*claim.path[:-1], flipped(claim.path[-1]))
    ),
    "path too short": lambda claim: replace(claim, path=claim.path[:-1]),
    "path without its beginning": lambda claim: replace(claim, path=claim.path[1:]),
    "path too long": lambda claim: replace(claim, path=(*claim.path, claim.root)),
    "no path": lambda claim: replace(claim, path=()),
    "another old root": lambda claim: replace(claim, old_root=flipped(claim.old_root)),
    "another new root": lambda claim: replace(claim, root=flipped(claim.root)),
    "roots swapped": lambda claim: replace(claim, root=claim.old_root, old_root=claim.root),
    "half the old size": lambda claim: replace(claim, old=claim.old // 2),
    "another new size": lambda claim: replace(claim, size=claim.size * 2 + 1),
    "shrunk": lambda claim: replace(claim, size=claim.old, old=claim.size),
}
"""Of a proof that a log only grew."""
