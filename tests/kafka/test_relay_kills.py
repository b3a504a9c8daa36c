"""Nothing is lost or doubled, whenever the relay is killed. ``./dev bench relay`` has the long
form."""

import os
from secrets import randbelow

import pytest

from tests.kafka.conftest import own_broker
from tests.kafka.kills import Kills

KILLS = 2


@pytest.fixture
def seed():
    return int(os.environ.get("PERMIT_LEDGER_TEST_SEED") or randbelow(2**32))


def test_a_relay_killed_at_random_and_a_restarted_broker_lose_nothing(
    ledger, policy, database_url, seed, tmp_path
):
    with own_broker() as broker:
        kills = Kills(database_url, ledger, policy, tmp_path)

        wrong = kills.run(broker, KILLS, seed, bounce_every=2)

    assert [] == wrong, f"PERMIT_LEDGER_TEST_SEED={seed} gives the same chances again"
    assert (KILLS, 1) == (kills.kills, kills.restarts_of_broker)
    assert kills.events > 0
