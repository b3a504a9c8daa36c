"""Connections to PostgreSQL, and its errors translated once."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import (
    DatetimeFieldOverflow,
    InsufficientPrivilege,
    IntegrityConstraintViolation,
    InvalidParameterValue,
    ProgramLimitExceeded,
    ReadOnlySqlTransaction,
    UndefinedTable,
    UniqueViolation,
)
from psycopg.rows import AsyncRowFactory, tuple_row
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from ledger.errors import (
    ConnectionLost,
    HolderTaken,
    KeyTaken,
    RegisterDiffers,
    RightsMissing,
    Unavailable,
    VersionTaken,
)

Connection = psycopg.Connection[tuple[object, ...]]
AsyncConnection = psycopg.AsyncConnection[tuple[object, ...]]

CHANNEL = "permit_ledger_log"
"""NOTIFY on it when the head has moved; the payload is empty."""

SERVICE_ROLE = "permit_ledger_service"
"""What the service acts as: the migrations make it, with the few rights that it needs."""

SETTINGS = (
    "array_nulls=on",
    "bytea_output=hex",
    "client_encoding=UTF8",
    "datestyle=ISO,YMD",
    "default_transaction_deferrable=off",
    "default_transaction_isolation=read\\ committed",
    "idle_in_transaction_session_timeout=0",
    "idle_session_timeout=0",
    "intervalstyle=postgres",
    "lock_timeout=0",
    "search_path=pg_catalog,pg_temp",
    "standard_conforming_strings=on",
    "statement_timeout=0",
    "synchronous_commit=on",
    "timezone=UTC",
    "transform_null_equals=off",
)
"""Of every session of the service: a login may change the defaults of its own sessions, and this
code relies on these. Options of the address come after them."""

CONNECT_TIMEOUT_S = 5
NETWORK_SILENCE_MS = 10_000
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
    "portraits_event": VersionTaken,
}

_REGISTER_DIFFERS = "The register of holders is not what the log makes of it: nothing was written."


def as_service(database_url: str) -> str:
    """The same database, acting as the service's role from the first statement on, with
    :data:`SETTINGS`.

    Other options are kept, also those of ``PGOPTIONS``, which libpq reads only if the connection
    string has none.
    """
    ours = f"-c role={SERVICE_ROLE}"
    settled = with_settings(database_url)
    options = str(conninfo_to_dict(settled)["options"])
    return (
        settled if options.endswith(ours) else make_conninfo(settled, options=f"{options} {ours}")
    )


def with_settings(database_url: str) -> str:
    """The same database and user, with :data:`SETTINGS`."""
    options = conninfo_to_dict(database_url).get("options") or os.environ.get("PGOPTIONS", "")
    ours = " ".join(f"-c {setting}" for setting in SETTINGS)
    if str(options).startswith(ours):
        return database_url
    return make_conninfo(database_url, options=f"{ours} {options}".strip())


@contextmanager
def acting_as_service(connection: Connection) -> Iterator[None]:
    """A transaction in the service's role, on a connection that has its own user's rights.

    Raises:
        RightsMissing: there is no such role, or this user is no member of it.
    """
    with connection.transaction():
        try:
            connection.execute(f"SET LOCAL ROLE {SERVICE_ROLE}")
        except InvalidParameterValue:
            raise RightsMissing(
                f"There is no role {SERVICE_ROLE}, though the migration that makes it was applied:"
                " this database came from another server. docs/operations.md says how to move it."
            ) from None
        except InsufficientPrivilege:
            user = connection.info.user
            raise RightsMissing(
                f"The database user {user} may not act as {SERVICE_ROLE}:"
                f' run GRANT {SERVICE_ROLE} TO "{user}" as an administrator.'
            ) from None
        yield


def connection_options() -> dict[str, Any]:
    """Options of every connection: each statement is its own transaction, and a silent network is
    given up after a while."""
    return {
        "autocommit": True,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "tcp_user_timeout": NETWORK_SILENCE_MS,
    }


def connect(
    database_url: str,
    *,
    application_name: str = "permit-ledger",
    connect_timeout_s: int = CONNECT_TIMEOUT_S,
) -> Connection:
    """One connection in autocommit mode."""
    options = {**connection_options(), "connect_timeout": connect_timeout_s}
    return psycopg.connect(database_url, application_name=application_name, **options)


def connect_to_append(
    database_url: str, *, application_name: str = "permit-ledger append"
) -> Connection:
    """A group commit's connection: no statement on it takes longer than its callers wait."""
    connection = connect(database_url, application_name=application_name)
    connection.execute("SET synchronous_commit = on")  # whatever the server's default is
    connection.execute(f"SET lock_timeout = '{APPEND_LOCK_WAIT_S}s'")
    connection.execute(f"SET statement_timeout = '{APPEND_STATEMENT_S}s'")
    return connection


