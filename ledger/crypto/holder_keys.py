"""A holder's own key: it seals a person's details, which are erased by destroying it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from threading import Lock, Timer
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.personal import ERASED, Erased
from ledger.errors import KeyUnusable, SealBroken

from . import randomness
from .key_encryption import Keyring

KEY_BYTES = 32
NONCE_BYTES, TAG_BYTES = 12, 16
"""Of AES-GCM; a ciphertext is longer than its plaintext by both."""

CACHE_KEYS_MAX = 10_000
CACHE_GENERATION_S = 0.5


class HolderKey:
    """256 bits, for AES-256-GCM.

    ``commitment`` identifies the key without revealing it: SHA-256 over the holder and the key. GCM
    does not commit to its key (one ciphertext may open under two), so every ciphertext names its
    key's commitment.
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
        """Encrypt; returns nonce, ciphertext and tag, 28 bytes longer than ``plain``. They can be
        opened at this place only."""
        nonce = randomness.source.take(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plain, _associated(place))

    def seal_alike(self, plain: bytes, *place: str) -> bytes:
        """Encrypt deterministically: equal bytes at the same place have equal ciphertexts, so that
        two copies can be compared without opening them; all others are unrelated.

        The nonce is the beginning of a keyed digest of the whole message, as in SIV (RFC 5297
        §1.3): it repeats for the very same message only. 96 bits are ample for the few messages of
        one holder.
        """
        associated = _associated(place)
        if self._nonces is None:
            self._nonces = hmac.digest(self.secret, b"permit-ledger nonces", "sha256")
        message = b"%d\0%b%b" % (len(associated), associated, plain)
        nonce = hmac.digest(self._nonces, message, "sha256")[:NONCE_BYTES]
        return nonce + self._aead.encrypt(nonce, plain, associated)

    def open(self, ciphertext: bytes, *place: str) -> bytes:
        """
        Raises:
            SealBroken: changed, cut, from another place, or sealed with another key.
        """
        nonce, encrypted = ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:]
        try:
            return self._aead.decrypt(nonce, encrypted, _associated(place))
        except (InvalidTag, ValueError):
            raise SealBroken from None


def _associated(place: tuple[str, ...]) -> bytes:
    """Joined with NULs, which no part can hold: PostgreSQL has no such text."""
    return "\0".join(place).encode()


class WrappedKey(NamedTuple):
    """A holder's key as the database has it; ``kek_id`` and ``wrapped`` are ``None`` once it is
    destroyed."""

    holder_id: str
    kek_id: str | None
    wrapped: bytes | None


Keys = dict[str, HolderKey | Erased]
"""By holder."""


class KeyCache:
    """Holds at most 2 x 10,000 keys, each for at most a second, so that erased keys are soon gone.

    There are two generations. New keys go into the young one; when that is full or half a second
    old it replaces the old one, whose keys are gone.
    """

    def __init__(
        self, *, keys_max: int = CACHE_KEYS_MAX, generation_s: float = CACHE_GENERATION_S
    ) -> None:
        self._keys_max = keys_max
        self._generation_s = generation_s
        # Guards the generations and the timer. Held for dictionary operations, and while a timer's
        # thread starts.
        self._lock = Lock()
        self._young: dict[str, HolderKey] = {}
        self._old: dict[str, HolderKey] = {}
        self._timer: Timer | None = None

    def get(self, name: str) -> HolderKey | None:
        with self._lock:
            return self._young.get(name) or self._old.get(name)

    def put(self, name: str, key: HolderKey) -> None:
        with self._lock:
            if len(self._young) >= self._keys_max:
                self._young, self._old = {}, self._young
            self._young[name] = key
            if self._timer is None:
                self._start_timer()

    def forget(self, name: str) -> None:
        with self._lock:
            self._young.pop(name, None)
            self._old.pop(name, None)

    def __len__(self) -> int:
        with self._lock:
            return len(self._young) + len(self._old)

    def _age(self) -> None:
        with self._lock:
            self._young, self._old = {}, self._young
            self._timer = None
            if self._old:
                self._start_timer()

    @property
    def is_timed(self) -> bool:
        """Whether a timer runs, as it does while there are keys."""
        return self._timer is not None

    def _start_timer(self) -> None:
        self._timer = Timer(self._generation_s, self._age)
        self._timer.daemon = True
        try:
            self._timer.start()
        except RuntimeError:  # no thread: forget all keys now, since a timer can't do it later
            self._young, self._old, self._timer = {}, {}, None


class HolderKeys:
    """Makes keys, and unwraps those of the database; safe for use by many threads."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self._cache = KeyCache()

    def new(self, holder_id: str) -> tuple[HolderKey, WrappedKey]:
        """Make a key for a new holder; returns it, and its wrapped form for the database.

        Raises:
            Unavailable: the KEK's store does not answer.
        """
        secret = randomness.source.take(KEY_BYTES)
        kek = self.keyring.active
        wrapped = WrappedKey(holder_id, kek.kek_id, kek.wrap(secret, holder_id))
        return HolderKey(holder_id, secret), wrapped

    def renewed(self, row: WrappedKey) -> WrappedKey:
        """The same key, wrapped with the newest KEK.

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
        """:meth:`new`, which waits for a remote KEK in another thread."""
        if self.keyring.active.is_remote:
            return await asyncio.to_thread(self.new, holder_id)
        return self.new(holder_id)

    def known(self, holder_ids: Iterable[str]) -> tuple[Keys, list[str]]:
        """The keys that are in memory, and the holders whose keys are not."""
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
        """Each row's key. The row decides: a destroyed key is removed from memory as well.

        Raises:
            KeyUnusable: wrapped with a KEK that we don't have, or not for this holder.
            Unavailable: the KEK's store does not answer.
        """
        return {row.holder_id: self._unwrap(row) for row in rows}

    async def unwrap_async(self, rows: Sequence[WrappedKey]) -> Keys:
        """:meth:`unwrap`, which waits for a remote KEK in another thread."""
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
        KeyUnusable: there is no row for this holder; not even one of a destroyed key.
    """
    try:
        return keys[holder_id]
    except KeyError:
        raise KeyUnusable(f"There is no key of holder {holder_id}.") from None


def wrapped_keys_in(rows: Sequence[tuple[object, ...]]) -> list[WrappedKey]:
    """Rows of ``select_holder_keys``."""
    return [WrappedKey(*row) for row in rows]  # type: ignore[arg-type]
