"""Bare PostgreSQL: rows with the log's columns and indexes, without the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import LiteralString

from eventsourcing.persistence import StoredEvent

from bench.write_paths import BLIND_INDEX
from ledger.database.connections import Connection, connect
from permit_ledger.bootstrap.setup import prepare
from tests.keks import keyring

INSERT_CONNECTIONS_MAX = 16

_TYPES = ("int8", "text", "int4", "text", "bytea")
_positions = count(1)

Row = tuple[int, str, int, str, bytes]


def create(database_url: str) -> None:
    """A table ``raw`` like the log's, indexes and all."""
    with connect(database_url) as connection:
        prepare(connection, BLIND_INDEX, keyring())
        connection.execute(
            "CREATE TABLE raw (LIKE ledger.events INCLUDING ALL) WITH (toast_tuple_target = 8160)"
        )


def rows(events: Sequence[StoredEvent]) -> list[Row]:
    """Rows with positions counted here, which is less work for the database."""
    return [
        (next(_positions), str(e.originator_id), e.originator_version, e.topic, e.state)
        for e in events
    ]


def insert(connection: Connection, batch: Sequence[Row]) -> None:
    """One row after the other, a transaction each."""
    for row in batch:
        connection.execute("INSERT INTO raw VALUES (%b, %b, %b, %b, %b)", row)


_UNNEST: LiteralString = """
INSERT INTO raw
SELECT * FROM unnest(%b::bigint[], %b::text[], %b::integer[], %b::text[], %b::bytea[])"""


def unnest(connection: Connection, batch: Sequence[Row]) -> None:
    """All rows in one INSERT."""
    connection.execute(_UNNEST, [list(column) for column in zip(*batch, strict=True)])


_COPY: LiteralString = (
    "COPY raw (position, stream, version, topic, state) FROM STDIN (FORMAT BINARY)"
)


def copy(connection: Connection, batch: Sequence[Row]) -> None:
    """All rows in one binary COPY."""
    with connection.cursor() as cursor, cursor.copy(_COPY) as into:
        into.set_types(_TYPES)
        for row in batch:
            into.write_row(row)
