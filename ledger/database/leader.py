"""Leader election: of all processes that could do some work, one does it at a time.

The leader is the one whose connection holds an advisory lock of the database. The lock ends with
the connection, so the next process takes over from one that was killed. It keeps processes from
disturbing each other; where two leaders at once could do harm (a leader that was frozen, say),
what they write is fenced by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event

from .connections import Connection, connect
from .named_sql import Queries
from .retry import OUTAGES, Outage, run_through_outages

_sql = Queries("ledger", "sql/leader.sql")


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to be the leader; ``lock`` is the advisory lock's number, the work's own."""

    lock: int
    application_name: str
    poll_s: float


def run_as_leader(
    database_url: str,
    lease: Lease,
    work: Callable[[Connection, Outage], None],
    stop: Event,
    *,
    prepare: Callable[[Connection], None] = lambda connection: None,  # noqa: ARG005
    stand_by: Callable[[Connection, Outage], None] = lambda connection, outage: None,  # noqa: ARG005
    report: Callable[[Exception], None] | None = None,
) -> None:
    """Do ``work`` while this process holds the lease, until ``stop`` is set.

    After any error the connection is closed, and with it the lease is lost; after a pause it is
    applied for again on a new one.

    Args:
        work: given the connection that holds the lease; called again when it returns. It calls
            ``outage.is_over()`` after each success.
        prepare: called with each new connection.
        stand_by: called before each pause while another process leads.
        report: logs an error that is no outage. Without it, such an error ends the loop.
    """

    def attempt(outage: Outage) -> None:
        with connect(database_url, application_name=lease.application_name) as connection:
            prepare(connection)
            while not stop.is_set():
                if try_lock(connection, lease.lock):
                    work(connection, outage)
                else:
                    stand_by(connection, outage)
                    stop.wait(lease.poll_s)

    run_through_outages(attempt, stop, outages=OUTAGES, report=report)


def try_lock(connection: Connection, lock: int) -> bool:
    """Take an advisory lock if it is free or already this connection's; it ends with it."""
    return connection.execute(_sql.try_lock, [lock]).fetchone() == (True,)


@contextmanager
def locked(connection: Connection, lock: int) -> Iterator[bool]:
    """Hold an advisory lock for a block, if it is free; yields whether it was."""
    is_ours = try_lock(connection, lock)
    try:
        yield is_ours
    finally:
        if is_ours:
            connection.execute(_sql.unlock, [lock])
