"""A log that a newer version has written to is refused by an older one, with a sentence."""

import pytest
from eventsourcing.persistence import StoredEvent

from ledger.errors import UnreadableTopics
from ledger.eventlog.append import Append
from permit_ledger.bootstrap.setup import prepare
from permit_ledger.csv_import.columns import template
from tests import commands
from tests.keks import keyring

UNKNOWN = "permit.renamed.v7"
COMMANDS = [
    ["api"],
    ["project"],
    ["up", "--empty"],
    ["status"],
    ["simulate", "--permits", "1", "--days", "1", "--seed", "1"],
    ["import", "permits.csv"],
]


@pytest.fixture
def newer(ledger):
    """Events of a future version, in the log."""
    for version in (1, 2, 3):
        ledger.log.append(Append([StoredEvent("7Q2M9K4T8XW5", version, UNKNOWN, b"{}")]))


@pytest.fixture
def permit_ledger(database_url, admin, tmp_path):
    """``permit_ledger("status", …)``: as an operator runs it, on the test's database and with a
    key-encryption key of its own."""
    admin.execute("DELETE FROM ledger.key_encryption_keys")
    key = tmp_path / "blind-index.key"
    key.write_text(bytes(range(32)).hex())
    (tmp_path / "permits.csv").write_text(template(), encoding="utf-8")
    environment = {
        "PERMIT_LEDGER_DATABASE_URL": database_url,
        "PERMIT_LEDGER_BLIND_INDEX_KEY_FILE": str(key),
        "PERMIT_LEDGER_DEVELOPMENT": "true",
    }

    def run(*arguments):
        return commands.permit_ledger(tmp_path, environment, *arguments)

    return run


@pytest.mark.usefixtures("newer")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_program_refuses_to_start(permit_ledger, admin, command):
    """Naming what it does not know; nothing is written."""
    run = permit_ledger(*command)

    assert 1 == run.returncode
    assert (
        "permit-ledger: this version can't read what the log holds:"
        f" {UNKNOWN} (events: 3, first position: 1)."
        " Run the version that wrote it, or a newer one."
    ) in run.stderr
    assert "Traceback" not in run.stderr
    assert "ready" not in run.stdout
    assert (3,) == admin.execute("SELECT position FROM ledger.head").fetchone()


def test_a_log_of_its_own_is_no_reason(permit_ledger):
    """What was refused above was refused for the topic."""
    run = permit_ledger("status")

    assert (0, "") == (run.returncode, run.stderr)


@pytest.mark.usefixtures("newer")
def test_preparing_a_database_looks_at_its_log(admin, blind_index):
    """Before the key: nothing is added to a log that is another version's."""
    admin.execute("DELETE FROM ledger.key_checks")

    with pytest.raises(UnreadableTopics, match=UNKNOWN):
        prepare(admin, blind_index, keyring())
    assert [] == admin.execute("SELECT * FROM ledger.key_checks").fetchall()
