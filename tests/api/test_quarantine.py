"""Quarantined permits: what operators see of them, and their release."""

import json
import os

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.api.service import Caller
from tests.waiting import until

PATH = "/v1/operations/quarantine"
BROKEN = b'{"name": "secret"'
PARK = """
    INSERT INTO views.quarantine (permit_number, position, version, topic, found_by, reason, trace)
    SELECT stream, position, version, topic, 'projector', 'a reason', 'a place in the code'
    FROM ledger.events WHERE stream = %s AND version = 2
"""
VALUES = """
    SELECT state FROM ledger.events WHERE stream = %s AND version = 2
"""


@pytest.fixture
def alter(service):
    """``alter(statement, …)``: as only the log's owner can."""

    def alter(statement, *parameters):
        with psycopg.connect(service.database_url) as owner:
            owner.execute("ALTER TABLE ledger.events DISABLE TRIGGER append_only")
            owner.execute(statement, parameters)
            owner.execute("ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER append_only")

    return alter


@pytest.fixture
def lost(issue, registrar, read):
    """The number of a permit with two events, seen by the views."""
    number = issue()["permit_number"]
    read(registrar.post(f"/v1/permits/{number}/loss-reports").json())
    return number


@pytest.fixture
def parked(lost, alter, service, operator):
    """Its number, once it is quarantined; repaired at the end, whatever the test did."""
    [(good,)] = service.rows(VALUES, lost)
    alter(PARK, lost)
    yield lost
    alter("UPDATE ledger.events SET state = %s WHERE stream = %s AND version = 2", good, lost)
    assert operator.post(f"{PATH}/{lost}/retries").status_code in {200, 404}


@pytest.fixture
def spoil(parked, alter):
    """``spoil()``: make its second event unreadable."""
    change = "UPDATE ledger.events SET state = %s WHERE stream = %s AND version = 2"
    return lambda: alter(change, BROKEN, parked)


def row_of(number, operator):
    answer = operator.get(PATH)
    assert 200 == answer.status_code
    return next((p for p in answer.json()["permits"] if p["permit_number"] == number), None)


def test_an_operator_sees_each_permit_in_quarantine_and_the_reason(operator, parked):
    """By position, with the number of events that wait."""
    row = row_of(parked, operator)

    assert {"version": 2, "events_waiting": 1, "retries": 0, "retried_at": None}.items() <= set(
        row.items()
    )
    assert ("projector", "a reason") == (row["found_by"], row["reason"])
    assert "permit.card-reported-lost.v2" == row["topic"]
    assert operator.get(PATH).json()["as_of_position"] >= row["position"]


def test_a_retry_releases_the_permit(operator, registrar, parked):
    """A second retry finds nothing to do."""
    path = f"{PATH}/{parked}/retries"

    answer = operator.post(path)

    assert (200, True, None) == (
        answer.status_code,
        answer.json()["released"],
        answer.json()["reason"],
    )
    assert row_of(parked, operator) is None
    assert "reported_lost" in registrar.get(f"/v1/permits/{parked}").text
    again = operator.post(path)
    assert (404, "UNKNOWN_PERMIT") == (again.status_code, again.json()["code"])


def test_a_failed_retry_returns_the_reason(operator, parked, spoil):
    """200, and not released; it is counted."""
    spoil()

    answer = operator.post(f"{PATH}/{parked}/retries")

    assert (200, False) == (answer.status_code, answer.json()["released"])
    row = row_of(parked, operator)
    assert (1, answer.json()["reason"]) == (row["retries"], row["reason"])
    assert answer.json()["reason"].endswith("does not hold a JSON object")
    assert "secret" not in json.dumps(row)


def test_a_permit_that_is_not_in_quarantine_is_not_found(subtests, operator):
    """Whether the permit exists or not."""
    for number in ["000000000000", "nonsense", "%00", "居住证"]:
        with subtests.test(number=number):
            answer = operator.post(f"{PATH}/{number}/retries")

            assert (404, "UNKNOWN_PERMIT") == (answer.status_code, answer.json()["code"])


# -- the command line --------------------------------------------------------------------------


