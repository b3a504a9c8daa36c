"""Checks against remote views fed from a topic: their age, and when they are refused."""

import json
import os
import subprocess
import sys
from contextlib import closing, contextmanager
from datetime import datetime

import httpx
import psycopg
import pytest
from joserfc import jws
from joserfc.jwk import KeySet
from psycopg.conninfo import make_conninfo

from domain.calendar import shanghai_date
from domain.standing import Facts, Standing
from domain.verification import verify_card
from ledger.commands.blocking import BlockingLedger
from ledger.database.connections import as_service, connect
from permit_ledger.bootstrap.setup import bring_up_to_date
from projections.remote.source import begin, claim
from tests.api.conftest import free_port
from tests.api.service import Caller
from tests.conftest import TEMPLATE
from tests.kafka.growing import grow
from tests.kafka.remote import FED, FEED, PARTITIONS, rows, taken_of
from tests.keks import keyring
from tests.waiting import until

WAIT_S = 60
STALE = (
    "UPDATE views.feed_partitions SET in_step_at = clock_timestamp() - make_interval(secs => %s)"
)
SCENARIO = "patrol_inspection"
PERMIT = "84G7ZWYRD6Z1"


@pytest.fixture(scope="module")
def databases(postgres_url, blind_index, policy):
    """A ledger with a log, and the URL of the remote views that workers made of it."""
    names = ("far_ledger", "far_views")
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        for name, template in zip(names, (TEMPLATE, "template0"), strict=True):
            admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        here, there = (make_conninfo(postgres_url, dbname=name) for name in names)
        with closing(
            BlockingLedger(as_service(here), blind_index=blind_index, keyring=keyring())
        ) as ledger:
            grow(ledger, policy, 40)
            feed(ledger, there)
            yield ledger, there
        for name in names:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def feed(ledger, url):
    with connect(url) as owner:
        bring_up_to_date(owner)
    events = ledger.events(1, 10_000)
    taken = [taken_of(stored, offset) for offset, stored in enumerate(events)]
    with connect(as_service(url)) as connection:
        begin(connection, FEED, PARTITIONS)
        used = {each.partition for each in taken}
        claimed = claim(connection, range(PARTITIONS))
        epochs = {each.partition: each.epoch for each in claimed if each.partition in used}
        FED.apply(connection, epochs, taken)


@pytest.fixture
def ledger(databases):
    return databases[0]


@pytest.fixture
def remote_url(databases):
    """In step with the topic, and no permit is in quarantine."""
    _, url = databases
    with connect(url) as connection:
        connection.execute(STALE, [0])
        connection.execute("TRUNCATE views.quarantine")
    return url


@pytest.fixture(scope="module")
def commanded(databases, tmp_path_factory):
    """The environment of commands on the remote database."""
    return {
        **os.environ,
        "PERMIT_LEDGER_DATABASE_URL": databases[1],
        "PERMIT_LEDGER_DATA_DIR": str(tmp_path_factory.mktemp("far")),
        "PERMIT_LEDGER_DEVELOPMENT": "true",
        "PERMIT_LEDGER_LOG_LEVEL": "error",
        "COLUMNS": "200",
    }


@pytest.fixture(scope="module")
def http(commanded):
    """``permit-ledger api`` with the remote views."""
    with serving(commanded) as client:
        yield client


