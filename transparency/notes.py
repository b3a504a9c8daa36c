"""Signed notes, and the checkpoints that are signed as notes.

Formats: C2SP signed-note, tlog-checkpoint and tlog-cosignature. Keys are text: a verifier's
``name+id+base64``, a signer's ``PRIVATE+KEY+name+id+base64``, as Go's
``golang.org/x/mod/sumdb/note`` writes them.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from .merkle import HASH_BYTES

NOTE_BYTES_MAX = 256 * 1024
SIGNATURES_MAX = 64

ED25519, COSIGNATURE, COSIGNATURE_MLDSA44 = 0x01, 0x04, 0x06
"""Signature types: a log's, and a witness's with its time (C2SP tlog-cosignature)."""

_ID_BYTES, _SEED_BYTES, _MLDSA44_PUBLIC_BYTES = 4, 32, 1312
_PUBLIC_BYTES = {
    ED25519: _SEED_BYTES,
    COSIGNATURE: _SEED_BYTES,
    COSIGNATURE_MLDSA44: _MLDSA44_PUBLIC_BYTES,
}
_PRIVATE = "PRIVATE+KEY+"

_CHECKPOINT_LINES = 3
_CHECKPOINT = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n", re.ASCII)

_TIME_BYTES = 8
_TIME_MAX = (1 << 63) - 1
_NAME_BYTES_MAX = 255
_LABEL = b"subtree/v1\n\0"


class BadNote(ValueError):
    """Not a note, or not a key; the message says why and repeats nothing of it."""


class Unsigned(BadNote):
    """No trusted key has signed the note, or the signature of one is invalid."""


class Signature(NamedTuple):
    """A signature line: the key's name and id, and what follows them."""

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
        """Parse a note.

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
        """Append signatures; each line is kept once, the note's own first."""
        return Note(self.text, tuple(dict.fromkeys([*self.signatures, *more])))

    def without_false(self, keys: Iterable[NoteVerifier]) -> Note:
        """Leave out what claims to be a signature by one of these keys and is none. Lines of other
        keys stay: who knows those verifies them."""
        known = {(key.name, key.key_id): key for key in keys}

        def may_stay(signature: Signature) -> bool:
            key = known.get((signature.name, signature.key_id))
            return key is None or key.has_signed(self.text, signature)

        return Note(self.text, tuple(filter(may_stay, self.signatures)))

    def verified(self, keys: Iterable[NoteVerifier]) -> list[Signature]:
        """The signatures by these keys.

        Raises:
            Unsigned: there is none, or one of them is invalid.
        """
        known = {(key.name, key.key_id): key for key in keys}
        found = []
        for signature in self.signatures:
            if key := known.get((signature.name, signature.key_id)):
                key.check(self.text, signature)
                found.append(signature)
        if not found:
            raise Unsigned("no trusted key has signed this")
        return found


