"""The log of a running service: every request is in it, and no personal data."""

import json

from ledger.database.connections import connect

TOKEN_BEGINS = "eyJ"


def test_the_log_of_a_service_contains_no_personal_data(
    make_service, application, monkeypatch, capfd
):
    """Whatever the request, and however it is spelled."""
    monkeypatch.setenv("PERMIT_LEDGER_LOG_LEVEL", "info")
    service = make_service().start()
    registrar = service.caller("registrar")
    body = application()
    name, number = (body["holder"][field] for field in ("name", "citizen_id_number"))
    issued = registrar.post("/v1/permits", body, idempotency_key=f"issue-{number}")
    permit = issued.json()["permit_number"]
    registrar.post("/v1/permits", {**body, name: number}, x_correlation_id=f"c-{number}")
    read = {"min_position": issued.json()["as_of_position"]}
    assert 200 == registrar.get(f"/v1/permits/{permit}", **read).status_code
    registrar.get(f"/{number}/{name}")
    with connect(service.database_url) as operator:  # an unexpected error
        operator.execute(
            "ALTER TABLE views.physical_permits RENAME COLUMN portrait_version TO gone"
        )
    unexpected = registrar.get(f"/v1/permits/{permit}/physical")

    service.stop()

    log = capfd.readouterr().err
    said = log.splitlines()  # a start that takes its time says so, in words
    lines = [json.loads(line) for line in said if not line.startswith("permit-ledger: waiting")]
    requests = {line["route"]: line for line in lines if line["event"] == "request"}
    assert {"/v1/permits", "/v1/permits/{permit_number}", "unknown"} <= set(requests)
    assert 500 == unexpected.status_code
    found = [
        line
        for line in lines
        if line.get("correlation_id") == unexpected.headers["X-Correlation-ID"]
    ]
    assert {"request", "unexpected"} == {line["event"] for line in found}
    assert "psycopg.errors.UndefinedColumn (42703)" in log
    spellings = [name, json.dumps(name)[1:-1], number, permit, TOKEN_BEGINS, "gone"]
    assert [] == [spelling for spelling in spellings if spelling in log]
    assert "[withheld]" not in str(requests)
