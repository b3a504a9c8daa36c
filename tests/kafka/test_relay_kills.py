"""Nothing is lost or doubled, whenever the relay dies. ``./dev bench relay`` has the long form."""

import os
from contextlib import contextmanager
from secrets import randbelow
from tempfile import TemporaryDirectory

import pytest

from tests.kafka.broker import Broker, NoBroker
from tests.kafka.conftest import without_broker
from tests.kafka.kills import Kills

KILLS = 5


@pytest.fixture
def seed():
    return int(os.environ.get("PERMIT_LEDGER_TEST_SEED") or randbelow(2**32))


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


@pytest.mark.timeout(300)
def test_kill_9_at_random_points_and_a_bounced_broker(ledger, policy, database_url, seed, tmp_path):
    with own_broker() as broker:
        kills = Kills(database_url, ledger, policy, tmp_path)

        wrong = kills.run(broker, KILLS, seed, bounce_every=3)

    assert [] == wrong, f"PERMIT_LEDGER_TEST_SEED={seed} gives the same chances again"
    assert (KILLS, 1) == (kills.kills, kills.restarts_of_broker)
    assert kills.events > 0
