"""The client library's own ways to lose records silently, each provoked and survived.

The relay connects to the broker through a proxy that loses, falsifies or interrupts one kind of
request. What another client reads afterwards is complete, each event once.
"""

import threading
from contextlib import closing
from tempfile import TemporaryDirectory

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.producer.sender import Sender

from consumers.contract.cloudevents import Outgoing
from consumers.contract.kinds import PERMITS
from consumers.kafka.brokers import Brokers
from consumers.kafka.client import committed_reader
from consumers.relay import producer as sending
from consumers.relay.producer import NotCommitted, Transactions, producer_options
from tests.kafka.broker import Broker, NoBroker
from tests.kafka.conftest import without_broker
from tests.kafka.growing import grow
from tests.kafka.proxy import CUT, END_TXN, FAIL, LIE, PRODUCE, SWALLOW, Proxy
from tests.kafka.reading import read_events, what_is_wrong
from tests.waiting import until

WAIT_S = 60


@pytest.fixture(scope="module")
def proxied():
    """A broker of its own whose clients all connect through the proxy."""
    with TemporaryDirectory(prefix="permit-ledger-kafka-") as folder, Proxy() as proxy:
        try:
            broker = Broker(folder, advertised=proxy.address)
        except NoBroker as missing:
            without_broker(str(missing))
        proxy.target = broker.address
        with broker:
            yield proxy


@pytest.fixture(autouse=True)
def no_strikes_left(proxied):
    yield
    proxied.forget()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Shorten the relay's timeouts, so that the test is fast."""
    monkeypatch.setattr(sending, "COMMIT_TIMEOUT_S", 3.0)
    monkeypatch.setattr(sending, "SEEN_TIMEOUT_S", 3.0)
    monkeypatch.setattr(sending, "REQUEST_TIMEOUT_MS", 1_500)
    monkeypatch.setattr(sending, "DELIVERY_TIMEOUT_MS", 2_000)
    monkeypatch.setattr(sending, "ACKNOWLEDGE_TIMEOUT_S", 3.0)


@pytest.mark.parametrize(
    ("request_kind", "how"),
    [
        (PRODUCE, SWALLOW),
        (PRODUCE, CUT),
        (END_TXN, LIE),
        (END_TXN, FAIL),
        (END_TXN, SWALLOW),
        (END_TXN, CUT),
    ],
    ids=[
        "A: a batch is given up after its time",
        "a batch whose acknowledgement is lost",
        "B: a commit that is reported and never was",
        "a commit that is refused",
        "C: a commit that does not come back",
        "a commit whose answer is lost",
    ],
)
def test_nothing_is_lost_and_nothing_doubled(
    request_kind, how, proxied, ledger, policy, relaying, until_relayed, prefix, relay_row
):
    first = grow(ledger, policy, 20)
    with relaying(address=proxied.address, heartbeat_s=WAIT_S):
        until_relayed(first)
        starts, struck = relay_row().starts, proxied.struck
        proxied.strike(
            request_kind, how, times=3 if (request_kind, how) == (PRODUCE, SWALLOW) else 1
        )
        head = grow(ledger, policy, 20)
        until(lambda: proxied.struck > struck, wait_s=WAIT_S)
        until_relayed(head)

    assert [] == what_is_wrong(read_events(proxied.target, prefix), head)
    if how in {LIE, FAIL}:
        assert relay_row().starts > starts


@pytest.fixture
def topic(relaying, relay_row, proxied, prefix):
    with relaying(address=proxied.address):
        until(lambda: relay_row().position is not None, wait_s=WAIT_S)
    return prefix + PERMITS.events_topic


@pytest.fixture
def brokers(proxied):
    return Brokers(proxied.address)


@pytest.fixture
def reader(brokers):
    with closing(committed_reader(brokers)) as reader:
        yield reader


def record(topic, text=b"{}"):
    return Outgoing(topic, 0, b"key", text, [("ce_id", b"1")])


def test_the_client_reports_a_commit_that_never_happened(proxied, brokers, topic):
    """This is what the relay guards against: without the guard, such a commit appears
    successful."""
    proxied.strike(END_TXN, LIE)
    producer = KafkaProducer(**producer_options(brokers, f"{topic}-bare"))
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(topic, value=b"{}", key=b"key", partition=0).get(10)

    producer.commit_transaction()

    with closing(committed_reader(Brokers(proxied.target), consumer_timeout_ms=500)) as reader:
        reader.assign([TopicPartition(topic, 0)])
        assert [] == list(reader)
    sending_thread = producer._sender
    sending_thread.force_close()


def test_a_commit_without_an_effect_is_an_error(proxied, brokers, topic, reader):
    with closing(Transactions(brokers, f"{topic}-lied-to", reader)) as transactions:
        proxied.strike(END_TXN, LIE)
        with pytest.raises(NotCommitted):
            transactions.send([record(topic)], 0)


def test_a_commit_that_hangs_is_an_error(proxied, brokers, topic, reader, monkeypatch):
    """The client itself would wait without a limit, or as long as a request may take."""
    monkeypatch.setattr(sending, "COMMIT_TIMEOUT_S", 0.5)
    monkeypatch.setattr(sending, "REQUEST_TIMEOUT_MS", 10_000)
    monkeypatch.setattr(sending, "DELIVERY_TIMEOUT_MS", 11_000)
    with closing(Transactions(brokers, f"{topic}-hung", reader)) as transactions:
        proxied.strike(END_TXN, SWALLOW)
        with pytest.raises(NotCommitted, match="has not come back"):
            transactions.send([record(topic)], 0)


def test_an_older_relay_is_fenced(brokers, topic, reader):
    """A relay that still takes itself for the leader can no longer send."""
    with closing(Transactions(brokers, f"{topic}-fenced", reader)) as older:
        older.send([record(topic)], 0)
        with closing(Transactions(brokers, f"{topic}-fenced", reader)) as newer:
            with pytest.raises(Exception, match=r"(?i)fenced|epoch|abort|fatal"):
                older.send([record(topic)], 0)
            newer.send([record(topic)], 0)


def test_closing_ends_the_threads(brokers, topic, reader):
    with closing(Transactions(brokers, f"{topic}-closed", reader)) as transactions:
        transactions.send([record(topic)], 0)
    until(lambda: not clients_threads(), wait_s=WAIT_S)


def clients_threads():
    return [each for each in threading.enumerate() if isinstance(each, Sender)]
