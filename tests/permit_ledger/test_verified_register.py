"""``verify-log`` compares the register of holders with the log, on a machine that has the keys."""

import shutil

import pytest

from ledger.database.connections import connect
from tests import commands


@pytest.fixture
def permit_ledger(empty_database, tmp_path):
    """``permit_ledger("verify-log")``, on a log with a few people."""

    def run(*arguments):
        environment = {"PERMIT_LEDGER_DATABASE_URL": empty_database}
        return commands.permit_ledger(tmp_path, environment, *arguments)

    made = run("simulate", "--permits", "5", "--days", "30", "--seed", "7")
    assert 0 == made.returncode, made.stderr
    assert 0 == run("log-keys", "add").returncode
    return run


def test_a_register_as_the_log_makes_it_is_counted(permit_ledger):
    """Beside the trees."""
    verified = permit_ledger("verify-log")

    assert 0 == verified.returncode, verified.stdout
    [line] = [each for each in verified.stdout.splitlines() if each.startswith("register")]
    assert int(line.split()[3]) >= 5


def test_each_row_that_was_swapped_is_named(permit_ledger, empty_database):
    """The log is the one that was written, and the exit code is 1 nevertheless."""
    with connect(empty_database) as owner:
        rows = owner.execute(
            "SELECT holder_id, citizen_index FROM ledger.holders ORDER BY 1 LIMIT 2"
        ).fetchall()
        [(one, of_one), (other, of_other)] = rows
        for holder_id, index in ((one, None), (other, of_one), (one, of_other)):
            owner.execute(
                "UPDATE ledger.holders SET citizen_index = %s WHERE holder_id = %s",
                [index, holder_id],
            )

    verified = permit_ledger("verify-log")

    assert 1 == verified.returncode
    for holder_id in (one, other):
        assert f"register of holders: holder {holder_id}: citizen_index" in verified.stdout
    assert "NOT the register that the log makes: 2 rows differ" in verified.stdout
    assert "NOT the log" not in verified.stdout


def test_without_the_keys_it_is_not_compared_and_none_are_made(permit_ledger, tmp_path):
    """The command says so: the trees need no key."""
    keys = tmp_path / "data" / "keys"
    shutil.rmtree(keys / "key-encryption")
    (keys / "blind-index.key").unlink()

    verified = permit_ledger("verify-log")

    assert 0 == verified.returncode, verified.stdout
    assert "was not compared" in verified.stderr
    assert "register of holders" not in verified.stdout
    assert not (keys / "blind-index.key").exists()
    assert not (keys / "key-encryption").exists()
