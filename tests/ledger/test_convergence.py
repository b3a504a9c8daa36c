"""From any earlier state of a database, the migrations lead to the same schema, and lose
nothing."""

import re
from itertools import product
from pathlib import Path

import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.errors import DuplicateTable

from ledger.database import migrations
from ledger.database.connections import connect
from ledger.database.migrations import migrate
from ledger.errors import SchemaMismatch
from tests.ledger.schema import schema_of

ROOT = Path(__file__).parents[2]
PACKAGES = ("ledger", "projections")
FILES = {
    package: len([*(ROOT / package / "sql" / "migrations").glob("*.sql")]) for package in PACKAGES
}
EARLIER = [
    (of_ledger, of_projections)
    for of_ledger, of_projections in product(*(range(files + 1) for files in FILES.values()))
    if of_ledger in {0, FILES["ledger"]}
    or of_projections in {0, FILES["projections"]}
    or of_projections == of_ledger * FILES["projections"] // FILES["ledger"]
]
"""Each state of one package with none and with all files of the other, and with about as many as it
had at that time: all pairs would grow with the square of the files."""
STATES = [
    (file.name.removesuffix(".json"), file.read_bytes().removesuffix(b"\n"))
    for file in sorted(Path(__file__).parent.joinpath("golden").glob("*.json"))
]
SEALED_FROM = 4
"""The ledger's migration that refuses a log from before it."""
REFUSAL = {"caller": "c", "key": "k", "fingerprint": b"f", "accepted": False, "body": b"no"}
ANSWERS = {"ledger.answers": [REFUSAL]}
LEDGER_ROWS = {
    **ANSWERS,
    "ledger.events": [
        {"position": n, "stream": "7Q2M9K4T8XW5", "version": n, "topic": topic, "state": state}
        for n, (topic, state) in enumerate(STATES, start=1)
    ],
    "ledger.holders": [
        {
            "holder_id": "h",
            "citizen_index": b"i",
            "permit_number": "7Q2M9K4T8XW5",
            "permit_numbers": ["7Q2M9K4T8XW5"],
            "kek_id": "kek",
            "wrapped": b"wrapped",
        }
    ],
    "ledger.key_encryption_keys": [{"kek_id": "kek", "check_value": b"checked"}],
    "ledger.portraits": [{"stream": "7Q2M9K4T8XW5", "version": 1, "image": b"sealed"}],
}
VIEWS_ROWS = {"views.permit_search": [{"permit_number": "7Q2M9K4T8XW5", "citizen_index": "69"}]}


@pytest.fixture
def connection(empty_database):
    with connect(empty_database) as connection:
        yield connection


@pytest.fixture
def migrate_to(connection, monkeypatch):
    """``migrate_to(1, 0)``: as a program did that had these many files of each package."""
    every = migrations.migrations_of

    def migrate_to(*files):
        known = dict(zip(PACKAGES, files, strict=True))
        with monkeypatch.context() as earlier:
            earlier.setattr(migrations, "migrations_of", lambda name: every(name)[: known[name]])
            migrate(connection, *PACKAGES)

    return migrate_to


@pytest.fixture(scope="module")
def fresh(database_of_today):
    with connect(database_of_today) as connection:
        return schema_of(connection)


@pytest.fixture(scope="module")
def database_of_today(postgres_url):
    """A database that was empty before today's migrations."""
    with connect(postgres_url) as admin:
        admin.execute("CREATE DATABASE of_today")
        url = make_conninfo(postgres_url, dbname="of_today")
        with connect(url) as connection:
            migrate(connection, *PACKAGES)
        yield url
        admin.execute("DROP DATABASE of_today WITH (FORCE)")


def insert(connection, rows_of):
    for table, rows in rows_of.items():
        for row in rows:
            connection.execute(
                sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                    sql.Identifier(*table.split(".")),
                    sql.SQL(", ").join(map(sql.Identifier, row)),
                    sql.SQL(", ").join(sql.Placeholder() * len(row)),
                ),
                [*row.values()],
            )


def found(connection, rows_of):
    """The same columns of every row that is there."""
    return {
        table: [
            dict(zip(rows[0], row, strict=True))
            for row in connection.execute(
                f"SELECT {', '.join(rows[0])} FROM {table} ORDER BY 1"
            ).fetchall()
        ]
        for table, rows in rows_of.items()
    }


