"""Commands whose database can't be reached: one clear sentence each, and exit code 1."""

import pytest

from permit_ledger.csv_import.columns import template
from tests import commands

UNREACHABLE = "postgresql://owner:s3cr3t-Pa55word@127.0.0.1:9/permits"
COMMANDS = [
    ["status"],
    ["status", "--json"],
    ["migrate"],
    ["settle-due-dates"],
    ["keys", "list"],
    ["keys", "rotate"],
    ["quarantine", "list"],
    ["rebuild", "physical"],
    ["verify-log"],
    ["copy-log", "copy"],
    ["simulate", "--permits", "1", "--days", "1", "--seed", "1"],
    ["import", "permits.csv"],
    ["api"],
    ["project"],
    ["integrate"],
    ["analytics"],
    ["relay", "--kafka", "127.0.0.1:9"],
    ["up", "--empty"],
]


@pytest.fixture
def permit_ledger(tmp_path):
    """``permit_ledger(url, "status", …)``, with keys that are there."""
    (tmp_path / "permits.csv").write_text(template(), encoding="utf-8")
    (tmp_path / "verifiers").write_text("")

    def run(url, *arguments):
        environment = {
            "PERMIT_LEDGER_DATABASE_URL": url,
            "PERMIT_LEDGER_DEVELOPMENT": "true",
            "PERMIT_LEDGER_LOG_VERIFIERS_FILE": "verifiers",
        }
        return commands.permit_ledger(tmp_path, environment, *arguments)

    return run


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_nothing_listens_there(permit_ledger, command):
    run = permit_ledger(UNREACHABLE, *command)

    [line] = run.stderr.splitlines()
    assert 1 == run.returncode
    assert line.startswith("permit-ledger: The database can't be reached: ")
    assert "Connection refused" in line
    assert "check that PostgreSQL runs" in line
    assert "s3cr3t" not in line


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://permits.invalid/permits", "permits.invalid"),
        ("postgresql://127.0.0.1:many/permits", "port"),
        ("host=/nowhere dbname=permits", "No such file or directory"),
        ("no url at all", "looks like postgresql://USER@HOST:PORT/DATABASE"),
        ("postgresql://u:s3cr3t pass@host/x", "looks like postgresql://USER@HOST:PORT/DATABASE"),
    ],
)
def test_a_url_that_leads_nowhere(permit_ledger, url, said):
    run = permit_ledger(url, "status")

    [line] = run.stderr.splitlines()
    assert 1 == run.returncode
    assert said in line
    assert "s3cr3t" not in line


def test_a_database_that_is_not_there(permit_ledger, postgres_url):
    """In PostgreSQL's own words."""
    run = permit_ledger(postgres_url.replace("dbname=permit_ledger", "dbname=nothing"), "status")

    [line] = run.stderr.splitlines()
    assert 1 == run.returncode
    assert 'database "nothing" does not exist' in line


def test_a_user_without_rights(permit_ledger, database_url, new_login):
    """Which one it is, and what it lacks."""
    run = permit_ledger(database_url.replace("user=postgres", f"user={new_login()}"), "status")

    [line] = run.stderr.splitlines()
    assert 1 == run.returncode
    assert "permit_ledger_service" in line
