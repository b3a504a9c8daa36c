"""Key-encryption keys during a move: new ones are created in a token, old ones are in the
folder."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.crypto.key_encryption import KeyEncryptionKey, KeyStore


class MovedStore:
    """Both stores, until the last key of the old one is destroyed.

    ``permit-ledger keys rotate`` wraps all holder keys with a key of the new one.
    """

    def __init__(self, old: KeyStore, new: KeyStore) -> None:
        self._old = old
        self._new = new

    def load(self) -> Sequence[KeyEncryptionKey]:
        """The keys of both, oldest first.

        Raises:
            KeyUnusable, Unavailable: as either of them.
        """
        both: list[KeyEncryptionKey] = [*self._old.load(), *self._new.load()]
        return sorted(both, key=lambda kek: kek.kek_id)

    def create(self) -> KeyEncryptionKey:
        """Create a key in the new store."""
        return self._new.create()

    def destroy(self, kek_id: str) -> None:
        """Destroy a key in either store."""
        self._old.destroy(kek_id)
        self._new.destroy(kek_id)
