"""A service whose database user may only serve; and the owner's ``migrate`` before it."""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg.conninfo import make_conninfo

from ledger.database.connections import connect
from tests.api.service import Caller, Json, Service


@pytest.fixture
def migrate(empty_database: str) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """``migrate()``: the command, as a user who owns the database unless named otherwise."""

    def migrate(**conninfo: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [
                *(sys.executable, "-m", "permit_ledger", "migrate"),
                *("--database-url", make_conninfo(empty_database, **conninfo)),
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return migrate


@pytest.fixture
def member(empty_database: str, new_login: Callable[..., str]) -> str:
    """The same database for a member of the service's role."""
    return make_conninfo(empty_database, user=new_login("IN ROLE permit_ledger_service"))


def test_migrate_reports_what_it_applied(migrate):
    """A line for each migration; the second time, that there is nothing to do."""
    first = migrate()

    assert (0, "") == (first.returncode, first.stderr)
    lines = first.stdout.splitlines()
    assert "applied ledger/0001_log.sql" == lines[0]
    assert all(line.startswith(("applied ledger/", "applied projections/")) for line in lines)
    second = migrate()
    assert (0, "nothing to apply: every migration is there\n") == (
        second.returncode,
        second.stdout,
    )


def test_two_concurrent_runs_apply_each_migration_once(migrate):
    """Two processes, as when two hosts are upgraded together."""
    with ThreadPoolExecutor(2) as hosts:
        runs = [run.result() for run in [hosts.submit(migrate), hosts.submit(migrate)]]

    assert [0, 0] == [run.returncode for run in runs]
    idle, busy = sorted((run.stdout for run in runs), key=len)
    assert ("nothing to apply: every migration is there\n", 1) == (
        idle,
        busy.count("applied ledger/0001_log.sql"),
    )


def test_migrate_needs_the_owner(migrate, new_login):
    """A sentence and exit code 1."""
    run = migrate(user=new_login())

    assert (1, "") == (run.returncode, run.stdout)
    assert "as the database's owner" in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr


def test_migrate_reports_an_unreachable_database(migrate):
    """Without a traceback."""
    run = migrate(host="/nowhere")

    assert 1 == run.returncode
    assert "permit-ledger:" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_service_does_not_start_on_an_unmigrated_database(
    member: str, make_service: Callable[[], Service]
):
    """It names the command to run first."""
    run = make_service().command("status", "--database-url", member)

    assert 1 == run.returncode
    assert "`permit-ledger migrate`" in " ".join(run.stderr.split())


def test_the_whole_service_runs_as_a_member(
    migrate,
    member: str,
    empty_database: str,
    make_service: Callable[[], Service],
    application: Callable[..., Json],
):
    """Its API, projector and command line, all of them logged in as that user."""
    assert 0 == migrate().returncode
    service = make_service().start("--database-url", member)
    registrar: Caller = service.caller("registrar", station="320211-01")

    issued = registrar.post("/v1/permits", application(), idempotency_key="k").json()
    read = registrar.get(
        f"/v1/permits/{issued['permit_number']}", min_position=issued["as_of_position"]
    )
    verifier: Caller = service.caller("verifier")
    card = {"track": "physical", "permit_number": issued["permit_number"], "card_serial": 1}
    checked = verifier.post("/v1/verifications", {"scenario": "patrol_inspection", **card})
    with connect(empty_database) as owner:
        seen = owner.execute(
            "SELECT DISTINCT application_name FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename LIKE 'login%'"
        ).fetchall()

    assert (200, 200) == (read.status_code, checked.status_code)
    status = service.command("status", "--json", "--database-url", member)
    assert (0, 1) == (json.loads(status.stdout)["lag_events"], json.loads(status.stdout)["checks"])
    assert {"permit-ledger project", "permit-ledger positions"} <= {name for (name,) in seen}
    assert 0 == service.stop()
