"""Operations: health, readiness, metrics, keys, the development clock."""

from datetime import UTC, datetime, timedelta

import pytest
from joserfc.jwk import KeySet
from prometheus_client.parser import text_string_to_metric_families

NEAR = timedelta(seconds=30)


@pytest.fixture
def metrics(http):
    """``metrics()``: every sample of a scrape."""

    def scrape():
        answer = http.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/plain")
        families = text_string_to_metric_families(answer.text)
        return [sample for family in families for sample in family.samples]

    return scrape


def test_healthz_reports_that_the_service_is_alive(http):
    """Without a token."""
    answer = http.get("/healthz")

    assert (200, {"status": "alive"}) == (answer.status_code, answer.json())


def test_readyz_reports_positions_and_lag(http, registrar, application, read):
    """Of the log and the views."""
    read(registrar.post("/v1/permits", application()).json())

    answer = http.get("/readyz")

    ready = answer.json()
    assert (200, True) == (answer.status_code, ready["ready"])
    assert ready["log_position"] - ready["views_position"] == ready["lag_events"]
    assert ready["log_position"] > 0


def test_the_index_lists_addresses_that_answer(http):
    index = http.get("/").json()

    addresses = [value for value in index.values() if value.startswith("/")]
    assert {"/openapi.json", "/healthz", "/readyz", "/metrics"} <= set(addresses)
    assert {200} == {http.get(address).status_code for address in addresses}


def test_the_public_keys_are_public_only(http):
    """A JWK set with key ids and no private part."""
    document = http.get("/.well-known/jwks.json").json()

    assert {"keys"} == set(document)
    for key in document["keys"]:
        assert {"kty", "crv", "x", "y", "kid"} <= set(key)
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(key)
    assert KeySet.import_key_set(document).keys


def test_metrics_count_requests_by_route_and_status(metrics, registrar):
    """The route's pattern, never the number in it."""
    labels = {"method": "GET", "route": "/v1/permits/{permit_number}", "status": "404"}
    name = "permit_ledger_http_requests_total"

    def count():
        found = [s.value for s in metrics() if (s.name, s.labels) == (name, labels)]
        return sum(found)

    before = count()
    registrar.get("/v1/permits/000000000000")

    assert before + 1 == count()


def test_metrics_report_positions_and_durations(metrics, issue, read):
    """Of the log and the views."""
    permit = issue()
    read(permit)

    values = {sample.name: sample.value for sample in metrics()}

    assert permit["as_of_position"] <= values["permit_ledger_log_position"]
    assert permit["as_of_position"] <= values["permit_ledger_views_position"]
    assert 0 == values["permit_ledger_views_lag_events"]
    assert values["permit_ledger_http_request_seconds_count"] > 0


def test_no_label_holds_a_number_or_a_name(metrics, http, registrar, issue):
    """Neither of permits nor of paths that do not exist."""
    number = issue()["permit_number"]
    registrar.get(f"/v1/permits/{number}")
    registrar.get(f"/v1/permits/{number}/nothing/here")
    http.get(f"/{number}")
    http.request("DELETE", f"/v1/permits/{number}")

    values = {value for sample in metrics() for value in sample.labels.values()}

    assert not [value for value in values if number in value]


def test_the_clock_is_set_and_runs_on(at, http):
    """The answer is the instant, a moment later."""
    at("2031-05-06T07:08:09+08:00")

    now = datetime.fromisoformat(http.get("/v1/dev/clock").json()["now"])

    set_to = datetime(2031, 5, 5, 23, 8, 9, tzinfo=UTC)
    assert set_to <= now < set_to + NEAR


def test_the_clock_accepts_digits_beyond_microseconds(at, http):
    """Queries and bodies parse instants with the same code."""
    at("2031-05-06")

    answer = http.put("/v1/dev/clock", json={"now": "2031-05-06t07:08:09.1234567z"})

    assert answer.json()["now"].startswith("2031-05-06T07:08:")


