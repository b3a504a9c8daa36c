"""A holder's own key: it seals a person's details; they are erased when it is destroyed."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.personal import ERASED, Erased
from ledger.errors import KeyUnusable, SealBroken

from . import randomness
from .key_cache import KeyCache
from .key_encryption import Keyring

KEY_BYTES = 32
NONCE_BYTES, TAG_BYTES = 12, 16
"""Of AES-GCM; a box is so much longer than what is in it."""


class HolderKey:
    """256 bits, for AES-256-GCM.

    ``commitment`` names the key without giving it away: SHA-256 over the holder and the key. GCM
    does not commit to its key (one ciphertext may open under two), so everything that is sealed
    says under which key.
    """

    __slots__ = ("_aead", "_nonces", "commitment", "holder_id", "secret")

    def __init__(self, holder_id: str, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a holder's key has {KEY_BYTES} bytes")
        self.holder_id = holder_id
        self.secret = secret
        self._aead = AESGCM(secret)
        self._nonces: bytes | None = None
        committed = b"permit-ledger holder key\0%b\0%b" % (holder_id.encode(), secret)
        self.commitment = hashlib.sha256(committed).hexdigest()

    def __repr__(self) -> str:
        return f"HolderKey({self.holder_id!r})"

    def seal(self, plain: bytes, *place: str) -> bytes:
        """Nonce, ciphertext and tag: ``plain`` and 28 bytes. It opens at this place only."""
        nonce = randomness.source.take(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plain, _associated(place))

    def seal_alike(self, plain: bytes, *place: str) -> bytes:
        """The same box for the same bytes at the same place, so that two copies can be compared
        without opening them; of other bytes, or elsewhere, nothing in it is alike.

        The nonce is the beginning of a keyed digest of all that goes in, as in SIV (RFC 5297 §1.3):
        it comes again for the very same message only. 96 bits are ample for the few messages of one
        holder.
        """
        associated = _associated(place)
        if self._nonces is None:
            self._nonces = hmac.digest(self.secret, b"permit-ledger nonces", "sha256")
        message = b"%d\0%b%b" % (len(associated), associated, plain)
        nonce = hmac.digest(self._nonces, message, "sha256")[:NONCE_BYTES]
        return nonce + self._aead.encrypt(nonce, plain, associated)

    def open(self, box: bytes, *place: str) -> bytes:
        """
        Raises:
            SealBroken: changed, cut, from another place, or sealed with another key.
        """
        try:
            return self._aead.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], _associated(place))
        except (InvalidTag, ValueError):
            raise SealBroken from None


def _associated(place: tuple[str, ...]) -> bytes:
    """No part of a place can hold a NUL: PostgreSQL has no such text."""
    return "\0".join(place).encode()


class WrappedKey(NamedTuple):
    """A holder's key as the database has it; ``kek_id`` and ``wrapped`` are ``None`` once it is
    destroyed."""

    holder_id: str
    kek_id: str | None
    wrapped: bytes | None


Keys = dict[str, HolderKey | Erased]
"""By holder."""


class HolderKeys:
    """Makes keys, and opens those that the database has; safe for use by many threads."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self._cache: KeyCache[HolderKey] = KeyCache()

    def new(self, holder_id: str) -> tuple[HolderKey, WrappedKey]:
        """A key for somebody new, and what the database is to keep of it.

        Raises:
            Unavailable: the KEK's store does not answer.
        """
        secret = randomness.source.take(KEY_BYTES)
        kek = self.keyring.active
        wrapped = WrappedKey(holder_id, kek.kek_id, kek.wrap(secret, holder_id))
        return HolderKey(holder_id, secret), wrapped

    def renewed(self, row: WrappedKey) -> WrappedKey:
        """The same key, wrapped with the newest KEK that there is by now.

        Raises:
            KeyUnusable, Unavailable: as :meth:`unwrap`.
        """
        if row.kek_id is None or row.wrapped is None:
            return row
        secret = self.keyring.get(row.kek_id).unwrap(row.wrapped, row.holder_id)
        self.keyring.reload()
        kek = self.keyring.active
        return WrappedKey(row.holder_id, kek.kek_id, kek.wrap(secret, row.holder_id))

    async def new_async(self, holder_id: str) -> tuple[HolderKey, WrappedKey]:
        """The same for coroutines."""
        if self.keyring.active.is_remote:
            return await asyncio.to_thread(self.new, holder_id)
        return self.new(holder_id)

    def known(self, holder_ids: Iterable[str]) -> tuple[Keys, list[str]]:
        """The keys that are still in memory, and the holders whose keys are not."""
        found: Keys = {}
        missing = []
        for holder_id in holder_ids:
            if key := self._cache.get(holder_id):
                found[holder_id] = key
            else:
                missing.append(holder_id)
        return found, missing

    def of(
        self, holder_ids: Iterable[str], stored: Callable[[list[str]], Iterable[WrappedKey]]
    ) -> Keys:
        """The keys of those who have or had one; ``stored`` gives the rows that are not in memory.

        Raises:
            KeyUnusable, Unavailable: as :meth:`unwrap`.
        """
        keys, missing = self.known(holder_ids)
        return keys | self.unwrap(stored(missing)) if missing else keys

    def unwrap(self, rows: Iterable[WrappedKey]) -> Keys:
        """Each row's key. The row decides: one that was destroyed is forgotten here as well.

        Raises:
            KeyUnusable: wrapped with a KEK that we don't have, or not for this holder.
            Unavailable: the KEK's store does not answer.
        """
        return {row.holder_id: self._unwrap(row) for row in rows}

    async def unwrap_async(self, rows: Sequence[WrappedKey]) -> Keys:
        """The same for coroutines: a KEK far away is waited for in a thread."""
        keks = (self.keyring.find(row.kek_id) for row in rows if row.kek_id)
        if any(kek is None or kek.is_remote for kek in keks):
            return await asyncio.to_thread(self.unwrap, rows)
        return self.unwrap(rows)

    def _unwrap(self, row: WrappedKey) -> HolderKey | Erased:
        if row.kek_id is None or row.wrapped is None:
            self._cache.forget(row.holder_id)
            return ERASED
        if key := self._cache.get(row.holder_id):
            return key
        secret = self.keyring.get(row.kek_id).unwrap(row.wrapped, row.holder_id)
        key = HolderKey(row.holder_id, secret)
        self._cache.put(row.holder_id, key)
        return key


def require(keys: Keys, holder_id: str) -> HolderKey | Erased:
    """
    Raises:
        KeyUnusable: the database has no such holder's key, and does not say that it was destroyed.
    """
    try:
        return keys[holder_id]
    except KeyError:
        raise KeyUnusable(f"There is no key of holder {holder_id}.") from None


def wrapped_keys_in(rows: Sequence[tuple[object, ...]]) -> list[WrappedKey]:
    """Rows of ``select_holder_keys``."""
    return [WrappedKey(*row) for row in rows]  # type: ignore[arg-type]