@contextmanager
def serving(environment, *options):
    port = free_port()
    command = [sys.executable, "-m", "permit_ledger", "api", "--port", str(port), *options]
    process = subprocess.Popen(command, env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            until(lambda: _is_alive(client), wait_s=WAIT_S)
            yield client
    finally:
        process.terminate()
        process.wait(20)


def _is_alive(client):
    try:
        return client.get("/healthz").is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def verifier(http):
    return Caller.with_token(http, "verifier")


@pytest.fixture
def check(verifier):
    def check(number, serial=1, scenario=SCENARIO):
        body = {
            "scenario": scenario,
            "track": "physical",
            "permit_number": number,
            "card_serial": serial,
        }
        answer = verifier.post("/v1/verifications", body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return check


@pytest.fixture
def now(http):
    return lambda: shanghai_date(_instant(http.get("/v1/dev/clock").json()["now"]))


def _instant(text):
    return datetime.fromisoformat(text)


def on_record(url):
    with connect(url) as connection:
        found = connection.execute("SELECT state FROM ledger.checks ORDER BY position").fetchall()
    return [json.loads(state) for (state,) in found]


def test_a_card_gets_the_ledgers_answer(remote_url, ledger, check, now):
    """Every permit, its current card and the one before; no personal data in any answer."""
    reasons = set()
    for number, row in rows(remote_url, "physical_permits").items():
        for serial in {row["card_serial"], 1}:
            standing = Standing(Facts.of(ledger.permit(number)), now())
            expected = verify_card(standing, serial).reason
            answer = check(number, serial)
            assert expected == answer["reason"]
            reasons.add(answer["reason"])
            shown = {"valid_until": standing.valid_until.isoformat(), "card_serial": serial}
            assert ({} if answer["reason"] else shown) == answer["permit"]
            assert (True, "held_centrally") == (answer["remote"], answer["personal_data"])
            assert 0 <= answer["stale_s"] < WAIT_S
            assert answer["as_of_position"] > 0
    assert None in reasons
    assert len(reasons) > 2


def test_views_older_than_the_policy_allows_refuse_checks(remote_url, check, http, policy):
    """For every number, also unknown ones; and the service reports that it is not ready."""
    number = next(iter(rows(remote_url, "physical_permits")))
    assert http.get("/readyz").status_code == 200

    with connect(remote_url) as connection:
        connection.execute(STALE, [policy.remote_staleness_max_s + 1])
    answer = check(number)
    assert ("not_effective", "undetermined") == (answer["outcome"], answer["reason"])
    assert answer["stale_s"] > policy.remote_staleness_max_s
    assert 503 == http.get("/readyz").status_code

    with connect(remote_url) as connection:
        connection.execute(STALE, [-policy.remote_staleness_max_s])  # its clock was set back
    assert "undetermined" == check(number)["reason"]
    assert 503 == http.get("/readyz").status_code

    with connect(remote_url) as connection:
        connection.execute("UPDATE views.feed_partitions SET in_step_at = NULL")
    answer = check(number)
    assert ("undetermined", None) == (answer["reason"], answer["stale_s"])
    assert 503 == http.get("/readyz").status_code


def test_a_quarantined_permit_is_undetermined(remote_url, check):
    number = next(iter(rows(remote_url, "physical_permits")))
    with connect(remote_url) as connection:
        connection.execute(
            "INSERT INTO views.quarantine VALUES (%s, 9, 9, 'x', 'projector', 'bad', '')", [number]
        )

    assert "undetermined" == check(number)["reason"]


def test_an_electronic_permit_is_never_effective_here(verifier):
    """Its code can be used only where it was issued."""
    body = {"scenario": SCENARIO, "track": "electronic", "code": "3ZQ8K5V0N1C7W2RXG4T9J6MEHA"}
    answer = verifier.post("/v1/verifications", body).json()
    assert ("not_effective", "undetermined") == (answer["outcome"], answer["reason"])


def test_an_invalid_number_and_a_forbidden_scenario(check, remote_url):
    number = next(iter(rows(remote_url, "physical_permits")))
    assert "unknown_permit" == check("990000199001010017")["reason"]
    assert "scenario_not_allowed" == check(number, scenario="fishing")["reason"]


def test_every_check_is_recorded_here(remote_url, check, http):
    """Refused ones too; a citizen ID number in the wrong field is not kept; each has its
    receipt."""
    number = next(iter(rows(remote_url, "physical_permits")))
    answers = [check(number), check(number, 99), check("990000199001010017")]

    kept = on_record(remote_url)[-len(answers) :]
    assert [each["check_id"] for each in answers] == [each["check_id"] for each in kept]
    assert [number, number, None] == [each["permit_number"] for each in kept]
    keys = KeySet.import_key_set(http.get("/.well-known/jwks.json").json())
    for answer in answers:
        signed = jws.deserialize_compact(answer["receipt"], keys, algorithms=["ES256"])
        claims = json.loads(signed.payload)
        assert (answer["check_id"], True) == (claims["check_id"], claims["remote"])


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/permits"), ("GET", "/v1/permits/84G7ZWYRD6Z1"), ("GET", "/v1/me/permit")],
)
def test_nothing_else_is_served(http, method, path):
    assert 404 == http.request(method, path).status_code


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, {}, 401),
        (None, {}, 422),
        (None, {"scenario": SCENARIO, "track": "physical", "permit_number": "x" * 65}, 422),
        (None, {"scenario": SCENARIO, "track": "paper"}, 422),
    ],
)
def test_bad_requests_are_problems(http, verifier, headers, body, status):
    answer = http.post(
        "/v1/verifications", json=body, headers=verifier.headers if headers is None else headers
    )
    assert status == answer.status_code
    assert answer.headers["content-type"] == "application/problem+json"


