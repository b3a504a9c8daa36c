"""Bringing a database to what this version expects, and making sure that it is ours to work on."""

from __future__ import annotations

import hmac
from typing import cast

from ledger.blind_index import BlindIndex
from ledger.database import Connection
from ledger.errors import Corrupt
from ledger.mapper import EventMapper, OrjsonTranscoder
from ledger.migrations import migrate
from ledger.topics import require_readable

PACKAGES = ("ledger", "projections")


class WrongKey(Corrupt):
    """The blind-index key is not the one this ledger was written with."""


def prepare(connection: Connection, blind_index: BlindIndex) -> list[str]:
    """Apply missing migrations, check the log's topics and the key; returns what was applied.

    Raises:
        SchemaMismatch: the database was set up by other migrations.
        UnreadableTopics: the log holds events of a version that is newer than this one.
        WrongKey: nobody would be found, and everybody could get a second permit.
    """
    applied = migrate(connection, *PACKAGES)
    require_readable(connection, EventMapper(OrjsonTranscoder()).topics)
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
