"""The relay as operators run and observe it."""

import os
import subprocess
import sys
from datetime import date

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from domain.application import Application
from domain.data_protection import Order
from domain.person import Identity, Residence
from ledger.commands.runner import Command
from ledger.database.connections import connect
from tests.commands import permit_ledger
from tests.kafka.broker import free_port
from tests.kafka.growing import grow
from tests.kafka.kills import relay_process
from tests.kafka.reading import read_events, read_states, what_is_wrong
from tests.two_officers import erase as erase_by_two
from tests.waiting import until

WAIT_S = 180


@pytest.fixture
def run(database_url, tmp_path):
    """``run("status", …)``: on the test's database, with a folder of its own."""

    def run(*arguments, **settings):
        where = {
            "PERMIT_LEDGER_DATABASE_URL": database_url,
            "PERMIT_LEDGER_DATA_DIR": str(tmp_path / "data"),
        }
        return permit_ledger(tmp_path, {**where, **settings}, *arguments)

    return run


def test_it_needs_no_key_and_ends_on_request(
    ledger, policy, database_url, kafka, prefix, until_relayed, tmp_path
):
    head = grow(ledger, policy, 20)

    with relay_process(database_url, kafka, tmp_path / "data", prefix) as process:
        until_relayed(head)
        process.terminate()
        assert 0 == process.wait(WAIT_S)

    assert [] == what_is_wrong(read_events(kafka, prefix), head)
    assert not list(tmp_path.rglob("*key*"))


def test_without_a_broker_it_reports_what_is_missing(run):
    done = run("relay")
    assert 1 == done.returncode
    assert "PERMIT_LEDGER_KAFKA" in done.stderr


@pytest.mark.parametrize("address", ["nowhere", "host:port", "host:9092;other:9092"])
def test_an_invalid_address_is_refused(run, address):
    done = run("relay", "--kafka", address)
    assert 2 == done.returncode
    assert "kafka" in done.stderr


def test_an_unreachable_broker_is_retried(
    ledger, policy, relaying, relay_row, until_relayed, kafka, prefix
):
    """The relay keeps running, and publishes as soon as the broker is reachable."""
    head = grow(ledger, policy, 10)
    with relaying(address="127.0.0.1:9"):
        until(lambda: relay_row().starts > 0, wait_s=WAIT_S)
    with relaying(address=f"127.0.0.1:9,{kafka}"):
        until_relayed(head)

    assert [] == what_is_wrong(read_events(kafka, prefix), head)


def test_replay_is_refused_unless_the_relay_has_stopped(run, database_url):
    refused = run("relay", "--replay")
    assert 1 == refused.returncode
    assert "has not stopped" in refused.stderr

    with connect(database_url) as owner:
        owner.execute("UPDATE ledger.relay SET position = 7, stopped = 'why', starts = 3")
    assert 0 == run("relay", "--replay").returncode
    with connect(database_url) as owner:
        found = owner.execute("SELECT position, ends, stopped FROM ledger.relay").fetchone()
    assert (None, {}, None) == found


def test_the_state_of_an_erased_holder_is_a_tombstone(
    ledger, context, relaying, until_relayed, kafka, prefix
):
    """The event that records the erasure is on the other topic, without personal data."""
    application = Application(
        identity=Identity("欧阳测试", "1", "01", date(1990, 1, 1), "990000199001010017", "合肥"),
        residence=Residence("320211", "滨湖区"),
        residence_registered_on=date(2025, 1, 5),
        ground="employment",
        issued_on=date(2026, 1, 5),
    )
    command = Command(context)
    ledger.permits.issue(application, command)
    [issued] = ledger.events(1, 1)
    number = issued.originator_id

    with relaying():
        until_relayed(1)
        assert "in_force" == read_states(kafka, prefix)[number]["status"]
        order, holder_id = Order("PIPL 47", "case 1"), ledger.permit(number).holder_id
        erase_by_two(ledger, holder_id, order, date(2026, 12, 28), command)
        until_relayed(3)

    assert {number: None} == read_states(kafka, prefix)
    types = [record.headers["ce_type"] for record in read_events(kafka, prefix)]
    assert [
        "permit.issued.v1",
        "permit.erasure-requested.v1",
        "permit.holder-erased.v1",
    ] == types


@pytest.fixture
def service(make_data_dir, kafka, prefix):
    """``permit-ledger up --kafka``: the address of the whole service."""
    port, folder = free_port(), make_data_dir()
    arguments = ["--port", str(port), "--data-dir", folder, "--sample", "20", "--kafka", kafka]
    environment = {**os.environ, "PERMIT_LEDGER_KAFKA_TOPIC_PREFIX": prefix}
    process = subprocess.Popen(
        [sys.executable, "-m", "permit_ledger", "up", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert "ready" in next(line for line in process.stdout if "ready" in line)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(WAIT_S)


def test_up_runs_the_relay_and_its_metrics_report_the_position(service, kafka, prefix):
    """The sample city is on the topics, and the metrics report it."""

    def metrics():
        families = text_string_to_metric_families(httpx.get(f"{service}/metrics").text)
        return {sample.name: sample.value for family in families for sample in family.samples}

    until(lambda: metrics()["permit_ledger_relay_position"] > 20, wait_s=WAIT_S)
    until(lambda: metrics()["permit_ledger_relay_lag_events"] == 0, wait_s=WAIT_S)

    scraped = metrics()
    assert (1, 0) == (scraped["permit_ledger_relay_starts"], scraped["permit_ledger_relay_stopped"])
    head = int(scraped["permit_ledger_relay_position"])
    assert [] == what_is_wrong(read_events(kafka, prefix), head)
