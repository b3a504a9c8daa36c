"""The database goes away: nothing that was acknowledged is lost, and the rest may be tried again."""

import pytest

ENOUGH = 40
TURNS = 3
END_ALL_OTHER_CONNECTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


def test_lost_connections_are_opened_again(running, writers, eventually, assert_nothing_lost):
    """All of them are ended under load, more than once; nobody has to start anything anew."""
    roles = [running.role("api"), running.role("project")]
    with writers:
        for _ in range(TURNS):
            eventually(writers.have(ENOUGH))
            assert running.rows(END_ALL_OTHER_CONNECTIONS)
        eventually(writers.have(ENOUGH))

    assert_nothing_lost(writers)
    assert {status for *_, status in writers.open} <= {503}
    assert roles == [running.role("api"), running.role("project")]


def test_checks_work_again_after_lost_connections(running, application, eventually, together):
    """The one connection that learns of the views' position is opened again as well."""
    registrar, verifier = running.caller("registrar"), running.caller("verifier")
    number = registrar.post("/v1/permits", application()).json()["permit_number"]
    body = {"scenario": "patrol_inspection", "track": "physical"}
    body |= {"permit_number": number, "card_serial": 1}
    assert running.rows(END_ALL_OTHER_CONNECTIONS)

    def outcomes():
        answers = together(8, lambda _: verifier.post("/v1/verifications", body))
        return {(answer.status_code, answer.json().get("outcome")) for answer in answers}

    eventually(lambda: outcomes() == {(200, "effective")})
    written = registrar.post(f"/v1/permits/{number}/loss-reports").json()
    seen = registrar.get(f"/v1/permits/{number}", min_position=written["as_of_position"])
    assert (200, 2) == (seen.status_code, seen.json()["version"])


def test_without_its_database_the_service_says_try_again(running, application, together):
    """503 with Retry-After for reads, writes and readiness; it is alive all the while."""
    registrar = running.caller("registrar")
    permit = registrar.post("/v1/permits", application()).json()
    for process in running.database_server():
        process.kill()
    asks = [
        lambda: registrar.post("/v1/permits", application()),
        lambda: registrar.get(f"/v1/permits/{permit['permit_number']}"),
        lambda: registrar.get("/readyz"),
        lambda: registrar.get("/metrics"),
        lambda: registrar.get("/healthz"),
    ]

    answers = together(len(asks), lambda number: asks[number]())

    assert [503, 503, 503, 200, 200] == [answer.status_code for answer in answers]
    assert ["UNAVAILABLE"] * 3 == [answer.json()["code"] for answer in answers[:3]]
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers[:3])
    assert "out of reach" in answers[0].json()["detail"]


@pytest.mark.parametrize("method", ["stop", "kill"])
def test_after_an_outage_a_new_start_has_what_was_acknowledged(running, application, method):
    """However the service without its database was ended."""
    permit = running.caller("registrar").post("/v1/permits", application()).json()
    for process in running.database_server():
        process.kill()
    getattr(running, method)()

    running.start()

    seen = running.caller("registrar").get(f"/v1/permits/{permit['permit_number']}")
    assert (200, permit["holder_id"]) == (seen.status_code, seen.json()["holder_id"])