def test_no_other_role_checks(http):
    registrar = Caller.with_token(http, "registrar", station="320211-01")
    body = {"scenario": SCENARIO, "track": "electronic", "code": "x"}
    assert 403 == registrar.post("/v1/verifications", body).status_code


def test_before_the_first_worker_no_write_is_accepted(commanded, empty_database):
    """Configured with a remote database, the service answers no check yet, and accepts no
    writes."""
    environment = {**commanded, "PERMIT_LEDGER_DATABASE_URL": empty_database}
    with connect(empty_database) as owner:
        bring_up_to_date(owner)
    body = {"scenario": SCENARIO, "track": "physical", "permit_number": PERMIT, "card_serial": 1}
    with serving(environment, "--source", "kafka") as client:
        verifier = Caller.with_token(client, "verifier")
        assert 503 == verifier.post("/v1/verifications", body).status_code
        assert 503 == client.get("/readyz").status_code
        registrar = Caller.with_token(client, "registrar", station="320211-01")
        assert 404 == registrar.post("/v1/permits", {}).status_code
    with connect(empty_database) as connection:
        assert [] == connection.execute("SELECT * FROM ledger.checks").fetchall()


def test_openapi_lists_what_is_served(http):
    paths = http.get("/openapi.json").json()["paths"]
    assert {"/v1/verifications", "/readyz", "/healthz", "/metrics", "/.well-known/jwks.json"} == (
        {path for path in paths if path != "/" and not path.startswith("/v1/dev/")}
    )
    answer = paths["/v1/verifications"]["post"]["responses"]["200"]
    assert "RemoteCheckAnswer" in json.dumps(answer)


def test_the_metrics_report_the_age_of_the_views(http):
    text = http.get("/metrics").text
    assert "permit_ledger_feed_stale_seconds " in text
    assert "permit_ledger_feed_position " in text


def test_status_shows_the_feed_and_bad_records(commanded, remote_url):
    with connect(remote_url) as connection:
        connection.execute(
            "INSERT INTO views.bad_records VALUES ('a-topic', 3, 7, 'it has no value', NULL, 0)"
        )
        connection.execute("UPDATE views.feed_partitions SET bad_records = 1 WHERE partition = 3")
    command = [sys.executable, "-m", "permit_ledger", "status"]
    printed = subprocess.run(
        command, env=commanded, check=True, capture_output=True, text=True
    ).stdout
    assert "permits.events.v1 of https://localhost/permit-ledger" in printed
    assert "partition 3 offset 7" in printed
    assert "it has no value" in printed
    as_json = subprocess.run(
        [*command, "--json"], env=commanded, check=True, capture_output=True, text=True
    ).stdout
    feed = json.loads(as_json)["feed"]
    assert (1, "it has no value") == (feed["bad_records"], feed["newest_bad_records"][0]["reason"])
    assert 0 <= feed["stale_s"] < WAIT_S


def test_the_projector_of_the_log_is_refused_here(commanded):
    """It would treat the views as those of an empty log."""
    command = [sys.executable, "-m", "permit_ledger", "project"]
    done = subprocess.run(
        command, env=commanded, check=False, capture_output=True, text=True, timeout=WAIT_S
    )
    assert 1 == done.returncode
    assert "--source kafka" in done.stderr
