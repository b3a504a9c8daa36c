"""A new key-encryption key (KEK): every holder's key is wrapped anew, no event is touched.

May be stopped at any moment and started again: each row says which KEK it is wrapped with.
Services go on meanwhile; one that still wraps with the old KEK hears of it from its append, and
looks for the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from ledger.database.connections import Connection
from ledger.database.leader import locked
from ledger.database.named_sql import Queries
from ledger.errors import KeyUnusable, Unavailable

from .kek_register import introduce, register
from .key_encryption import KeyEncryptionKey, Keyring, KeyStore

BATCH_KEYS_MAX = 1000
_LOCK = 0x6B656B73  # "keks"

_sql = Queries("ledger", "sql/keks.sql")

_Row = tuple[str, str, bytes]
"""Holder, KEK, wrapped key."""
Progress = Callable[[int, int], None]
"""Hears of keys done and keys in all."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a run has come to; ``resumed`` where it went on with a new KEK of an earlier one."""

    kek_id: str
    rewrapped: int
    resumed: bool


def rotate(
    connection: Connection,
    store: KeyStore,
    progress: Progress = lambda done, total: None,  # noqa: ARG005
) -> Rotation:
    """Wrap every key with a new KEK. ``connection`` has the rights of the tables' owner.

    Raises:
        KeyUnusable: a KEK is missing; or, at the end, keys are left that can't be unwrapped.
        Unavailable: the store does not answer; or another rotation is under way.
    """
    with locked(connection, _LOCK) as is_ours:
        if not is_ours:
            raise Unavailable("Another rotation is under way: wait for it.")
        return _rotate(connection, store, progress)


def _rotate(connection: Connection, store: KeyStore, progress: Progress) -> Rotation:
    keyring = Keyring(store.load)
    introduce(connection, keyring)
    rewrapped = _wrap_all(connection, keyring, progress)
    resumed = rewrapped > 0
    if not resumed:  # nothing was left, but for what can't be unwrapped
        register(connection, store.create())
        keyring.reload()
        rewrapped = _wrap_all(connection, keyring, progress)
    if left := _count(connection, keyring.active.kek_id):
        raise KeyUnusable(
            f"{left} holders' keys are still wrapped with an older KEK, which stays in use: they"
            " can't be unwrapped, or came in just now. Run it again, and look at what is left."
        )
    return Rotation(keyring.active.kek_id, rewrapped, resumed)


def _wrap_all(connection: Connection, keyring: Keyring, progress: Progress) -> int:
    """With the active KEK, whatever is not; returns how many were."""
    kek = keyring.active
    total = _count(connection, kek.kek_id)
    if total:
        progress(0, total)
    seen, rewrapped, after = 0, 0, ""
    with connection.transaction():
        connection.execute(_sql.lock_head)
        connection.execute(_sql.close_others, {"kek_id": kek.kek_id})
    while rows := _next(connection, kek.kek_id, after):
        rewrapped += _wrap(connection, keyring, kek, rows)
        after = rows[-1][0]
        seen += len(rows)
        progress(seen, max(seen, total))
    return rewrapped


def _wrap(
    connection: Connection, keyring: Keyring, kek: KeyEncryptionKey, rows: Sequence[_Row]
) -> int:
    renewed = [
        (holder_id, before, kek.wrap(secret, holder_id))
        for holder_id, old, before in rows
        if (secret := _unwrapped(keyring, old, before, holder_id))
    ]
    if not renewed:
        return 0
    holder_ids, before, wrapped = map(list, zip(*renewed, strict=True))
    parameters = {"holder_ids": holder_ids, "before": before, "wrapped": wrapped}
    return connection.execute(_sql.rewrap, {"kek_id": kek.kek_id, **parameters}).rowcount


def _unwrapped(keyring: Keyring, kek_id: str, wrapped: bytes, holder_id: str) -> bytes | None:
    """A key that is damaged holds up no other; it stays as it is and is counted at the end."""
    try:
        return keyring.get(kek_id).unwrap(wrapped, holder_id)
    except KeyUnusable:
        return None


def _next(connection: Connection, kek_id: str, after: str) -> Sequence[_Row]:
    parameters = {"kek_id": kek_id, "after": after, "limit": BATCH_KEYS_MAX}
    rows = connection.execute(_sql.next_to_rewrap, parameters).fetchall()
    return cast("Sequence[_Row]", rows)


def _count(connection: Connection, kek_id: str) -> int:
    row = connection.execute(_sql.count_to_rewrap, {"kek_id": kek_id}).fetchone()
    return cast("tuple[int]", row)[0]
