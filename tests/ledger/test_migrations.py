"""Migrating a database: once, under a lock, and never after a migration's text has changed."""

import itertools
from pathlib import Path

import psycopg
import pytest

from ledger.database.connections import connect
from ledger.database.migrations import migrate
from ledger.errors import SchemaMismatch

_packages = itertools.count(1)


@pytest.fixture
def connection(empty_database):
    with connect(empty_database) as connection:
        yield connection


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with two migrations, for a test to spoil; gives its name and their folder."""
    name = f"migrated_{next(_packages)}"
    folder = tmp_path / name / "sql" / "migrations"
    folder.mkdir(parents=True)
    (tmp_path / name / "__init__.py").touch()
    (folder / "0001_first.sql").write_text("CREATE TABLE first (n int); CREATE TABLE second ();")
    (folder / "0002_second.sql").write_text("DROP TABLE second; INSERT INTO first VALUES (2);")
    (folder / "README").write_text("not a migration")
    monkeypatch.syspath_prepend(tmp_path)
    return name, folder


def rows(connection):
    return connection.execute("SELECT n FROM first").fetchall()


def test_all_migrations_are_applied_once(connection):
    """In the order of their numbers, package by package; the second run has nothing to do."""
    expected = [
        f"{package}/{file.name}"
        for package in ("ledger", "projections")
        for file in sorted(Path(package, "sql", "migrations").glob("*.sql"))
    ]

    assert expected == migrate(connection, "ledger", "projections")
    assert [] == migrate(connection, "ledger", "projections")
    assert (0,) == connection.execute("SELECT position FROM ledger.head").fetchone()


def test_a_later_migration_is_applied_alone(connection, package):
    """Those applied before are skipped."""
    name, folder = package
    assert [f"{name}/0001_first.sql", f"{name}/0002_second.sql"] == migrate(connection, name)
    (folder / "0003_third.sql").write_text("INSERT INTO first VALUES (3)")

    assert [f"{name}/0003_third.sql"] == migrate(connection, name)
    assert [(2,), (3,)] == rows(connection)


def test_two_concurrent_runs_apply_each_migration_once(empty_database, package, at_once):
    """One waits for the other, and finds its work done."""
    name, folder = package
    (folder / "0003_slow.sql").write_text("SELECT pg_sleep(0.2); INSERT INTO first VALUES (3);")

    def run():
        with connect(empty_database) as connection:
            return migrate(connection, name)

    applied = at_once([run] * 4)

    files = ["0001_first.sql", "0002_second.sql", "0003_slow.sql"]
    assert sorted([[], [], [], [f"{name}/{file}" for file in files]]) == sorted(applied)
    with connect(empty_database) as connection:
        assert [(2,), (3,)] == rows(connection)


def test_a_changed_text_is_refused(connection, package):
    """An applied migration is never edited; later ones are not applied on top."""
    name, folder = package
    migrate(connection, name)
    (folder / "0001_first.sql").write_text("CREATE TABLE first (n bigint);")
    (folder / "0003_third.sql").write_text("INSERT INTO first VALUES (3)")

    with pytest.raises(SchemaMismatch, match=rf"{name}/0001_first\.sql was applied with another"):
        migrate(connection, name)
    assert [(2,)] == rows(connection)


def test_a_missing_file_is_refused(connection, package):
    """A newer version migrated the database, or a file was deleted."""
    name, folder = package
    migrate(connection, name)
    (folder / "0002_second.sql").unlink()

    with pytest.raises(SchemaMismatch, match=rf"{name} no longer has .* 0002_second\.sql"):
        migrate(connection, name)


def test_a_failed_migration_leaves_nothing(connection, package):
    """Earlier ones stay applied; once corrected, it is applied from its beginning."""
    name, folder = package
    failing = folder / "0003_failing.sql"
    failing.write_text("INSERT INTO first VALUES (3); SELECT 1 / 0;")

    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(connection, name)
    assert [(2,)] == rows(connection)

    failing.write_text("INSERT INTO first VALUES (33);")
    assert [f"{name}/0003_failing.sql"] == migrate(connection, name)
    assert [(2,), (33,)] == rows(connection)


def test_a_migration_refused_by_the_databases_content_gives_the_reason(connection, package):
    """Its message and its hint; earlier ones stay applied, nothing of it remains."""
    name, folder = package
    (folder / "0003_asking.sql").write_text(
        "INSERT INTO first VALUES (3); DO $$ BEGIN RAISE EXCEPTION 'there is a 3'"
        " USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Take it away.'; END $$;"
    )

    message = rf"^{name}/0003_asking\.sql was not applied: there is a 3\. Take it away\.$"
    with pytest.raises(SchemaMismatch, match=message):
        migrate(connection, name)

    assert [(2,)] == rows(connection)


def test_the_lock_is_released(connection, empty_database, package):
    """Also after a failure, by a connection that stays open."""
    name, folder = package
    (folder / "0003_failing.sql").write_text("SELECT 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(connection, name)

    assert (0,) == connection.execute(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    ).fetchone()
