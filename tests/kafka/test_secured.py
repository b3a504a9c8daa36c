"""Brokers that accept only TLS with a login or a certificate."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trustme
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ResourceType
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from consumers.contract.kinds import PERMITS
from consumers.kafka import client
from consumers.kafka.brokers import Brokers, Login, Tls
from ledger.database.connections import connect
from tests.commands import permit_ledger
from tests.kafka.broker import NoBroker
from tests.kafka.conftest import without_broker
from tests.kafka.growing import grow
from tests.kafka.kills import relay_process
from tests.kafka.reading import read_events, what_is_wrong
from tests.kafka.remote import until_in_step, worker_process
from tests.kafka.secured import PASSWORD, USER, allow, delete_topics, denied, secured
from tests.waiting import until

WAIT_S = 60


@pytest.fixture(scope="module")
def guarded():
    with TemporaryDirectory(prefix="permit-ledger-kafka-") as folder:
        try:
            guarded = secured(Path(folder))
        except NoBroker as missing:
            without_broker(str(missing))
        with guarded.broker:
            allow(guarded)
            yield guarded


@pytest.fixture
def entry(guarded, tmp_path):
    """``entry["login"]``, ``entry["certificate"]``: settings that the broker accepts."""
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    authority = {"PERMIT_LEDGER_KAFKA_CA_FILE": str(guarded.ca_file)}
    return {
        "login": {
            **authority,
            "PERMIT_LEDGER_KAFKA_USER": USER,
            "PERMIT_LEDGER_KAFKA_PASSWORD_FILE": str(tmp_path / "password"),
        },
        "certificate": {
            **authority,
            "PERMIT_LEDGER_KAFKA_CERTIFICATE_FILE": str(guarded.client_file),
        },
    }


def test_a_relay_with_a_login_and_a_worker_with_a_certificate_work(
    ledger, policy, database_url, remote_url, guarded, entry, until_relayed, tmp_path
):
    """With no more rights than the documents list: a user that only reads cannot write."""
    login, certificate = entry["login"], entry["certificate"]
    reader = Brokers(guarded.mutual, Tls(guarded.ca_file, guarded.client_file))
    head = grow(ledger, policy, 20)
    with (
        relay_process(database_url, guarded.login, tmp_path / "data", **login),
        worker_process(remote_url, guarded.mutual, "", tmp_path / "far", **certificate),
    ):
        until_relayed(head)
        until_in_step(remote_url)

    assert [] == what_is_wrong(read_events(guarded.inside), head)
    with connect(remote_url) as connection:
        [permits] = connection.execute("SELECT count(*) FROM views.physical_permits").fetchone()
    assert permits > 0
    with (
        closing(KafkaProducer(**client.connection(reader), enable_idempotence=False)) as producer,
        pytest.raises(TopicAuthorizationFailedError),
    ):
        producer.send(PERMITS.events_topic, b"{}").get(WAIT_S)


@pytest.mark.parametrize("wrong", ["password", "authority", "certificate", "no TLS"])
def test_other_clients_are_refused(wrong, guarded, tmp_path, monkeypatch):
    monkeypatch.setattr(client, "BOOTSTRAP_TIMEOUT_MS", 1_500)
    address, tls, login = guarded.login, Tls(guarded.ca_file), Login(USER, PASSWORD)
    if wrong == "password":
        login = Login(USER, "another")
    elif wrong == "authority":
        trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
        tls = Tls(tmp_path / "other.pem")
    elif wrong == "certificate":
        address, login = guarded.mutual, None
    else:
        tls = login = None

    with pytest.raises(KafkaError):
        KafkaAdminClient(**client.connection(Brokers(address, tls, login))).list_topics()


def test_the_relay_keeps_retrying_and_never_logs_the_password(
    ledger, policy, database_url, guarded, entry, relay_row, tmp_path
):
    grow(ledger, policy, 3)
    (tmp_path / "password").write_text("not-the-one")
    environment = {
        **os.environ,
        "PERMIT_LEDGER_DATABASE_URL": database_url,
        "PERMIT_LEDGER_DATA_DIR": str(tmp_path / "data"),
        "PERMIT_LEDGER_KAFKA": guarded.login,
        **entry["login"],
    }
    log = tmp_path / "log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "permit_ledger", "relay"]
        process = subprocess.Popen(command, env=environment, stderr=output)
    try:
        until(lambda: b"relay starts again" in log.read_bytes(), wait_s=WAIT_S)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()

    assert relay_row().position is None
    assert "not-the-one" not in log.read_text()
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize(
    ("kind", "name", "operation", "said"),
    [
        (ResourceType.TRANSACTIONAL_ID, "permit-ledger-relay", "WRITE", "TransactionalId"),
        (ResourceType.TOPIC, PERMITS.events_topic, "WRITE", "TopicAuthorizationFailed"),
        (ResourceType.TOPIC, PERMITS.state_topic, "DESCRIBE_CONFIGS", "DESCRIBE_CONFIGS"),
    ],
)
def test_a_missing_right_stops_the_relay_until_it_is_granted(
    ledger, policy, database_url, guarded, entry, relay_row, until_relayed, tmp_path, kind, name,
    operation, said,
):  # fmt: skip
    """The reason names the error and where the rights are listed."""
    delete_topics(guarded)  # of another test's log
    head = grow(ledger, policy, 3)
    with (
        denied(guarded, kind, name, operation) as allow_again,
        relay_process(database_url, guarded.login, tmp_path / "data", **entry["login"]),
    ):
        until(lambda: relay_row().stopped, wait_s=WAIT_S)
        assert said in relay_row().stopped
        assert "docs/kafka.md" in relay_row().stopped
        allow_again()
        until_relayed(head, wait_s=3 * WAIT_S)
        assert relay_row().stopped is None


@pytest.fixture
def refused(tmp_path):
    """``refused(code, NAME=value)``: what ``permit-ledger relay`` says, ended with that code."""

    def refused(code, **settings):
        environment = {f"PERMIT_LEDGER_{name}": value for name, value in settings.items()}
        environment |= {
            "PERMIT_LEDGER_KAFKA": "127.0.0.1:9",
            "PERMIT_LEDGER_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing",
        }
        done = permit_ledger(tmp_path, environment, "relay")
        assert code == done.returncode
        assert "Traceback" not in done.stderr
        return done.stderr

    return refused


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"KAFKA_USER": "u", "KAFKA_PASSWORD_FILE": "f"}, "PERMIT_LEDGER_KAFKA_CA_FILE"),
        ({"KAFKA_CERTIFICATE_FILE": "f"}, "PERMIT_LEDGER_KAFKA_CA_FILE"),
        ({"KAFKA_CA_FILE": "f", "KAFKA_USER": "u"}, "PERMIT_LEDGER_KAFKA_PASSWORD_FILE"),
        ({"KAFKA_PASSWORD_FILE": "f"}, "PERMIT_LEDGER_KAFKA_USER"),
        ({"KAFKA_CA_FILE": "f", "KAFKA_KEY_FILE": "f"}, "PERMIT_LEDGER_KAFKA_CERTIFICATE_FILE"),
    ],
)
def test_incomplete_settings_are_refused(refused, given, expected):
    assert expected in refused(2, **given)


def test_a_file_with_other_content_is_named(refused, guarded, tmp_path):
    text, blank = tmp_path / "text", tmp_path / "blank"
    text.write_text("no certificate")
    blank.write_text("\n")
    authority = {"KAFKA_CA_FILE": str(guarded.ca_file)}

    assert "nowhere.pem" in refused(1, KAFKA_CA_FILE="nowhere.pem")
    assert str(text) in refused(1, KAFKA_CA_FILE=str(text))
    assert str(text) in refused(1, **authority, KAFKA_CERTIFICATE_FILE=str(text))
    alone = {**authority, "KAFKA_CERTIFICATE_FILE": str(guarded.ca_file)}
    assert str(guarded.ca_file) in refused(1, **alone)
    assert str(blank) in refused(1, **authority, KAFKA_USER="u", KAFKA_PASSWORD_FILE=str(blank))
