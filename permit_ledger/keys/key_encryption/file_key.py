"""A key-encryption key from a file: AES-256-GCM in this process."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.crypto.randomness import source

from . import envelope


class FileKey:
    """A KEK in this process's memory; safe for many threads."""

    __slots__ = ("_bound_to", "_cipher", "kek_id")

    is_remote = False

    def __init__(self, kek_id: str, secret: bytes) -> None:
        self.kek_id = kek_id
        self._cipher = AESGCM(secret)
        self._bound_to = envelope.associated_data(kek_id, "")

    def __repr__(self) -> str:
        return f"FileKey({self.kek_id!r})"

    def wrap(self, key: bytes, holder_id: str) -> bytes:
        """Wrap a key, to 60 bytes.

        Raises:
            ValueError: the key does not have 32 bytes.
        """
        nonce = source.take(envelope.NONCE_BYTES)
        bound_to = self._bound_to + holder_id.encode()
        return nonce + self._cipher.encrypt(nonce, envelope.checked(key), bound_to)

    def unwrap(self, wrapped: bytes, holder_id: str) -> bytes:
        """Unwrap the 32 bytes.

        Raises:
            KeyUnusable: wrapped with another KEK, for another holder, or damaged.
        """
        nonce, sealed = envelope.opened(wrapped, self.kek_id)
        bound_to = self._bound_to + holder_id.encode()
        try:
            return self._cipher.decrypt(nonce, sealed, bound_to)
        except InvalidTag:
            raise envelope.damaged(self.kek_id) from None
