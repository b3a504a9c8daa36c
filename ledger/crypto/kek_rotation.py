"""Rotation to a new key-encryption key (KEK): re-wraps every holder's key, and touches no event.

It may be stopped at any moment and started again: each row names its KEK. Services go on meanwhile;
one that still wraps with the old KEK gets a conflict from its append, and loads the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from psycopg.rows import class_row, scalar_row

from ledger.database.connections import Connection
from ledger.database.leader import locked
from ledger.database.named_sql import Queries
from ledger.errors import KeyUnusable, Unavailable

from .kek_register import introduce, register
from .key_encryption import KeyEncryptionKey, Keyring, KeyStore

BATCH_KEYS_MAX = 1000
_LOCK = 0x6B656B73  # "keks"

_sql = Queries("ledger", "sql/keks.sql")

Progress = Callable[[int, int], None]
"""Called with the keys done so far and all keys."""


class _Row(NamedTuple):
    holder_id: str
    kek_id: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class Rotation:
    """The result of a run; ``resumed`` if it went on with the new KEK of an earlier run."""

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
        KeyUnusable: a KEK is missing; or, at the end, some keys can't be unwrapped.
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
    if not resumed:  # nothing was left except keys that can't be unwrapped
        register(connection, store.create())
        keyring.reload()
        rewrapped = _wrap_all(connection, keyring, progress)
    if left := _count(connection, keyring.active.kek_id):
        raise KeyUnusable(
            f"{left} holders' keys are still wrapped with an older KEK, which stays in use: they"
            " can't be unwrapped, or are new. Run it again, and see which are left."
        )
    return Rotation(keyring.active.kek_id, rewrapped, resumed)


def _wrap_all(connection: Connection, keyring: Keyring, progress: Progress) -> int:
    """Re-wrap with the active KEK all keys that are wrapped with another; returns their number."""
    kek = keyring.active
    total = _count(connection, kek.kek_id)
    if total:
        progress(0, total)
    seen, rewrapped, after = 0, 0, ""
    with connection.transaction():
        connection.execute(_sql.lock_head)
        connection.execute(_sql.close_others, {"kek_id": kek.kek_id})
    while rows := next_rows(connection, kek.kek_id, after):
        rewrapped += _wrap(connection, keyring, kek, rows)
        after = rows[-1].holder_id
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
    """``None`` for a damaged key, which is left as it is and counted at the end."""
    try:
        return keyring.get(kek_id).unwrap(wrapped, holder_id)
    except KeyUnusable:
        return None


def next_rows(connection: Connection, kek_id: str, after: str) -> Sequence[_Row]:
    parameters = {"kek_id": kek_id, "after": after, "limit": BATCH_KEYS_MAX}
    with connection.cursor(row_factory=class_row(_Row)) as cursor:
        return cursor.execute(_sql.next_to_rewrap, parameters).fetchall()


def _count(connection: Connection, kek_id: str) -> int:
    with connection.cursor(row_factory=scalar_row) as cursor:
        [count] = cursor.execute(_sql.count_to_rewrap, {"kek_id": kek_id}).fetchall()
    return int(count)
