"""Connections to PostgreSQL, and its errors translated once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.errors import ReadOnlySqlTransaction, UniqueViolation
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from .errors import ConnectionLost, HolderTaken, KeyTaken, Unavailable, VersionTaken

Connection = psycopg.Connection[tuple[object, ...]]
AsyncConnection = psycopg.AsyncConnection[tuple[object, ...]]

CHANNEL = "permit_ledger_log"
"""NOTIFY on it says that the head has moved; the payload is empty."""

CONNECT_TIMEOUT_S = 5
POOL_WAIT_S = 10.0
LOCK_WAIT_S = 10
APPEND_LOCK_WAIT_S = 5
APPEND_STATEMENT_S = 8
POOL_WAITING_MAX = 1000

_CONFLICTS = {
    "events_stream_version": VersionTaken,
    "answers_key": KeyTaken,
    "holders_citizen": HolderTaken,
    "holders_id": HolderTaken,
    "holders_permit": HolderTaken,
}


def connect(database_url: str, *, application_name: str = "permit-ledger") -> Connection:
    """One connection in autocommit mode."""
    return psycopg.connect(
        database_url,
        autocommit=True,
        connect_timeout=CONNECT_TIMEOUT_S,
        application_name=application_name,
    )


def connect_to_append(database_url: str) -> Connection:
    """The group commit's connection: no statement on it outlasts those who wait for it."""
    connection = connect(database_url, application_name="permit-ledger append")
    connection.execute(f"SET lock_timeout = '{APPEND_LOCK_WAIT_S}s'")
    connection.execute(f"SET statement_timeout = '{APPEND_STATEMENT_S}s'")
    return connection


async def connect_async(
    database_url: str, *, application_name: str = "permit-ledger"
) -> AsyncConnection:
    """The same for asyncio."""
    return await psycopg.AsyncConnection.connect(
        database_url,
        autocommit=True,
        connect_timeout=CONNECT_TIMEOUT_S,
        application_name=application_name,
    )


def open_pool(database_url: str, *, connections_max: int) -> ConnectionPool[Connection]:
    """A pool of autocommit connections, opened; the caller closes it."""
    return ConnectionPool(
        database_url,
        kwargs={"autocommit": True, "connect_timeout": CONNECT_TIMEOUT_S},
        min_size=1,
        max_size=connections_max,
        timeout=POOL_WAIT_S,
        max_waiting=POOL_WAITING_MAX,
        configure=_bound_waiting,
        open=True,
    )


def _bound_waiting(connection: Connection) -> None:
    """A lock that somebody does not give back ends in an error, not in a queue without end."""
    connection.execute(f"SET lock_timeout = '{LOCK_WAIT_S}s'")


@contextmanager
def translated_errors() -> Iterator[None]:
    """PostgreSQL's errors as the ledger's: a known unique key, or out of reach."""
    try:
        yield
    except UniqueViolation as error:
        conflict = _CONFLICTS.get(error.diag.constraint_name or "")
        if conflict is None:
            raise
        raise conflict from error
    except (PoolTimeout, PoolClosed, TooManyRequests) as error:
        raise Unavailable from error
    except ReadOnlySqlTransaction as error:
        raise Unavailable("The database can only be read for the moment.") from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise ConnectionLost from error
