"""``sql/schema/`` is the current schema: it makes the same database as the migrations."""

from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ledger.database.connections import connect
from ledger.database.migrations import migrate
from ledger.database.named_sql import Queries
from tests.ledger.schema import rows_of, schema_of

ROOT = Path(__file__).parents[2]
PACKAGES = ("ledger", "projections")


def build(connection):
    """Execute the schema files of both packages, in the order of their numbers."""
    connection.execute(Queries("ledger", "sql/migrations.sql").create)
    for package in PACKAGES:
        for file in sorted((ROOT / package / "sql" / "schema").glob("*.sql")):
            connection.execute(file.read_text("utf-8"))


@pytest.fixture(scope="module")
def databases(postgres_url):
    """One database by the schema files, and one by the migrations."""
    makers = {"by_schema": build, "by_migrations": lambda each: migrate(each, *PACKAGES)}
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        for name in makers:
            admin.execute(f"CREATE DATABASE {name}")
        built, migrated = (connect(make_conninfo(postgres_url, dbname=name)) for name in makers)
        with built, migrated:
            for make, connection in zip(makers.values(), (built, migrated), strict=True):
                make(connection)
            yield built, migrated
        for name in makers:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_both_have_the_same_catalog(databases):
    """Tables, columns, constraints, indexes, functions, triggers, views, grants and comments."""
    built, migrated = databases

    assert schema_of(migrated) == schema_of(built)


def test_both_have_the_same_rows(databases):
    """The rows that a new database begins with."""
    built, migrated = databases
    begun = rows_of(migrated)

    assert "(0)" in begun["ledger.head"]
    assert begun == rows_of(built)
