"""Key-encryption keys (KEKs): they wrap holders' keys, and are never in the database.

A KEK is in a file, or in an HSM or a KMS that wraps without revealing it. There may be several:
new keys are wrapped with the newest, old ones are unwrapped with the KEK that they name, until they
have been re-wrapped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ledger.errors import KeyUnusable

WRAPPED_BYTES_MAX = 512


class KeyEncryptionKey(Protocol):
    """One KEK; safe for use by many threads.

    A wrapped key is bound to its holder: it can't be unwrapped for another.
    """

    @property
    def kek_id(self) -> str:
        """Its name in the database: ``[0-9A-Za-z-]{1,64}``; a newer KEK sorts after older ones."""
        ...

    @property
    def is_remote(self) -> bool:
        """Whether wrapping takes a round trip, which an event loop must not wait for."""
        ...

    def wrap(self, key: bytes, holder_id: str) -> bytes:
        """Wrap a holder's 32 bytes: at most 512 bytes, different each time.

        Raises:
            Unavailable: the HSM or KMS does not answer.
        """
        ...

    def unwrap(self, wrapped: bytes, holder_id: str) -> bytes:
        """The holder's 32 bytes.

        Raises:
            KeyUnusable: wrapped with another KEK, for another holder, or damaged.
            Unavailable: the HSM or KMS does not answer.
        """
        ...


class KeyStore(Protocol):
    """Keeps KEKs: a folder, a token, a service."""

    def load(self) -> Sequence[KeyEncryptionKey]:
        """All KEKs, oldest first; if there is none, one is created.

        Raises:
            KeyUnusable: the store can't be read, or holds something that is no key.
            Unavailable: the store does not answer.
        """
        ...

    def create(self) -> KeyEncryptionKey:
        """Create a KEK that sorts after all others; durable on return."""
        ...

    def destroy(self, kek_id: str) -> None:
        """Destroy a KEK, if there is one of this name."""
        ...


class Keyring:
    """The KEKs that a process works with, as of the last ``reload``."""

    def __init__(self, load: Callable[[], Sequence[KeyEncryptionKey]]) -> None:
        self._load = load
        self._keys: dict[str, KeyEncryptionKey]
        self.active: KeyEncryptionKey
        """What new keys are wrapped with."""
        self.reload()

    def reload(self) -> None:
        """Load the store's KEKs again.

        Raises:
            KeyUnusable, Unavailable: as the store; the KEKs stay as they were.
        """
        self._keys = {key.kek_id: key for key in self._load()}
        self.active = self._keys[max(self._keys)]

    def find(self, kek_id: str) -> KeyEncryptionKey | None:
        """The KEK, if it is loaded."""
        return self._keys.get(kek_id)

    def get(self, kek_id: str) -> KeyEncryptionKey:
        """
        Raises:
            KeyUnusable: the store has no such KEK.
        """
        if kek_id not in self._keys:
            self.reload()
        try:
            return self._keys[kek_id]
        except KeyError:
            raise KeyUnusable(f"There is no key-encryption key {kek_id}.") from None
