"""PostgreSQL's errors, translated to the ledger's."""

import psycopg
import pytest
from psycopg.errors import CheckViolation, DeadlockDetected, LockNotAvailable, UniqueViolation

from ledger.database import connections as database
from ledger.database.connections import async_pool, translated_errors
from ledger.errors import ConnectionLost, HolderTaken, KeyTaken, Unavailable, VersionTaken

TWICE = {
    VersionTaken: "INSERT INTO ledger.events VALUES (%s, 'a', 1, 'topic', '')",
    KeyTaken: "INSERT INTO ledger.answers VALUES ('caller', 'key', '', true, '', 1, %s)",
    HolderTaken: "INSERT INTO ledger.holders VALUES ('holder', 'person', %s, '{}')",
}


@pytest.mark.parametrize("conflict", TWICE, ids=lambda each: each.__name__)
def test_an_existing_row_is_a_conflict(admin, conflict):
    """The constraint's name says which."""
    admin.execute(TWICE[conflict], [1])

    with pytest.raises(conflict), translated_errors():
        admin.execute(TWICE[conflict], [2])


def test_an_existing_position_is_no_conflict(admin):
    """Positions are assigned, so this cannot happen, and must not pass as a conflict."""
    admin.execute(TWICE[VersionTaken], [1])

    with pytest.raises(UniqueViolation), translated_errors():
        admin.execute("INSERT INTO ledger.events VALUES (1, 'b', 1, 'topic', '')")


@pytest.mark.parametrize("error", [DeadlockDetected, LockNotAvailable, psycopg.InterfaceError])
def test_transient_errors_are_unavailable(error):
    """The statement may have been executed."""
    with pytest.raises(ConnectionLost), translated_errors():
        raise error


def test_a_read_only_database_is_unavailable(admin):
    """In maintenance, or a standby that is not yet promoted: the error may pass."""
    admin.execute("SET default_transaction_read_only = on")

    with pytest.raises(Unavailable), translated_errors():
        admin.execute(TWICE[VersionTaken], [1])


def test_a_programming_error_is_not_translated(admin):
    """It stays what it is."""
    with pytest.raises(CheckViolation), translated_errors():
        admin.execute("INSERT INTO ledger.events VALUES (0, 'b', 1, 'topic', '')")


def test_an_unreachable_database_is_unavailable(awaited, monkeypatch):
    """After a bounded wait for a connection."""
    monkeypatch.setattr(database, "POOL_WAIT_S", 0.1)

    async def act():
        pool = async_pool("host=/nowhere dbname=none", connections_max=2)
        await pool.open()
        with pytest.raises(Unavailable), translated_errors():
            await pool.getconn()
        await pool.close()
        with pytest.raises(Unavailable), translated_errors():
            await pool.getconn()

    awaited(act())


def test_an_append_waits_for_a_lock_within_bounds(new_raw_log, stored, admin, monkeypatch):
    """If another transaction keeps the head locked."""
    monkeypatch.setattr(database, "APPEND_LOCK_WAIT_S", 0.1)
    raw_log = new_raw_log()
    with admin.transaction():
        admin.execute("SELECT position FROM ledger.head FOR UPDATE")
        with pytest.raises(Unavailable):
            raw_log.append_events([stored("a", 1)])

    assert [1] == raw_log.append_events([stored("a", 1)])


def test_a_pool_outlives_its_connections(raw_log, stored, kill):
    """After a restart of the database, reads and appends continue without a failure."""
    raw_log.append_events([stored("a", 1)])
    assert kill("")

    assert raw_log.head() == 1
    assert kill("")
    assert [2] == raw_log.append_events([stored("a", 2)])
