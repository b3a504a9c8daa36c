"""A start with events that the views do not have yet."""

import asyncio
from types import SimpleNamespace

import orjson
import pytest

from api.operations.service import ready
from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import as_service, connect
from permit_ledger.roles.up import Backlog
from projections.queries.permits import PermitReader, read_pool
from tests.keks import keyring

BEHIND = 1_500


@pytest.fixture
def answer(database_url):
    """``answer(lag_events_max)``: what ``/readyz`` says in a database whose views are behind."""
    with connect(database_url) as owner:
        owner.execute("UPDATE ledger.head SET position = %s", [BEHIND])

    async def ask(lag_events_max):
        async with read_pool(as_service(database_url), connections_max=1) as pool:
            return await ready(
                SimpleNamespace(
                    reader=PermitReader(pool, HolderKeys(keyring())),
                    ready_lag_events_max=lag_events_max,
                )
            )

    return lambda lag_events_max: asyncio.run(ask(lag_events_max))


def test_a_service_with_a_backlog_says_how_far_it_is(answer):
    """A problem document with both positions, so that a start can show its progress."""
    refused, accepted = answer(BEHIND - 1), answer(BEHIND)

    positions = {"log_position": BEHIND, "views_position": 0, "lag_events": BEHIND}
    assert (503, "1") == (refused.status_code, refused.headers["retry-after"])
    assert positions.items() <= orjson.loads(refused.body).items()
    assert 200 == accepted.status_code
    assert positions.items() <= orjson.loads(accepted.body).items()


def test_a_start_waits_for_the_events_that_it_found():
    """Those of later do not move its goal: a busy service becomes ready too."""
    backlog = Backlog()
    assert not backlog.is_done

    backlog.reached(1_000, 5_000)
    backlog.reached(2_000, 9_000)
    assert (1_000, 4_000, False) == (backlog.done_events, backlog.events, backlog.is_done)
    assert str(backlog).startswith("the views: 1,000 of 4,000 events, ")

    backlog.reached(5_100, 9_900)
    assert (4_000, 4_000, True) == (backlog.done_events, backlog.events, backlog.is_done)
