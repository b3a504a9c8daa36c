"""Where holders' keys are wrapped: with keys that never lie in the database.

A key-encryption key (KEK) may be a file, or live in an HSM or a KMS that wraps without giving it
away. Several are held at a time: new keys are wrapped with the newest, old ones are unwrapped with
the one that they name until they have been wrapped anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ledger.errors import KeyUnusable

WRAPPED_BYTES_MAX = 512


class KeyEncryptionKey(Protocol):
    """One KEK; safe for use by many threads.

    A wrapped key is bound to its holder: it can't be unwrapped as another's.
    """

    @property
    def kek_id(self) -> str:
        """Names it in the database: ``[0-9A-Za-z-]{1,64}``, later ones sorting later."""
        ...

    @property
    def is_remote(self) -> bool:
        """Whether wrapping takes a round trip, which an event loop must not wait for."""
        ...

    def wrap(self, key: bytes, holder_id: str) -> bytes:
        """A holder's 32 bytes, wrapped: at most 512 bytes, different each time.

        Raises:
            Unavailable: the HSM or KMS does not answer.
        """
        ...

    def unwrap(self, wrapped: bytes, holder_id: str) -> bytes:
        """The 32 bytes again.

        Raises:
            KeyUnusable: wrapped with another KEK, for another holder, or damaged.
            Unavailable: the HSM or KMS does not answer.
        """
        ...


class KeyStore(Protocol):
    """Keeps KEKs: a folder, a token, a service."""

    def load(self) -> Sequence[KeyEncryptionKey]:
        """All that there are, oldest first; at least one, made where there was none.

        Raises:
            KeyUnusable: the store can't be read, or holds something that is no key.
            Unavailable: it does not answer.
        """
        ...

    def create(self) -> KeyEncryptionKey:
        """A new one, which sorts behind all others; durable on return."""
        ...

    def destroy(self, kek_id: str) -> None:
        """For good; nothing where there is none."""
        ...


class Keyring:
    """The KEKs that a process works with; looks into the store again where it is told to."""

    def __init__(self, load: Callable[[], Sequence[KeyEncryptionKey]]) -> None:
        self._load = load
        self._keys: dict[str, KeyEncryptionKey]
        self.active: KeyEncryptionKey
        """What new keys are wrapped with."""
        self.reload()

    def reload(self) -> None:
        """See what the store holds now.

        Raises:
            KeyUnusable, Unavailable: as the store; what was known stays.
        """
        self._keys = {key.kek_id: key for key in self._load()}
        self.active = self._keys[max(self._keys)]

    def find(self, kek_id: str) -> KeyEncryptionKey | None:
        """The KEK, if it is known by now."""
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
