"""Checkpoints: a tree's size and root, signed (C2SP tlog-checkpoint)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import NamedTuple

from .hashing import HASH_BYTES
from .notes import BadNote, Note, NoteSigner

_LINES = 3


class TreeHead(NamedTuple):
    """What a checkpoint says."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def of(cls, text: str) -> TreeHead:
        """From the text of a note; lines after the third are left alone.

        Raises:
            BadNote
        """
        lines = text.removesuffix("\n").split("\n")
        if len(lines) < _LINES or not all(lines):
            raise BadNote("a checkpoint has an origin, a size and a root")
        origin, size, root = lines[:_LINES]
        try:
            decoded = b64decode(root, validate=True)
        except ValueError:
            decoded = b""
        if not size.isdecimal() or not size.isascii() or size != str(int(size)):
            raise BadNote("the second line of a checkpoint is the tree's size")
        if len(decoded) != HASH_BYTES:
            raise BadNote("the third line of a checkpoint is the tree's root")
        return cls(origin, int(size), decoded)

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    def signed(self, signers: list[NoteSigner]) -> Note:
        text = str(self)
        return Note(text, tuple(signer.sign(text) for signer in signers))