def test_the_commands_list_show_and_retry(service, parked):
    """The reason, the position, and what to do."""
    listed = service.command("quarantine", "list", "--json")
    table = service.command("quarantine", "list")
    shown = service.command("quarantine", "show", parked)
    retried = service.command("quarantine", "retry", parked)

    assert parked in [p["permit_number"] for p in json.loads(listed.stdout)["permits"]]
    assert parked in table.stdout
    assert "a place in the code" in shown.stdout
    assert f"permit-ledger quarantine retry {parked}" in shown.stdout
    assert (0, True) == (retried.returncode, f"{parked}: released" in retried.stdout)


def test_a_failed_retry_command_names_the_cause(service, parked, spoil):
    """Exit code 1, for one permit as for all; once repaired, 0."""
    spoil()

    one = service.command("quarantine", "retry", parked)
    everyone = service.command("quarantine", "retry", "--all")

    assert [1, 1] == [one.returncode, everyone.returncode]
    for run in (one, everyone):
        assert f"{parked}: quarantined at position" in run.stderr
        assert f"permit-ledger quarantine show {parked}" in run.stderr


def test_all_quarantined_permits_can_be_retried(service, parked):
    run = service.command("quarantine", "retry", "--all")

    assert f"{parked}: released" in run.stdout
    assert not [
        n for (n,) in service.rows("SELECT permit_number FROM views.quarantine") if n == parked
    ]


@pytest.mark.parametrize("command", ["show", "retry"])
def test_the_command_refuses_a_permit_that_is_not_in_quarantine(service, command):
    """And names the command that lists them."""
    run = service.command("quarantine", command, "000000000000")

    assert 1 == run.returncode
    assert "permit-ledger quarantine list" in run.stderr


def test_the_retry_command_needs_one_permit_or_all(service, parked):
    """Neither and both are usage errors."""
    assert 2 == service.command("quarantine", "retry").returncode
    assert 2 == service.command("quarantine", "retry", parked, "--all").returncode


# -- metrics and status ------------------------------------------------------------------------


def metrics(http):
    families = text_string_to_metric_families(http.get("/metrics").text)
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_quarantined_permits_are_counted(service, http, parked):
    """In the metrics, and in the status, which names the first few."""
    assert metrics(http)["permit_ledger_quarantined_permits"] >= 1
    assert 1 == metrics(http)["permit_ledger_projectors"]

    status = service.status()
    assert status["quarantined_permits"] >= 1
    assert 1 <= len(status["quarantine"]) <= 5
    assert {"permit_number", "reason"} == set(status["quarantine"][0])
    assert "permits in quarantine" in service.command("status").stdout


@pytest.fixture
def audited(make_service):
    """A service whose auditor runs."""
    service = make_service()
    service.launch(environment=os.environ | {"PERMIT_LEDGER_AUDIT_PERMITS_PER_S": "5"})
    return service.wait_until_ready()


def test_a_changed_row_is_found_by_the_service_itself(audited, application):
    """It is quarantined soon, with its number; a retry makes the row again from the log. The city
    is so small that every permit is soon audited."""
    with httpx.Client(base_url=audited.url, timeout=30) as http:
        registrar, operator = (Caller.with_token(http, role) for role in ("registrar", "operator"))
        issued = registrar.post("/v1/permits", application()).json()
        number, position = issued["permit_number"], issued["as_of_position"]
        registrar.get(f"/v1/permits/{number}", min_position=position)
        before = metrics(http)["permit_ledger_audit_differences"]
        change = "UPDATE views.physical_permits SET years = 9 WHERE permit_number = %s"
        with psycopg.connect(audited.database_url) as owner:
            owner.execute(change, [number])

        until(lambda: row_of(number, operator), wait_s=60)

        found = row_of(number, operator)
        assert "not what the log makes of it: physical.years" == found["reason"]
        assert metrics(http)["permit_ledger_audit_differences"] > before
        until(lambda: metrics(http)["permit_ledger_audited_permits"] > 0, wait_s=30)
        assert operator.post(f"{PATH}/{number}/retries").json()["released"]
        assert [(1,)] == audited.rows(
            "SELECT years FROM views.physical_permits WHERE permit_number = %s", number
        )
