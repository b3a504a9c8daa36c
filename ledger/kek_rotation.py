"""A new key-encryption key (KEK): every holder's key is wrapped anew, no event is touched.

May be stopped at any moment and started again: each row says which KEK it is wrapped with.
Services go on meanwhile; one that still wraps with the old KEK hears of it from its append, and
looks for the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from .database import Connection
from .errors import KeyUnusable, Unavailable
from .kek_register import introduce, register
from .key_encryption import KeyEncryptionKey, Keyring, KeyStore
from .named_sql import Queries

BATCH_KEYS_MAX = 1000
_LOCK = 0x6B656B73  # "keks"

_sql = Queries("ledger", "sql/keks.sql")

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
        KeyUnusable: a KEK is missing, or a key can't be unwrapped; what was done stays done.
        Unavailable: the store does not answer; or another rotation is under way.
    """
    with _alone(connection):
        return _rotate(connection, store, progress)


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    if connection.execute(_sql.try_lock, [_LOCK]).fetchone() != (True,):
        raise Unavailable("Another rotation is under way: wait for it.")
    try:
        yield
    finally:
        connection.execute(_sql.unlock, [_LOCK])


def _rotate(connection: Connection, store: KeyStore, progress: Progress) -> Rotation:
    keyring = Keyring(store.load)
    resumed = _count(connection, keyring.active.kek_id) > 0
    introduce(connection, keyring)
    if not resumed:
        register(connection, store.create())
        keyring.reload()
    kek = keyring.active
    with connection.transaction():
        connection.execute(_sql.lock_head)
        connection.execute(_sql.close_others, {"kek_id": kek.kek_id})
    rewrapped = _rewrap(connection, keyring, kek, progress)
    if left := _count(connection, kek.kek_id):
        raise KeyUnusable(f"{left} keys are still wrapped with an older KEK: run it again.")
    return Rotation(kek.kek_id, rewrapped, resumed)


def _rewrap(
    connection: Connection, keyring: Keyring, kek: KeyEncryptionKey, progress: Progress
) -> int:
    total = _count(connection, kek.kek_id)
    done, after = 0, ""
    progress(done, total)
    while rows := _next(connection, kek.kek_id, after):
        wrapped = [
            kek.wrap(keyring.get(old).unwrap(before, holder_id), holder_id)
            for holder_id, old, before in rows
        ]
        connection.execute(
            _sql.rewrap,
            {
                "kek_id": kek.kek_id,
                "holder_ids": [holder_id for holder_id, _, _ in rows],
                "before": [before for _, _, before in rows],
                "wrapped": wrapped,
            },
        )
        after = rows[-1][0]
        done += len(rows)
        progress(done, max(done, total))
    return done


def _next(connection: Connection, kek_id: str, after: str) -> Sequence[tuple[str, str, bytes]]:
    parameters = {"kek_id": kek_id, "after": after, "limit": BATCH_KEYS_MAX}
    rows = connection.execute(_sql.next_to_rewrap, parameters).fetchall()
    return cast("Sequence[tuple[str, str, bytes]]", rows)


def _count(connection: Connection, kek_id: str) -> int:
    row = connection.execute(_sql.count_to_rewrap, {"kek_id": kek_id}).fetchone()
    return cast("tuple[int]", row)[0]
