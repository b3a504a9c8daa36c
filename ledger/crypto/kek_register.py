"""The key-encryption keys (KEKs) that keys are wrapped with: their names, never they themselves."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from typing import NamedTuple, cast

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.errors import KeyUnusable

from .key_encryption import KeyEncryptionKey, Keyring, KeyStore

_KNOWN = hashlib.sha256(b"permit-ledger: is it the same key-encryption key?").digest()
_FOR_CHECKS = "check value"

_sql = Queries("ledger", "sql/keks.sql")


class Kek(NamedTuple):
    """A line of the register; ``keys`` is how many holders' keys it wraps."""

    kek_id: str
    introduced_at: datetime
    closed_at: datetime | None
    destroyed_at: datetime | None
    keys: int


def introduce(connection: Connection, keyring: Keyring) -> None:
    """Make sure that every KEK in use is at hand and the same, and that new keys may be wrapped.

    Raises:
        KeyUnusable: one is missing, or another one has its name.
        Unavailable: the store does not answer.
    """
    active = keyring.active
    if active.kek_id not in _require_in_use(connection, keyring):
        register(connection, active)
        _require_in_use(connection, keyring)  # another's, where two started in the same instant


def register(connection: Connection, kek: KeyEncryptionKey) -> None:
    """From now on new keys may be wrapped with it."""
    check_value = kek.wrap(_KNOWN, _FOR_CHECKS)
    connection.execute(_sql.introduce, {"kek_id": kek.kek_id, "check_value": check_value})


def register_of(connection: Connection) -> list[Kek]:
    """Every KEK that there ever was."""
    rows = connection.execute(_sql.all).fetchall()
    return [Kek(*cast("tuple[str, datetime, None, None, int]", row)) for row in rows]


def destroy(connection: Connection, store: KeyStore, kek_id: str) -> None:
    """Destroy a KEK that was rotated out: copies of the database made before can't be opened then.

    Raises:
        KeyUnusable: it is unknown, still wraps keys, or is the one for new ones.
    """
    if connection.execute(_sql.destroy, {"kek_id": kek_id}).rowcount != 1:
        raise KeyUnusable(
            f"The key-encryption key {kek_id} is unknown, destroyed already, or still in use:"
            " rotate first."
        )
    store.destroy(kek_id)


def _require_in_use(connection: Connection, keyring: Keyring) -> set[str]:
    rows = cast("list[tuple[str, bytes]]", connection.execute(_sql.in_use).fetchall())
    for kek_id, check_value in rows:
        known = keyring.get(kek_id).unwrap(check_value, _FOR_CHECKS)
        if not hmac.compare_digest(known, _KNOWN):
            raise KeyUnusable(f"The key-encryption key {kek_id} is another one than before.")
    return {kek_id for kek_id, _ in rows}