def signature_of(line: str) -> Signature:
    """Parse a signature line, without its newline.

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
    """Whether a key may have this name: a note has no control characters."""
    return bool(name) and not any(
        each == "+" or each.isspace() or each < " " or each == "\x7f" for each in name
    )


@dataclass(frozen=True, slots=True)
class NoteVerifier:
    """A public key; ``kind`` is the signature type."""

    name: str
    kind: int
    public: bytes

    @classmethod
    def of(cls, text: str) -> NoteVerifier:
        """Parse a verifier key.

        Raises:
            BadNote: not a verifier key of a type that is supported here.
        """
        name, key_id, key = _parts(text)
        verifier = cls(name, key[0], key[1:])
        if len(verifier.public) != _PUBLIC_BYTES.get(verifier.kind):
            raise BadNote("a verifier key is one of Ed25519, or a witness's of ML-DSA-44")
        if verifier.key_id.hex() != key_id:
            raise BadNote("the verifier key does not match its id")
        return verifier

    @property
    def key_id(self) -> bytes:
        return _key_id(self.name, bytes([self.kind]) + self.public)

    def __str__(self) -> str:
        key = b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    def check(self, text: str, signature: Signature) -> None:
        """Verify one signature.

        Raises:
            Unsigned
        """
        try:
            self._verify(text, signature.value)
        except (InvalidSignature, ValueError, UnsupportedAlgorithm):
            raise Unsigned(f"the signature of {self.name} is invalid") from None

    def has_signed(self, text: str, signature: Signature) -> bool:
        """Whether the signature is this key's, of this text."""
        try:
            self.check(text, signature)
        except Unsigned:
            return False
        return True

    def _verify(self, text: str, value: bytes) -> None:
        """
        Raises:
            InvalidSignature, ValueError, UnsupportedAlgorithm: not a signature of this text.
        """
        if self.kind == ED25519:
            Ed25519PublicKey.from_public_bytes(self.public).verify(value, text.encode())
            return
        seconds, signature = int.from_bytes(value[:_TIME_BYTES]), value[_TIME_BYTES:]
        if seconds > _TIME_MAX:
            raise ValueError("the time is out of range")
        if self.kind == COSIGNATURE:
            message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        else:
            message = _mldsa44_message(self.name, seconds, text)
            MLDSA44PublicKey.from_public_bytes(self.public).verify(signature, message)


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """A private Ed25519 key."""

    name: str
    seed: bytes

    @classmethod
    def of(cls, text: str) -> NoteSigner:
        """Parse a signer's key.

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
            raise BadNote("the signer's key does not match its id")
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
        """Sign ``text``, which ends with a newline."""
        return Signature(self.name, self.verifier.key_id, self._key.sign(text.encode()))

    @property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


class Signers(Protocol):
    """The signing keys of the ledger's trees, each log with its own.

    Keys may be added and retired while they are in use; ``changed_at`` rises when they are.
    """

    @property
    def changed_at(self) -> int: ...

    def of(self, tree: str) -> list[NoteSigner]:
        """The keys that sign this tree's checkpoints, at least one, the oldest first."""
        ...


class TreeHead(NamedTuple):
    """The content of a checkpoint: a tree's size and root (C2SP tlog-checkpoint)."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def of(cls, text: str) -> TreeHead:
        """Parse the text of a note; lines after the third are ignored.

        Raises:
            BadNote
        """
        lines = text.removesuffix("\n").split("\n")
        if len(lines) < _CHECKPOINT_LINES or not all(lines):
            raise BadNote("a checkpoint has an origin, a size and a root")
        origin, size, root = lines[:_CHECKPOINT_LINES]
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


def cosigned_at(signature: Signature) -> int:
    """When a witness signed, in seconds since 1970."""
    return int.from_bytes(signature.value[:_TIME_BYTES])


def _mldsa44_message(name: str, seconds: int, text: str) -> bytes:
    """What an ML-DSA-44 cosignature signs (C2SP tlog-cosignature).

    An Ed25519 cosignature covers the whole text; this one covers a structure made of the witness's
    name, the time, and the checkpoint's three lines. A text with further lines is refused, since
    they would not be signed.

    Raises:
        ValueError: the structure has no place for the text or a name.
    """
    found = _CHECKPOINT.fullmatch(text)
    if not found:
        raise ValueError("a checkpoint has three lines")
    origin, size, root = found[1].encode(), int(found[2]), b64decode(found[3])
    start = 0
    return b"".join(
        (
            _LABEL,
            *_prefixed(name.encode()),
            seconds.to_bytes(8),
            *_prefixed(origin),
            start.to_bytes(8),
            size.to_bytes(8),
            root,
        )
    )


def _prefixed(value: bytes) -> tuple[bytes, bytes]:
    if not 0 < len(value) <= _NAME_BYTES_MAX:
        raise ValueError("a name has 1 to 255 bytes")
    return bytes([len(value)]), value


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