@pytest.mark.parametrize(("ledger_files", "projections_files"), EARLIER)
def test_every_earlier_version_becomes_this_one(
    connection, migrate_to, fresh, ledger_files, projections_files
):
    """To the last grant and comment, with every row that was there; and there it stays."""
    migrate_to(ledger_files, projections_files)
    has_events = ledger_files >= SEALED_FROM
    rows = LEDGER_ROWS if has_events else ANSWERS if ledger_files else {}
    rows = {**rows, **(VIEWS_ROWS if projections_files else {})}
    insert(connection, rows)
    if has_events:
        connection.execute("UPDATE ledger.head SET position = %s", [len(STATES)])

    applied = migrate(connection, *PACKAGES)

    assert sum(FILES.values()) - ledger_files - projections_files == len(applied)
    assert fresh == schema_of(connection)
    assert rows == found(connection, rows)
    if has_events:
        assert (len(STATES),) == connection.execute("SELECT position FROM ledger.head").fetchone()
    assert [] == migrate(connection, *PACKAGES)


@pytest.mark.parametrize("ledger_files", range(1, SEALED_FROM))
def test_a_log_in_the_clear_is_refused(connection, migrate_to, ledger_files):
    """From before personal data was encrypted: it is unchanged, readable by the version that wrote
    it, and the error says what to do."""
    migrate_to(ledger_files, 0)
    insert(connection, {"ledger.events": LEDGER_ROWS["ledger.events"]})

    expected = (
        "ledger/0004_holder_keys.sql was not applied: this log was written before personal data was"
        " sealed, and can't be now. Start with an empty database, and import what is to be kept."
    )
    with pytest.raises(SchemaMismatch, match=f"^{re.escape(expected)}$"):
        migrate(connection, *PACKAGES)

    assert (len(STATES),) == connection.execute("SELECT count(*) FROM ledger.events").fetchone()
    assert (None,) == connection.execute("SELECT to_regclass('ledger.holder_keys')").fetchone()


def test_a_migration_that_fails_at_its_end_leaves_nothing(connection, migrate_to, fresh):
    """No grant, trigger or index of it; once the cause is removed, it is applied from its
    beginning."""
    migrate_to(1, 0)
    before = schema_of(connection)
    connection.execute("CREATE VIEW ledger.readable_events AS SELECT 1 AS in_the_way")

    with pytest.raises(DuplicateTable):
        migrate(connection, *PACKAGES)
    connection.execute("DROP VIEW ledger.readable_events")

    assert before == schema_of(connection)
    migrate(connection, *PACKAGES)
    assert fresh == schema_of(connection)


@pytest.mark.parametrize(
    "change",
    [
        "GRANT DELETE ON ledger.events TO permit_ledger_service",
        "GRANT SELECT (topic) ON ledger.events TO PUBLIC",
        "GRANT CREATE ON SCHEMA views TO permit_ledger_service",
        "REVOKE EXECUTE ON FUNCTION ledger.state_as_json FROM PUBLIC",
        "ALTER TABLE ledger.events ENABLE TRIGGER append_only",
        "ALTER TABLE ledger.answers ALTER version SET DEFAULT 1",
        "ALTER TABLE ledger.answers DROP CONSTRAINT answers_key",
        "ALTER TABLE views.position SET (fillfactor = 50)",
        "ALTER FUNCTION ledger.state_as_json STABLE",
        "DROP INDEX ledger.events_topic",
        "COMMENT ON TRIGGER append_only ON ledger.events IS NULL",
        "COMMENT ON COLUMN ledger.events.stream IS 'another'",
        "CREATE OR REPLACE VIEW views.permits AS SELECT * FROM views.permits WHERE false",
        "ALTER TABLE ledger.holders OWNER TO permit_ledger_service",
        "GRANT UPDATE (wrapped) ON ledger.holders TO permit_ledger_service",
        "GRANT EXECUTE ON FUNCTION ledger.destroy_key TO PUBLIC",
        "ALTER FUNCTION ledger.destroy_key SECURITY INVOKER",
    ],
)
def test_the_comparison_detects_a_difference(database_of_today, fresh, change):
    """Otherwise it could find two different schemas equal."""
    with connect(database_of_today) as connection, connection.transaction(force_rollback=True):
        connection.execute(change)

        assert fresh != schema_of(connection)
