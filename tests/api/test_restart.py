"""Killed and started again: what was acknowledged is there, everything else may be retried."""

import os
import signal

import psutil
import pytest

from tests.api.writers import WRITERS

ENOUGH = 40


@pytest.fixture
def permit(battered, application):
    return battered.caller("registrar").post("/v1/permits", application()).json()


def test_a_service_killed_during_writes_has_every_acknowledged_permit(
    battered, writing, eventually
):
    """Retries of everything else result in one permit a person."""
    with writing(battered) as writers:
        eventually(writers.have(ENOUGH))
        battered.kill()
        eventually(lambda: len(writers.open) >= WRITERS)

    battered.start()

    eventually(battered.is_in_step)
    assert {} == writers.missing()
    assert battered.log_is_contiguous()
    registrar = battered.caller("registrar")
    for person, key, _ in writers.open:
        retried = registrar.post("/v1/permits", person, idempotency_key=key)
        assert 201 == retried.status_code
        position = retried.json()["as_of_position"]
        body = {"citizen_id_number": person["holder"]["citizen_id_number"]}
        found = registrar.post(f"/v1/permits/searches?min_position={position}", body).json()
        assert [retried.json()["permit_number"]] == [p["permit_number"] for p in found["permits"]]


def test_a_service_killed_during_its_first_start_starts_again(make_service, eventually):
    """An incomplete database is created again."""
    service = make_service()
    service.launch()
    eventually((service.data_dir / "postgresql" / "PG_VERSION").exists)
    os.killpg(service.process.pid, signal.SIGKILL)
    service.process.wait()

    service.start()

    assert 0 == service.status()["log_position"]


def test_the_roles_of_a_killed_supervisor_end(battered, permit, eventually, gone):
    """By themselves; a new ``up`` on the same folder and port continues."""
    roles = [battered.role("api"), battered.role("project")]

    battered.process.kill()

    eventually(lambda: gone(roles))
    battered.start()
    seen = battered.caller("registrar").get(f"/v1/permits/{permit['permit_number']}")
    assert (200, permit["holder_id"]) == (seen.status_code, seen.json()["holder_id"])


def test_a_new_service_takes_over_at_once_from_a_killed_supervisor(battered, permit):
    """While the roles of the old one are still ending."""
    battered.process.kill()
    battered.process.wait()

    battered.start()

    seen = battered.caller("registrar").get(f"/v1/permits/{permit['permit_number']}")
    assert 200 == seen.status_code


@pytest.mark.parametrize("role", ["project", "api"])
def test_a_killed_role_is_started_again(battered, writing, eventually, role):
    """By the supervisor, while the others keep running; the views catch up."""
    killed, server = battered.role(role), battered.database_server()[0]

    def is_another():
        try:
            return battered.role(role) != killed
        except (StopIteration, psutil.NoSuchProcess, psutil.ZombieProcess):
            return False

    with writing(battered) as writers:
        eventually(writers.have(ENOUGH))
        killed.kill()
        eventually(is_another)
        eventually(writers.have(ENOUGH))

    eventually(battered.is_in_step)
    assert {} == writers.missing()
    assert battered.log_is_contiguous()
    assert battered.database_server()[0] == server


def test_a_second_service_on_the_same_folder_is_refused(service, make_service, http):
    """With a sentence and exit code 1; the first keeps running."""
    port = make_service().port

    run = service.command("up", "--empty", "--port", str(port))

    assert 1 == run.returncode
    assert "another service runs on" in run.stderr
    assert "Traceback" not in run.stderr
    assert 200 == http.get("/readyz").status_code


def test_a_taken_port_is_refused(service, make_service):
    """With a sentence and exit code 1, after a moment in which it might have become free."""
    run = make_service().command("up", "--empty", "--port", str(service.port))

    assert 1 == run.returncode
    assert f"port {service.port} is taken" in run.stderr
    assert "Traceback" not in run.stderr
