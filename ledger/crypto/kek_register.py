"""The register of key-encryption keys (KEKs): their names and states, never their bytes."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.errors import KeyUnusable

from .key_encryption import KeyEncryptionKey, Keyring, KeyStore

_KNOWN = hashlib.sha256(b"permit-ledger: is it the same key-encryption key?").digest()
_FOR_CHECKS = "check value"

_sql = Queries("ledger", "sql/keks.sql")


class Kek(NamedTuple):
    """A row of the register; ``keys`` is how many holders' keys it wraps."""

    kek_id: str
    introduced_at: datetime
    closed_at: datetime | None
    destroyed_at: datetime | None
    keys: int


class _InUse(NamedTuple):
    kek_id: str
    check_value: bytes


def introduce(connection: Connection, keyring: Keyring) -> None:
    """Require every KEK in use to be present and unchanged; register the active one.

    Raises:
        KeyUnusable: one is missing, or another one has its name.
        Unavailable: the store does not answer.
    """
    active = keyring.active
    if active.kek_id not in _require_in_use(connection, keyring):
        register(connection, active)
        _require_in_use(connection, keyring)  # registered by another process at the same time


def register(connection: Connection, kek: KeyEncryptionKey) -> None:
    """Allow new keys to be wrapped with a KEK."""
    check_value = kek.wrap(_KNOWN, _FOR_CHECKS)
    connection.execute(_sql.introduce, {"kek_id": kek.kek_id, "check_value": check_value})


def register_of(connection: Connection) -> list[Kek]:
    """Every KEK that was ever registered."""
    with connection.cursor(row_factory=class_row(Kek)) as cursor:
        return cursor.execute(_sql.all).fetchall()


def destroy(connection: Connection, store: KeyStore, kek_id: str) -> None:
    """Destroy a KEK that was rotated out: older copies of the database can't be opened afterwards.

    Raises:
        KeyUnusable: it is unknown, still wraps keys, or is the active one.
    """
    if connection.execute(_sql.destroy, {"kek_id": kek_id}).rowcount != 1:
        raise KeyUnusable(
            f"The key-encryption key {kek_id} is unknown, destroyed already, or still in use:"
            " rotate first."
        )
    store.destroy(kek_id)


def _require_in_use(connection: Connection, keyring: Keyring) -> set[str]:
    with connection.cursor(row_factory=class_row(_InUse)) as cursor:
        rows = cursor.execute(_sql.in_use).fetchall()
    for kek_id, check_value in rows:
        known = keyring.get(kek_id).unwrap(check_value, _FOR_CHECKS)
        if not hmac.compare_digest(known, _KNOWN):
            raise KeyUnusable(f"The key-encryption key {kek_id} is another one than before.")
    return {row.kek_id for row in rows}