def connect_for_bulk(database_url: str) -> Connection:
    """A connection for large batches.

    Waiting for a lock ends in an error, and so does a transaction that keeps its own locks because
    this process has stopped in the middle of it.
    """
    connection = connect(database_url)
    connection.execute(f"SET lock_timeout = '{LOCK_WAIT_S}s'")
    connection.execute(f"SET idle_in_transaction_session_timeout = '{LOCK_WAIT_S}s'")
    return connection


def hang_up(connection: Connection) -> None:
    """From another thread: make a wait for the server on this connection fail at once."""
    with (
        suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.fileno())) as line,
    ):
        line.shutdown(socket.SHUT_RDWR)


async def connect_async(
    database_url: str, *, application_name: str = "permit-ledger"
) -> AsyncConnection:
    """One connection in autocommit mode, for asyncio."""
    return await psycopg.AsyncConnection.connect(
        database_url, application_name=application_name, **connection_options()
    )


def async_pool(
    database_url: str, *, connections_max: int, row_factory: AsyncRowFactory[Any] = tuple_row
) -> AsyncConnectionPool[psycopg.AsyncConnection[Any]]:
    """A pool of autocommit connections for coroutines, not yet open; the caller closes it."""
    return AsyncConnectionPool(
        database_url,
        kwargs={**connection_options(), "row_factory": row_factory},
        min_size=1,
        max_size=connections_max,
        timeout=POOL_WAIT_S,
        max_waiting=POOL_WAITING_MAX,
        configure=bound_waiting,
        open=False,
    )


async def bound_waiting(connection: psycopg.AsyncConnection[Any]) -> None:
    """Configure a pool's connection: waiting for a lock ends in an error."""
    await connection.execute(f"SET lock_timeout = '{LOCK_WAIT_S}s'")


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise PostgreSQL's errors as the ledger's: a conflict of a known unique key, a register that
    lacks a row, clocks that differ, or an outage."""
    try:
        yield
    except UniqueViolation as error:
        conflict = _CONFLICTS.get(error.diag.constraint_name or "")
        if conflict is None:
            raise
        raise conflict from error
    except IntegrityConstraintViolation as error:  # of ledger.append: it found no row to change
        raise RegisterDiffers(_REGISTER_DIFFERS) from error
    except DatetimeFieldOverflow as error:  # of ledger.require_present
        raise Unavailable(
            "The clocks of this service and of its database differ by more than ten minutes:"
            " an operator has to act."
        ) from error
    except (PoolTimeout, PoolClosed, TooManyRequests) as error:
        raise Unavailable from error
    except ReadOnlySqlTransaction as error:
        raise Unavailable("The database can only be read for the moment.") from error
    except UndefinedTable as error:  # of a view, which a rebuild creates again
        raise Unavailable("A table of the database is missing: an operator has to act.") from error
    except ProgramLimitExceeded:  # an operational error by its class, but the command's own fault
        raise
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise ConnectionLost from error
