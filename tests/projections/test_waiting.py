"""Waiting for the views: notified by the projector, also after a lost connection."""

import asyncio
from functools import partial

import pytest

from projections.queries import waiting
from projections.queries.waiting import ViewPosition

WAIT_S = 30
NEVER_S = 3600
LISTENER = "permit-ledger positions"


@pytest.fixture
def move(admin):
    """``move(position)``: move the views as a projector does; with ``quietly``, the notification is
    lost."""

    def move(position, *, quietly=False):
        admin.execute("UPDATE views.position SET position = %s", [position])
        if not quietly:
            admin.execute("SELECT pg_notify('permit_ledger_views', %s)", [str(position)])

    return move


@pytest.fixture
def never_polling(monkeypatch):
    """Only a notification ends a wait."""
    monkeypatch.setattr(waiting, "POLL_S", NEVER_S)


@pytest.fixture
def in_time(database_url):
    """``in_time(scenario)``: run ``await scenario(views)`` while the position is watched."""

    def in_time(scenario):
        async def run():
            async with ViewPosition(database_url) as views, asyncio.timeout(WAIT_S):
                return await scenario(views)

        return asyncio.run(run())

    return in_time


async def elsewhere(act, *args, **kwargs):
    """Run what another process does meanwhile."""
    return await asyncio.to_thread(partial(act, *args, **kwargs))


def test_a_position_already_reached_needs_no_wait(in_time, move):
    """Not even with a timeout of zero."""
    move(5)

    async def scenario(views):
        reached = await views.wait_for(5, WAIT_S)
        return reached, await views.wait_for(5, 0), await views.wait_for(3, 0)

    assert (True, True, True) == in_time(scenario)


@pytest.mark.usefixtures("never_polling")
def test_a_wait_ends_when_the_views_reach_the_position(in_time, move):
    """Every waiter whose position was reached is woken; the others keep waiting."""

    async def scenario(views):
        waits = [asyncio.create_task(views.wait_for(n, WAIT_S)) for n in (1, 2, 2, 4)]
        await views.wait_for(0, WAIT_S)
        for position in (1, 2):
            await elsewhere(move, position)
            assert await views.wait_for(position, WAIT_S)
        assert [True, True, True] == await asyncio.gather(*waits[:3])
        assert not waits[3].done()
        await elsewhere(move, 7)
        return await waits[3]

    assert in_time(scenario)


def test_a_wait_ends_at_its_timeout(in_time, move):
    """It reports the timeout; a later wait is not affected."""

    async def scenario(views):
        late = await views.wait_for(1, 0.05)
        await elsewhere(move, 1)
        return late, await views.wait_for(1, WAIT_S)

    assert (False, True) == in_time(scenario)


def test_a_lost_notification_only_delays_the_wait(in_time, move, monkeypatch):
    """The position is polled as well."""
    monkeypatch.setattr(waiting, "POLL_S", 0.05)

    async def scenario(views):
        assert not await views.wait_for(1, 0.1)
        await elsewhere(move, 1, quietly=True)
        return await views.wait_for(1, WAIT_S)

    assert in_time(scenario)


@pytest.mark.usefixtures("never_polling")
def test_a_killed_connection_is_opened_again(in_time, move, kill, until, monkeypatch):
    """Repeatedly; positions reached meanwhile are not missed."""
    monkeypatch.setattr(waiting, "RECONNECT_S", 0.01)

    async def scenario(views):
        for position in (1, 3, 5):
            await elsewhere(move, position)
            assert await views.wait_for(position, WAIT_S)
            await elsewhere(move, position + 1, quietly=True)
            await elsewhere(until, lambda: kill(LISTENER))
            assert await views.wait_for(position + 1, WAIT_S)
        return True

    assert in_time(scenario)


@pytest.mark.usefixtures("never_polling")
@pytest.mark.parametrize("payload", ["", "not a position"])
def test_an_invalid_notification_is_ignored(in_time, move, admin, payload):
    """Any client with access to the database may send one."""

    async def scenario(views):
        await elsewhere(move, 1)
        assert await views.wait_for(1, WAIT_S)
        await elsewhere(admin.execute, "SELECT pg_notify('permit_ledger_views', %s)", [payload])
        await elsewhere(move, 2)
        return await views.wait_for(2, 2)

    assert in_time(scenario)


@pytest.mark.usefixtures("never_polling", "projector")
def test_a_projector_notifies_of_every_page(in_time, life):
    """The wait ends once the projector has applied the page."""
    living = life()

    async def scenario(views):
        for position in (1, 2, 3):
            await elsewhere(living.issue)
            assert await views.wait_for(position, WAIT_S)
        return True

    assert in_time(scenario)


def test_the_known_position_falls_when_views_are_rebuilt(in_time, move, monkeypatch):
    """It is never ahead of the views, which may be emptied at run time."""
    monkeypatch.setattr(waiting, "POLL_S", 0.05)

    async def scenario(views):
        await elsewhere(move, 5)
        assert await views.wait_for(5, WAIT_S)
        await elsewhere(move, 0)
        async with asyncio.timeout(3):
            while await views.wait_for(5, 0):
                await asyncio.sleep(0.01)
        return True

    assert in_time(scenario)


def test_leaving_the_context_closes_the_connection(in_time, admin, until, move):
    """No backend listens afterwards."""
    move(1)

    async def scenario(views):
        return await views.wait_for(1, WAIT_S)

    assert in_time(scenario)
    listening = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
    until(lambda: admin.execute(listening, [LISTENER]).fetchone()[0] == 0)


def test_a_position_that_is_too_far_off_is_not_waited_for(in_time):
    """Otherwise each check of a changed permit would wait in vain while views are built again."""

    async def scenario(views):
        return await views.wait_for(NEVER_S * waiting.EVENTS_PER_S_MAX + 1, NEVER_S)

    assert not in_time(scenario)
