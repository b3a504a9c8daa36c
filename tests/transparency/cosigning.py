"""Witnesses of the tests' own: keys that cosign (C2SP tlog-cosignature), written a second time."""

import hashlib
from base64 import b64encode
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from transparency.notes import Signature


@dataclass(frozen=True)
class Cosigner:
    name: str
    seed: bytes

    @property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @property
    def _public(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n\x04" + self._public).digest()[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64encode(bytes([4]) + self._public).decode()}"

    def sign(self, text: str, at: int = 1_800_000_000) -> Signature:
        signed = self._key.sign(f"cosignature/v1\ntime {at}\n{text}".encode())
        return Signature(self.name, self.key_id, at.to_bytes(8) + signed)


def cosigner(number: int, name: str | None = None) -> Cosigner:
    return Cosigner(name or f"witness.example/w{number}", bytes([number]) * 32)
