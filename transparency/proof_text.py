"""A self-contained proof: index, hashes, checkpoint (C2SP tlog-proof)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass

from .merkle import HASH_BYTES, check_inclusion
from .notes import BadNote, Note, NoteVerifier, TreeHead

HEADER = "c2sp.org/tlog-proof@v1"
PATH_MAX = 63


@dataclass(frozen=True, slots=True)
class TlogProof:
    """``path`` leads from the leaf's sibling to the root's child."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: Note

    @classmethod
    def of(cls, text: str) -> TlogProof:
        """Parse a proof; ``extra`` data, which it does not prove, is ignored.

        Raises:
            BadNote: not such a proof.
        """
        head, blank, note = text.partition("\n\n")
        lines = head.split("\n")
        if not blank or lines.pop(0) != HEADER:
            raise BadNote(f"a proof begins with {HEADER}")
        if lines and lines[0].startswith("extra "):
            lines.pop(0)
        word, _, number = lines.pop(0).partition(" ") if lines else ("", "", "")
        if word != "index" or not number.isdecimal() or number != str(int(number)):
            raise BadNote("a proof names an index")
        if len(lines) > PATH_MAX:
            raise BadNote("the proof is too long")
        return cls(int(number), tuple(map(_hash, lines)), Note.of(note))

    def __str__(self) -> str:
        hashes = "".join(f"{b64encode(each).decode()}\n" for each in self.path)
        return f"{HEADER}\nindex {self.index}\n{hashes}\n{self.checkpoint}"

    def check(self, leaf: bytes, origin: str, keys: Iterable[NoteVerifier]) -> TreeHead:
        """Verify that the leaf with this hash is in the tree that one of the keys has signed.

        Raises:
            BadNote, Unsigned, ProofFailed
        """
        self.checkpoint.verified(keys)
        head = TreeHead.of(self.checkpoint.text)
        if head.origin != origin:
            raise BadNote("the checkpoint is of another log")
        check_inclusion(leaf, self.index, head.size, head.root, self.path)
        return head


def _hash(line: str) -> bytes:
    try:
        decoded = b64decode(line, validate=True)
    except ValueError:
        decoded = b""
    if len(decoded) != HASH_BYTES:
        raise BadNote("a proof's lines are hashes")
    return decoded
