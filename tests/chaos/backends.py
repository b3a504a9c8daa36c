"""The server's processes that append, found and killed by pid."""

import os
import signal
from contextlib import suppress

import psycopg

from ledger.database.connections import connect

APPENDERS = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'permit-ledger append'
"""


def append_backends(database_url: str) -> list[int]:
    """Their pids; none while the server is down."""
    try:
        with connect(database_url, application_name="chaos") as connection:
            return [int(str(pid)) for (pid,) in connection.execute(APPENDERS).fetchall()]
    except psycopg.OperationalError:
        return []


def kill_backend(pid: int) -> None:
    """``kill -9``: its postmaster ends all the others too, and recovers from the log."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
