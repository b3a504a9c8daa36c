"""Nothing starts without the keys that wrap holders' keys, nor on a log in the clear."""

import pytest

from ledger.database import migrations
from ledger.database.connections import connect
from permit_ledger.bootstrap.setup import PACKAGES
from permit_ledger.csv_import.columns import template
from tests import commands

COMMANDS = [
    ["api"],
    ["project"],
    ["up", "--empty"],
    ["simulate", "--permits", "1", "--days", "1", "--seed", "1"],
    ["import", "permits.csv"],
]
SEALING = ("ledger/0004_holder_keys.sql", "projections/0003_sealed_faces.sql")
IN_THE_CLEAR = (
    "permit-ledger: ledger/0004_holder_keys.sql was not applied: this log was written before"
    " personal data was sealed, and can't be now. Start with an empty database, and import what is"
    " to be kept."
)


@pytest.fixture
def permit_ledger(empty_database, tmp_path):
    """``permit_ledger("status", …)``: as an operator runs it, with keys in a folder of its own."""
    (tmp_path / "permits.csv").write_text(template(), encoding="utf-8")
    environment = {
        "PERMIT_LEDGER_DATABASE_URL": empty_database,
        "PERMIT_LEDGER_DEVELOPMENT": "true",
    }

    def run(*arguments):
        return commands.permit_ledger(tmp_path, environment, *arguments)

    return run


@pytest.fixture
def kek(permit_ledger, tmp_path):
    """The file of the one key-encryption key, with which the database was prepared."""
    prepared = permit_ledger("simulate", "--permits", "1", "--days", "1", "--seed", "7")
    assert prepared.returncode == 0, prepared.stderr
    [file] = (tmp_path / "data" / "keys" / "key-encryption").glob("*.key")
    return file


@pytest.fixture
def head(empty_database):
    """``head()``: how many events there are."""

    def head():
        with connect(empty_database) as connection:
            return connection.execute("SELECT position FROM ledger.head").fetchone()[0]

    return head


def assert_refused(run, *said):
    """Exit code 1, and one line that says why."""
    assert 1 == run.returncode
    [line] = run.stderr.splitlines()
    assert line.startswith("permit-ledger: ")
    for part in said:
        assert part in line
    assert "ready" not in run.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_missing_key_encryption_key_is_named(permit_ledger, kek, head, command):
    """A missing key is not replaced by a new one, which could decrypt nothing."""
    before = head()
    away = kek.rename(kek.with_suffix(".away"))

    assert_refused(permit_ledger(*command), f"no key-encryption key {kek.stem}")
    assert before == head()

    away.rename(kek)
    assert 0 == permit_ledger("simulate", "--permits", "1", "--days", "1", "--seed", "8").returncode


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_another_key_under_the_same_name_is_noticed(permit_ledger, kek, head, command):
    """Before anything is encrypted with the wrong one."""
    before = head()
    kek.write_text("0f" * 32)

    assert_refused(permit_ledger(*command), kek.stem)
    assert before == head()


@pytest.mark.parametrize("text", ["", "not a key", "0f" * 31])
def test_a_damaged_key_is_named_and_not_repeated(permit_ledger, kek, text):
    """The file, never what is in it."""
    kek.write_text(text)

    run = permit_ledger("project")

    assert_refused(run, kek.name)
    assert not text or text not in run.stderr


@pytest.fixture
def older(empty_database, monkeypatch):
    """A database of the version before personal data was sealed, with one event in it; the names
    of what it lacks."""
    every = migrations.migrations_of
    with monkeypatch.context() as before, connect(empty_database) as connection:
        before.setattr(
            migrations, "migrations_of", lambda p: [m for m in every(p) if _is_before_sealing(m)]
        )
        applied = migrations.migrate(connection, *PACKAGES)
        assert "ledger/0003_append.sql" in applied
        connection.execute(
            "INSERT INTO ledger.events (position, stream, version, topic, state)"
            " VALUES (1, '7Q2M9K4T8XW5', 1, 'permit.issued.v1', '{}')"
        )
        connection.execute("UPDATE ledger.head SET position = 1")
    return {m.name for package in PACKAGES for m in every(package) if not _is_before_sealing(m)}


def _is_before_sealing(migration):
    return any(
        migration.name < first for first in SEALING if first.partition("/")[0] == migration.package
    )


@pytest.mark.parametrize("command", [["migrate"], *COMMANDS], ids=lambda command: command[0])
def test_a_log_in_the_clear_is_not_migrated(permit_ledger, empty_database, older, command):
    """It says what can be done instead; the database stays as it was."""
    assert_refused(permit_ledger(*command), IN_THE_CLEAR)

    with connect(empty_database) as connection:
        assert older == {migration.name for migration in migrations.missing(connection, *PACKAGES)}
        assert [(1,)] == connection.execute("SELECT position FROM ledger.events").fetchall()


def test_an_older_database_without_events_is_migrated(permit_ledger, empty_database, older):
    """There is nothing in it to encrypt."""
    with connect(empty_database) as connection:
        connection.execute("ALTER TABLE ledger.events DISABLE TRIGGER append_only")
        connection.execute("DELETE FROM ledger.events")
        connection.execute("ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER append_only")
        connection.execute("UPDATE ledger.head SET position = 0")

    run = permit_ledger("migrate")

    assert 0 == run.returncode
    assert {f"applied {name}" for name in older} == set(run.stdout.splitlines())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            '{"keys": [{"kty": "EC", "crv": "BP-256", "kid": "b", "x": "AAAA", "y": "AAAA"}]}',
            "(kid",
        ),
        ('{"keys": []}', "it is empty"),
        ("{}", "no JWK Set"),
        (None, "No such file"),
    ],
    ids=["unknown curve", "empty", "no set", "missing"],
)
def test_an_issuer_without_a_usable_key(empty_database, tmp_path, content, said):
    """No token could be verified: it says which setting, why, and what it should be."""
    file = tmp_path / "jwks.json"
    if content is not None:
        file.write_text(content)
    environment = {
        "PERMIT_LEDGER_DATABASE_URL": empty_database,
        "PERMIT_LEDGER_ISSUER": "https://issuer.example",
        "PERMIT_LEDGER_JWKS": str(file),
    }
    assert 0 == commands.permit_ledger(tmp_path, environment, "migrate").returncode

    run = commands.permit_ledger(tmp_path, environment, "api")

    assert_refused(run, "PERMIT_LEDGER_JWKS can't be used", said, "ES256", "public keys")
