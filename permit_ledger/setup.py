"""Bringing a database to what this version expects, and making sure that it is ours."""

from __future__ import annotations

import hmac
from typing import cast

from ledger.blind_index import BlindIndex
from ledger.database import Connection
from ledger.errors import Corrupt
from ledger.migrations import migrate

PACKAGES = ("ledger", "projections")


class WrongKey(Corrupt):
    """The blind-index key is not the one this ledger was written with."""


def prepare(connection: Connection, blind_index: BlindIndex) -> list[str]:
    """Apply missing migrations and check the key; returns the migrations applied.

    Raises:
        SchemaMismatch: the database was set up by other migrations.
        WrongKey: nobody would be found, and everybody could get a second permit.
    """
    applied = migrate(connection, *PACKAGES)
    expected = blind_index.fingerprint(b"key check")
    connection.execute(
        "INSERT INTO ledger.key_checks (key_name, check_value) VALUES ('blind-index', %s)"
        " ON CONFLICT DO NOTHING",
        [expected],
    )
    row = connection.execute(
        "SELECT check_value FROM ledger.key_checks WHERE key_name = 'blind-index'"
    ).fetchone()
    if not hmac.compare_digest(cast("tuple[bytes]", row)[0], expected):
        raise WrongKey
    return applied
