"""One broker for all tests of Kafka, topics of its own for each."""

import itertools
import os
import threading
import warnings
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import NamedTuple

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from consumers.contract.kinds import kinds_under
from consumers.kafka.brokers import Brokers
from consumers.kafka.client import committed_reader
from consumers.relay.relay import Relay
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.database.connections import as_service, connect
from tests.conftest import TEMPLATE
from tests.kafka.broker import RUNNING, Broker, NoBroker
from tests.waiting import until

WAIT_S = 180
SOURCE = "https://localhost/permit-ledger"


class RelayedTo(NamedTuple):
    position: int | None
    stopped: str | None
    starts: int


_prefixes = itertools.count(1)
_remotes = itertools.count(1)


@pytest.fixture(scope="session")
def kafka():
    """The address of a broker. Without one, the tests that need it are skipped, and fail where
    ``CI`` is set."""
    if address := os.environ.get(RUNNING):
        yield address
        return
    with TemporaryDirectory(prefix="permit-ledger-kafka-") as folder:
        try:
            broker = Broker(folder)
        except NoBroker as missing:
            without_broker(str(missing))
        with broker:
            yield broker.address


@pytest.fixture
def prefix():
    """Before every topic's name, so that no test meets another's records."""
    return f"t{os.getpid()}-{next(_prefixes)}."


@contextmanager
def own_broker():
    """To be bounced, which the one that the tests share can't be."""
    with TemporaryDirectory(prefix="permit-ledger-kafka-") as folder:
        try:
            broker = Broker(folder)
        except NoBroker as missing:
            without_broker(str(missing))
        with broker:
            yield broker


def without_broker(reason):
    if os.environ.get("CI") == "true":
        pytest.fail(f"no Kafka broker to test with: {reason}", pytrace=False)
    warnings.warn(f"NO KAFKA BROKER, its tests are SKIPPED: {reason}", stacklevel=2)
    pytest.skip(f"no Kafka broker: {reason}")


@pytest.fixture
def relay_row(database_url):
    """``relay_row()``: position, reason of its stop, number of its starts."""

    def relay_row():
        with connect(database_url) as connection:
            query = "SELECT position, stopped, starts FROM ledger.relay"
            return RelayedTo(*connection.execute(query).fetchone())

    return relay_row


@pytest.fixture
def until_relayed(relay_row):
    """Wait until the relay has come so far, by its own word."""

    def until_relayed(position, wait_s=WAIT_S):
        until(lambda: (relay_row().position or 0) >= position, wait_s=wait_s)

    return until_relayed


@pytest.fixture
def relaying(database_url, kafka, prefix):
    """``with relaying():`` a relay in a thread, to the test's own topics."""

    @contextmanager
    def relaying(address=kafka, url=database_url, heartbeat_s=0.3):
        stop = threading.Event()
        relay = Relay(
            as_service(url),
            Brokers(address),
            EventMapper(OrjsonTranscoder()),
            kinds_under(prefix),
            SOURCE,
            stop,
            topic_prefix=prefix,
            stopped_s=0.2,
            heartbeat_s=heartbeat_s,
        )
        thread = threading.Thread(target=relay.run, name="relay")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(WAIT_S)
            assert not thread.is_alive()

    return relaying


@pytest.fixture
def first_stops_reading(monkeypatch):
    """``first_stops_reading(module)``: the first consumer that the module makes is assigned its
    partitions, polls, and gets nothing of them. Returns the list of those made."""

    def first_stops_reading(module):
        made = []

        def make(*arguments, **options):
            consumer = committed_reader(*arguments, **options)
            subscribe = consumer.subscribe

            def subscribe_and_stop(topics, listener):
                assigned = listener.on_partitions_assigned
                listener.on_partitions_assigned = lambda parts: (
                    assigned(parts),
                    consumer.pause(*parts),
                )
                subscribe(topics, listener=listener)

            if not made:
                consumer.subscribe = subscribe_and_stop
            made.append(consumer)
            return consumer

        monkeypatch.setattr(module, "committed_reader", make)
        return made

    return first_stops_reading


@pytest.fixture
def first_has_no_partitions(monkeypatch):
    """``first_has_no_partitions(module)``: the group assigns nothing to the first consumer that the
    module makes. Returns the list of those made."""

    def first_has_no_partitions(module):
        made = []

        def make(*arguments, **options):
            consumer = committed_reader(*arguments, **options)
            if not made:
                subscribe = consumer.subscribe
                consumer.subscribe = lambda topics, listener: subscribe(
                    [f"{topic}.absent" for topic in topics], listener=listener
                )
            made.append(consumer)
            return consumer

        monkeypatch.setattr(module, "committed_reader", make)
        return made

    return first_has_no_partitions


@pytest.fixture
def remote_url(postgres_url):
    """Another prepared database, with no log in it, dropped after the test."""
    name = f"remote_{next(_remotes)}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        yield make_conninfo(postgres_url, dbname=name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
