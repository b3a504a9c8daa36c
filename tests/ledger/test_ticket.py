"""One append's answer, from the writer's thread to who waits for it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.eventlog.pending import AwaitedAppend, PendingAppend
from tests.ledger.appends import on

WAIT_S = 30


def test_a_thread_sleeps_until_it_is_answered():
    """And not longer; an answer that is there already is not waited for."""
    pending = PendingAppend(on("a"), WAIT_S)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(pending.wait, WAIT_S)
        assert not waiting.done()
        pending.outcome = [1]
        PendingAppend.wake([pending])

        assert waiting.result(WAIT_S)
    assert [1] == pending.result()


def test_a_thread_stops_waiting():
    """An answer afterwards is nobody's, and no error."""
    pending = PendingAppend(on("a"), WAIT_S)

    assert (False, False) == (pending.wait(0.01), pending.is_answered)

    pending.error = ZeroDivisionError()
    PendingAppend.wake([pending])
    with pytest.raises(ZeroDivisionError):
        pending.result()


@pytest.mark.parametrize("positions", [[], [1]])
def test_no_positions_are_an_answer_too(positions):
    """What changed nothing is answered with none."""
    pending = PendingAppend(on("a"), WAIT_S)
    pending.outcome = positions

    assert (True, positions) == (pending.is_answered, pending.result())


def test_each_is_told_its_own(awaited):
    """Threads and coroutines of one batch, each with positions or an error."""

    async def act():
        answered = [kind(on("a"), WAIT_S) for kind in (PendingAppend, AwaitedAppend) * 2]
        for n, pending in enumerate(answered):
            if n < 2:
                pending.outcome = [n]
            else:
                pending.error = KeyError(n)
        await asyncio.to_thread(PendingAppend.wake, answered)
        assert [True, True] == [pending.wait(WAIT_S) for pending in answered[::2]]
        futures = [pending.future for pending in answered[1::2]]
        heard = await asyncio.gather(*futures, return_exceptions=True)
        return heard, [answered[0].result(), answered[2].error]

    [[own, own_error], [threads, threads_error]] = awaited(act())

    assert ([0], [1], (2,), (3,)) == (threads, own, threads_error.args, own_error.args)


def test_who_was_told_by_somebody_else_is_not_told_twice(awaited):
    """The sweep, or a cancellation, was faster than the writer."""

    async def act():
        late, cancelled, waiting = (AwaitedAppend(on("a"), WAIT_S) for _ in range(3))
        late.future.set_exception(TimeoutError())
        cancelled.future.cancel()
        for pending in (late, cancelled, waiting):
            pending.outcome = [1]
        PendingAppend.wake([late, cancelled, waiting])
        assert [1] == await waiting.future
        return type(late.future.exception()), cancelled.future.cancelled()

    assert (TimeoutError, True) == awaited(act())


def test_loops_that_have_ended_do_not_keep_the_others_from_hearing(awaited):
    """Neither coroutines of another loop nor threads."""

    async def make():
        return AwaitedAppend(on("a"), WAIT_S)

    gone = asyncio.run(make())

    async def act():
        here, thread = AwaitedAppend(on("a"), WAIT_S), PendingAppend(on("a"), WAIT_S)
        batch = [gone, here, thread]
        for n, pending in enumerate(batch):
            pending.outcome = [n]
        PendingAppend.wake(batch)
        return await here.future, thread.wait(WAIT_S)

    assert ([1], True) == awaited(act())
