"""The database is lost: nothing acknowledged is lost, and everything else may be retried."""

ENOUGH = 40
TURNS = 3
END_ALL_OTHER_CONNECTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


def test_lost_connections_are_opened_again(battered, writing, eventually):
    """All are closed under load, several times; the service recovers without a restart."""
    roles = [battered.role("api"), battered.role("project")]
    with writing(battered) as writers:
        for _ in range(TURNS):
            eventually(writers.have(ENOUGH))
            assert battered.rows(END_ALL_OTHER_CONNECTIONS)
        eventually(writers.have(ENOUGH))

    eventually(battered.is_in_step)
    assert {} == writers.missing()
    assert battered.log_is_contiguous()
    assert {status for *_, status in writers.open} <= {503}
    assert roles == [battered.role("api"), battered.role("project")]
    registrar = battered.caller("registrar")
    for person, key, _ in writers.open:
        assert 201 == registrar.post("/v1/permits", person, idempotency_key=key).status_code


def test_checks_and_reads_work_again_after_lost_connections(
    battered, application, eventually, together
):
    """The connection that is notified of the views' position is opened again as well."""
    registrar, verifier = battered.caller("registrar"), battered.caller("verifier")
    number = registrar.post("/v1/permits", application()).json()["permit_number"]
    body = {"scenario": "patrol_inspection", "track": "physical"}
    body |= {"permit_number": number, "card_serial": 1}
    assert battered.rows(END_ALL_OTHER_CONNECTIONS)

    def outcomes():
        answers = together(8, lambda _: verifier.post("/v1/verifications", body))
        return {(answer.status_code, answer.json().get("outcome")) for answer in answers}

    eventually(lambda: outcomes() == {(200, "effective")})
    written = registrar.post(f"/v1/permits/{number}/loss-reports").json()
    seen = registrar.get(f"/v1/permits/{number}", min_position=written["as_of_position"])
    assert (200, 2) == (seen.status_code, seen.json()["version"])


def test_without_its_database_the_service_answers_503_until_it_is_restarted(
    battered, application, together
):
    """503 with Retry-After for reads, writes and readiness; the service stays alive."""
    registrar = battered.caller("registrar")
    permit = registrar.post("/v1/permits", application()).json()
    path = f"/v1/permits/{permit['permit_number']}"
    for process in battered.database_server():
        process.kill()
    asks = [
        lambda: registrar.post("/v1/permits", application()),
        lambda: registrar.get(path),
        lambda: registrar.get("/readyz"),
        lambda: registrar.get("/metrics"),
        lambda: registrar.get("/healthz"),
    ]

    answers = together(len(asks), lambda number: asks[number]())

    assert [503, 503, 503, 200, 200] == [answer.status_code for answer in answers]
    assert ["UNAVAILABLE"] * 3 == [answer.json()["code"] for answer in answers[:3]]
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers[:3])
    assert 0 == battered.stop()
    seen = battered.start().caller("registrar").get(path)
    assert (200, permit["holder_id"]) == (seen.status_code, seen.json()["holder_id"])
