"""One append's outcome, from the writer's thread to its caller."""

import asyncio

import pytest

from ledger.eventlog.group_commit import PendingAppend, deliver
from tests.ledger.appends import on

WAIT_S = 30


def pending():
    return PendingAppend(on("a"), WAIT_S, asyncio.get_running_loop().create_future())


@pytest.mark.parametrize("positions", [[], [1]])
def test_no_positions_are_an_outcome_too(awaited, positions):
    """An append without events has none."""

    async def act():
        answered = pending()
        answered.outcome = positions
        await asyncio.to_thread(deliver, [answered])
        return answered.is_answered, await answered.future

    assert (True, positions) == awaited(act())


def test_each_caller_gets_its_own(awaited):
    """Positions and errors of one batch."""

    async def act():
        answered = [pending() for _ in range(4)]
        for n, each in enumerate(answered):
            if n < 2:
                each.outcome = [n]
            else:
                each.error = KeyError(n)
        await asyncio.to_thread(deliver, answered)
        futures = [each.future for each in answered]
        return await asyncio.gather(*futures, return_exceptions=True)

    [first, second, third, fourth] = awaited(act())

    assert ([0], [1], (2,), (3,)) == (first, second, third.args, fourth.args)


def test_a_caller_that_has_stopped_waiting_is_left_alone(awaited):
    """Its wait had taken too long, or was cancelled, before the outcome arrived."""

    async def act():
        late, cancelled, waiting = (pending() for _ in range(3))
        late.future.set_exception(TimeoutError())
        cancelled.future.cancel()
        for each in (late, cancelled, waiting):
            each.outcome = [1]
        deliver([late, cancelled, waiting])
        assert [1] == await waiting.future
        return type(late.future.exception()), cancelled.future.cancelled()

    assert (TimeoutError, True) == awaited(act())


def test_a_loop_that_has_ended_is_no_error():
    """No caller is left in it."""

    async def make():
        return pending()

    gone = asyncio.run(make())
    gone.outcome = [1]

    deliver([gone])
