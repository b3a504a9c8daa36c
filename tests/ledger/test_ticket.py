"""One append's answer, from the writer's thread to who waits for it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.eventlog.ticket import AwaitedTicket, Ticket
from tests.ledger.appends import on

WAIT_S = 30


def test_a_thread_sleeps_until_it_is_answered():
    """And not longer; an answer that is there already is not waited for."""
    ticket = Ticket(on("a"), WAIT_S)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(ticket.wait, WAIT_S)
        assert not waiting.done()
        ticket.outcome = [1]
        Ticket.wake([ticket])

        assert waiting.result(WAIT_S)
    assert [1] == ticket.result()


def test_a_thread_stops_waiting():
    """An answer afterwards is nobody's, and no error."""
    ticket = Ticket(on("a"), WAIT_S)

    assert (False, False) == (ticket.wait(0.01), ticket.is_answered)

    ticket.error = ZeroDivisionError()
    Ticket.wake([ticket])
    with pytest.raises(ZeroDivisionError):
        ticket.result()


@pytest.mark.parametrize("positions", [[], [1]])
def test_no_positions_are_an_answer_too(positions):
    """What changed nothing is answered with none."""
    ticket = Ticket(on("a"), WAIT_S)
    ticket.outcome = positions

    assert (True, positions) == (ticket.is_answered, ticket.result())


def test_each_is_told_its_own(awaited):
    """Threads and coroutines of one batch, each with positions or an error."""

    async def act():
        answered = [kind(on("a"), WAIT_S) for kind in (Ticket, AwaitedTicket) * 2]
        for n, ticket in enumerate(answered):
            if n < 2:
                ticket.outcome = [n]
            else:
                ticket.error = KeyError(n)
        await asyncio.to_thread(Ticket.wake, answered)
        assert [True, True] == [ticket.wait(WAIT_S) for ticket in answered[::2]]
        futures = [ticket.future for ticket in answered[1::2]]
        heard = await asyncio.gather(*futures, return_exceptions=True)
        return heard, [answered[0].result(), answered[2].error]

    [[own, own_error], [threads, threads_error]] = awaited(act())

    assert ([0], [1], (2,), (3,)) == (threads, own, threads_error.args, own_error.args)


def test_who_was_told_by_somebody_else_is_not_told_twice(awaited):
    """The sweep, or a cancellation, was faster than the writer."""

    async def act():
        late, cancelled, waiting = (AwaitedTicket(on("a"), WAIT_S) for _ in range(3))
        late.future.set_exception(TimeoutError())
        cancelled.future.cancel()
        for ticket in (late, cancelled, waiting):
            ticket.outcome = [1]
        Ticket.wake([late, cancelled, waiting])
        assert [1] == await waiting.future
        return type(late.future.exception()), cancelled.future.cancelled()

    assert (TimeoutError, True) == awaited(act())


def test_loops_that_have_ended_do_not_keep_the_others_from_hearing(awaited):
    """Neither coroutines of another loop nor threads."""

    async def make():
        return AwaitedTicket(on("a"), WAIT_S)

    gone = asyncio.run(make())

    async def act():
        here, thread = AwaitedTicket(on("a"), WAIT_S), Ticket(on("a"), WAIT_S)
        batch = [gone, here, thread]
        for n, ticket in enumerate(batch):
            ticket.outcome = [n]
        Ticket.wake(batch)
        return await here.future, thread.wait(WAIT_S)

    assert ([1], True) == awaited(act())
