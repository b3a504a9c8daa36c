"""Key-encryption keys that are moving: new ones are made in a token, old ones lie in the folder."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.crypto.key_encryption import KeyEncryptionKey, KeyStore


class MovedStore:
    """Both places, until the last key of the old one is destroyed.

    ``permit-ledger keys rotate`` wraps everything with a key of the new place.
    """

    def __init__(self, old: KeyStore, new: KeyStore) -> None:
        self._old = old
        self._new = new

    def load(self) -> Sequence[KeyEncryptionKey]:
        """Those of both, oldest first.

        Raises:
            KeyUnusable, Unavailable: as either of them.
        """
        both: list[KeyEncryptionKey] = [*self._old.load(), *self._new.load()]
        return sorted(both, key=lambda kek: kek.kek_id)

    def create(self) -> KeyEncryptionKey:
        """In the new place."""
        return self._new.create()

    def destroy(self, kek_id: str) -> None:
        """Wherever it is."""
        self._old.destroy(kek_id)
        self._new.destroy(kek_id)
