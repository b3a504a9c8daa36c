"""A database is migrated to this version, and its keys have to fit."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.crypto.blind_index import BlindIndex
from ledger.database.connections import connect
from ledger.errors import SchemaMismatch
from permit_ledger.bootstrap.setup import WrongKey, prepare
from tests.keks import keyring


@pytest.fixture
def connection(empty_database):
    with connect(empty_database) as connection:
        yield connection


def test_an_empty_database_is_prepared_once(connection, blind_index):
    """The log's tables and the views', in this order; later there is nothing to do."""
    applied = prepare(connection, blind_index, keyring())

    assert ("ledger/0001_log.sql", "projections/0023_counts.sql") == (
        applied[0],
        applied[-1],
    )
    assert [] == prepare(connection, blind_index, keyring())
    assert (0, 0) == connection.execute(
        "SELECT head.position, position.position FROM ledger.head, views.position"
    ).fetchone()


def test_roles_that_start_together_prepare_it_once(empty_database, blind_index):
    """One does the work; the others wait for it."""

    def start(_):
        with connect(empty_database) as connection:
            return prepare(connection, blind_index, keyring())

    with ThreadPoolExecutor(4) as roles:
        applied = sorted(roles.map(start, range(4)))

    assert [[], [], []] == applied[:3]
    assert "ledger/0001_log.sql" in applied[3]


def test_another_key_is_refused(connection, blind_index):
    """With it no holder would be found, and each could get a second permit."""
    prepare(connection, blind_index, keyring())

    with pytest.raises(WrongKey):
        prepare(connection, BlindIndex(b"k" * 32), keyring())
    assert [] == prepare(connection, blind_index, keyring())


def test_the_database_does_not_hold_the_key(connection, blind_index):
    """Only a value made with it."""
    prepare(connection, blind_index, keyring())

    [(name, value)] = connection.execute("SELECT * FROM ledger.key_checks").fetchall()
    assert "blind-index" == name
    assert bytes(range(32)) != bytes(value)


def test_a_database_of_other_migrations_is_refused(connection, blind_index):
    """Nothing is done to it, not even the key check."""
    prepare(connection, blind_index, keyring())
    connection.execute("UPDATE public.permit_ledger_migrations SET digest = 'another'")
    connection.execute("DELETE FROM ledger.key_checks")

    with pytest.raises(SchemaMismatch):
        prepare(connection, blind_index, keyring())
    assert [] == connection.execute("SELECT * FROM ledger.key_checks").fetchall()
