"""One broker for all tests of Kafka, topics of its own for each."""

import itertools
import os
import warnings
from tempfile import TemporaryDirectory

import pytest

from tests.kafka.broker import RUNNING, Broker, NoBroker

_prefixes = itertools.count(1)


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


def without_broker(reason):
    if os.environ.get("CI") == "true":
        pytest.fail(f"no Kafka broker to test with: {reason}", pytrace=False)
    warnings.warn(f"NO KAFKA BROKER, its tests are SKIPPED: {reason}", stacklevel=2)
    pytest.skip(f"no Kafka broker: {reason}")