def test_an_invalid_instant_does_not_change_the_clock(subtests, at, http):
    """Without an offset, out of range in UTC, or no instant at all."""
    for now in [
        None,
        "",
        "2026-12-20T09:00:00 08:00",
        "soon",
        "2026-12-20",
        "2026-12-20T09:00:00",
        "1999-12-31T23:59:59+00:00",
        "2100-01-01T00:00:00+00:00",
        "2000-01-01T00:00:00+08:00",
        "2099-12-31T23:59:59-08:00",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-12:00",
        "2026-02-30T00:00:00Z",
        1e308,
        -1,
    ]:
        with subtests.test(now=now):
            at("2031-05-06")

            answer = http.put("/v1/dev/clock", json={"now": now})

            assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])
            assert http.get("/v1/dev/clock").json()["now"].startswith("2031-05-06T01:00")


def test_an_invalid_token_request_is_refused(subtests, http):
    """A holder needs an id; what is not in the schema is refused."""
    for body in [
        {},
        {"role": "mayor"},
        {"role": "holder"},
        {"role": "holder", "holder_id": ""},
        {"role": "holder", "holder_id": "x" * 201},
        {"role": "holder", "holder_id": "two\nlines"},
        {"role": "registrar", "station": "\u0000"},
        {"role": "verifier", "scenarios": ["x"] * 51},
        {"role": "verifier", "scenarios": "patrol_inspection"},
        {"role": "registrar", "scope": "everything"},
    ]:
        with subtests.test(body=body):
            answer = http.post("/v1/dev/tokens", json=body)

            assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])


def test_a_token_response_has_its_lifetime(http):
    """RFC 6749 §5.1."""
    token = http.post("/v1/dev/tokens", json={"role": "verifier"}).json()

    assert {"access_token", "token_type", "expires_in"} == set(token)
    assert "Bearer" == token["token_type"]
    assert token["expires_in"] > 0


def test_a_correlation_id_is_returned_and_stored_with_the_event(service, registrar, application):
    """The caller's own, from the request to the log."""
    given = "counter-7:2026.11_23-a"

    answer = registrar.post("/v1/permits", application(), x_correlation_id=given)

    assert given == answer.headers["X-Correlation-ID"]
    assert given == service.event(answer.json()["as_of_position"])["correlation_id"]


@pytest.mark.parametrize(
    "given",
    [
        "990000199001010017",
        "issue:9900001990-0101-0017.b",
        "99000019900101011x",
        "a-3_2_0_2_1_1_1_9_9_0_0_1_0_1_0_0_1_X",
        "20261123095959990000199001010017",
    ],
)
def test_a_correlation_id_that_may_be_a_citizen_number_is_replaced(
    service, registrar, application, given
):
    """However it is spelled: it would stay in the log for ever."""
    answer = registrar.post("/v1/permits", application(), x_correlation_id=given)

    kept = service.event(answer.json()["as_of_position"])["correlation_id"]
    assert kept == answer.headers["X-Correlation-ID"]
    assert 32 == len(bytes.fromhex(kept)) * 2


@pytest.mark.parametrize(
    "given",
    [
        "01234567-8901-4234-8567-89012345678a",
        "0123456789014234856789012345678a",
        "0af7651916cd43dd8448eb211c80319c",
        "2026-11-23.counter-7:000001",
    ],
)
def test_a_correlation_id_with_many_digits_is_kept(http, given):
    """A UUID sometimes has eighteen in a row."""
    answer = http.get("/healthz", headers={"X-Correlation-ID": given})

    assert given == answer.headers["X-Correlation-ID"]


@pytest.mark.parametrize(
    "given", ["x" * 65, "two words", "a=b;c", "<script>", "\u00fc", "eyJhbGciOiJFUzI1NiJ9.e30", ""]
)
def test_a_correlation_id_of_another_form_is_replaced(http, given):
    """By a generated one: it is written to logs."""
    headers = {"X-Correlation-ID": given.encode("latin-1")}

    answer = http.get("/healthz", headers=headers)

    assert answer.headers["X-Correlation-ID"]
    assert given != answer.headers["X-Correlation-ID"]
    assert answer.headers["X-Correlation-ID"].isalnum()
