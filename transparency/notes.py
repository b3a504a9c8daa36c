"""Signed notes (C2SP signed-note): how a log and its witnesses put their name to it.

Keys are text: a verifier's ``name+id+base64``, a signer's ``PRIVATE+KEY+name+id+base64``, as Go's
``golang.org/x/mod/sumdb/note`` writes them.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from .cosignatures import MLDSA44_PUBLIC_BYTES, TIME_BYTES, has_signed

NOTE_BYTES_MAX = 256 * 1024
SIGNATURES_MAX = 64

ED25519, COSIGNATURE, COSIGNATURE_MLDSA44 = 0x01, 0x04, 0x06
"""Signature types: of a log, and of a witness with its time (C2SP tlog-cosignature)."""

_ID_BYTES, _SEED_BYTES = 4, 32
_PUBLIC_BYTES = {
    ED25519: _SEED_BYTES,
    COSIGNATURE: _SEED_BYTES,
    COSIGNATURE_MLDSA44: MLDSA44_PUBLIC_BYTES,
}
_PRIVATE = "PRIVATE+KEY+"


class BadNote(ValueError):
    """It is no note, or no key; the message says why and repeats nothing of it."""


class Unsigned(BadNote):
    """None of the keys that are trusted has signed it, or one has not really."""


class Signature(NamedTuple):
    """A signature line: whose, and what stands after the key's id."""

    name: str
    key_id: bytes
    value: bytes

    def __str__(self) -> str:
        return f"— {self.name} {b64encode(self.key_id + self.value).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """``text`` ends with a newline."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def of(cls, content: str | bytes) -> Note:
        """
        Raises:
            BadNote
        """
        if isinstance(content, bytes):
            try:
                content = content.decode()
            except UnicodeDecodeError:
                raise BadNote("a note is UTF-8") from None
        if len(content) > NOTE_BYTES_MAX:
            raise BadNote("the note is too large")
        if any(ord(character) < ord(" ") and character != "\n" for character in content):
            raise BadNote("a note has no control characters")
        text, blank, lines = content.rpartition("\n\n")
        if not blank or not lines.endswith("\n"):
            raise BadNote("a note ends with signatures, after an empty line")
        signatures = tuple(signature_of(line) for line in lines.removesuffix("\n").split("\n"))
        if len(signatures) > SIGNATURES_MAX:
            raise BadNote("the note has too many signatures")
        return cls(text + "\n", signatures)

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.signatures))}"

    def with_signatures(self, more: Iterable[Signature]) -> Note:
        """Each line once, ours first."""
        return Note(self.text, tuple(dict.fromkeys([*self.signatures, *more])))

    def verified(self, keys: Iterable[NoteVerifier]) -> list[Signature]:
        """The signatures by these keys.

        Raises:
            Unsigned: there is none, or one of them is false.
        """
        known = {(key.name, key.key_id): key for key in keys}
        found = []
        for signature in self.signatures:
            if key := known.get((signature.name, signature.key_id)):
                key.check(self.text, signature)
                found.append(signature)
        if not found:
            raise Unsigned("no key that is trusted has signed this")
        return found


def signature_of(line: str) -> Signature:
    """
    Raises:
        BadNote
    """
    match line.split(" "):
        case ["—", str(name), str(value)] if name and is_name(name):
            try:
                decoded = b64decode(value, validate=True)
            except ValueError:
                decoded = b""
            if len(decoded) > _ID_BYTES:
                return Signature(name, decoded[:_ID_BYTES], decoded[_ID_BYTES:])
    raise BadNote("a signature is a dash, a name and base64")


def is_name(name: str) -> bool:
    """Whether a key may be called so."""
    return bool(name) and "+" not in name and not any(map(str.isspace, name))


@dataclass(frozen=True, slots=True)
class NoteVerifier:
    """A key that verifies; ``kind`` is the signature type."""

    name: str
    kind: int
    public: bytes

    @classmethod
    def of(cls, text: str) -> NoteVerifier:
        """
        Raises:
            BadNote: it is no verifier key of a kind that is known here.
        """
        name, key_id, key = _parts(text)
        verifier = cls(name, key[0], key[1:])
        if len(verifier.public) != _PUBLIC_BYTES.get(verifier.kind):
            raise BadNote("a verifier key is one of Ed25519, or a witness's of ML-DSA-44")
        if verifier.key_id.hex() != key_id:
            raise BadNote("the verifier key and its id don't belong together")
        return verifier

    @property
    def key_id(self) -> bytes:
        return _key_id(self.name, bytes([self.kind]) + self.public)

    def __str__(self) -> str:
        key = b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    def check(self, text: str, signature: Signature) -> None:
        """
        Raises:
            Unsigned
        """
        if not self._has_signed(text, signature.value):
            raise Unsigned(f"the signature of {self.name} is false")

    def _has_signed(self, text: str, value: bytes) -> bool:
        if self.kind != ED25519:
            name = self.name if self.kind == COSIGNATURE_MLDSA44 else None
            return has_signed(self.public, value, text, mldsa_name=name)
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(value, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """A key that signs."""

    name: str
    seed: bytes

    @classmethod
    def of(cls, text: str) -> NoteSigner:
        """
        Raises:
            BadNote
        """
        if not text.startswith(_PRIVATE):
            raise BadNote(f"a signer's key begins with {_PRIVATE}")
        name, key_id, key = _parts(text.removeprefix(_PRIVATE))
        signer = cls(name, key[1:])
        if key[0] != ED25519 or len(signer.seed) != _SEED_BYTES:
            raise BadNote("a signer's key is one of Ed25519")
        if signer.verifier.key_id.hex() != key_id:
            raise BadNote("the signer's key and its id don't belong together")
        return signer

    @property
    def verifier(self) -> NoteVerifier:
        return NoteVerifier(self.name, ED25519, self._key.public_key().public_bytes_raw())

    def __str__(self) -> str:
        key = b64encode(bytes([ED25519]) + self.seed).decode()
        return f"{_PRIVATE}{self.name}+{self.verifier.key_id.hex()}+{key}"

    def __repr__(self) -> str:
        return f"NoteSigner({self.verifier})"

    def sign(self, text: str) -> Signature:
        """``text`` ends with a newline."""
        return Signature(self.name, self.verifier.key_id, self._key.sign(text.encode()))

    @property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def cosigned_at(signature: Signature) -> int:
    """When a witness signed, in seconds since 1970."""
    return int.from_bytes(signature.value[:TIME_BYTES])


def _parts(text: str) -> tuple[str, str, bytes]:
    try:
        name, key_id, encoded = text.strip().split("+", 2)
        key = b64decode(encoded, validate=True)
    except ValueError:
        raise BadNote("a key is a name, an id and base64, with a + between them") from None
    if not is_name(name) or len(key) < 1 + _SEED_BYTES:
        raise BadNote("a key is a name, an id and base64, with a + between them")
    return name, key_id, key


def _key_id(name: str, key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + key).digest()[:_ID_BYTES]
