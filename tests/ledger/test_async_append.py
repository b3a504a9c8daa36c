"""Coroutines share the group commit with threads, and leave it without disturbing anybody."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import uvloop

from ledger.errors import OutcomeUnknown, Unavailable, VersionTaken
from ledger.eventlog import append_queue, async_append
from ledger.eventlog.async_append import AsyncAppends
from ledger.eventlog.pending import AwaitedAppend
from tests.ledger.appends import kinds, on, streams

WAIT_S = 30
LOOPS = 2
EACH = 5


async def submitted(appends, *wanted):
    """Tasks whose appends are in the queue."""
    tasks = [asyncio.create_task(appends.append(append)) for append in wanted]
    await asyncio.sleep(0)
    return tasks


async def outcomes(tasks):
    return kinds(await asyncio.gather(*tasks, return_exceptions=True))


def test_coroutines_get_their_positions_and_their_errors(recorder, gathering, awaited):
    """Each its own, out of one batch."""

    async def act():
        appends = AsyncAppends(recorder.commits)
        with gathering(recorder.commits):
            tasks = await submitted(
                appends, on("a", events=2), on("\0"), on("b"), on("c", version=0), on("d")
            )
        written = await outcomes(tasks)
        return written, await outcomes([appends.append(on("a")), appends.append(on("e"))])

    written, later = awaited(act())

    assert [[1, 2], [3], [4]] == [written[n] for n in (0, 2, 4)]
    assert issubclass(written[1], psycopg.DataError)
    assert psycopg.errors.CheckViolation is written[3]
    assert [VersionTaken, [5]] == later
    assert ["a", "a", "b", "d", "e"] == streams(recorder)


def test_an_answer_alone_has_no_positions(recorder, awaited):
    """None is not the same as not being answered."""

    async def act():
        kept = on("a", key="1")
        kept = type(kept)([], answer=kept.answer)
        return await AsyncAppends(recorder.commits).append(kept)

    assert [] == awaited(act())
    assert {"1"} == set(recorder.answers("officer-1", ["1"]))


def test_threads_and_loops_share_a_batch(recorder, gathering, until, transactions):
    """Two loops, each with its own coroutines, and threads: one transaction, nobody's mixed up."""

    def loop(number):
        async def act():
            appends = AsyncAppends(recorder.commits)
            own = [on(f"loop {number} {n}", events=n + 1) for n in range(EACH)]
            return await asyncio.gather(*map(appends.append, own))

        return asyncio.run(asyncio.wait_for(act(), WAIT_S))

    with ThreadPoolExecutor(LOOPS + EACH) as threads:
        with gathering(recorder.commits):
            in_loops = [threads.submit(loop, n) for n in range(LOOPS)]
            in_threads = [
                threads.submit(recorder.append, on(f"thread {n}", events=n + 1))
                for n in range(EACH)
            ]
            until(lambda: len(recorder.commits._queue._tickets) == (LOOPS + 1) * EACH)
        groups = [loop.result(WAIT_S) for loop in in_loops]
        groups.append([thread.result(WAIT_S) for thread in in_threads])

    log = streams(recorder)
    assert 1 == len(transactions())
    for name, group in zip(("loop 0", "loop 1", "thread"), groups, strict=True):
        for n, positions in enumerate(group):
            assert [f"{name} {n}"] * (n + 1) == [log[position - 1] for position in positions]


def test_a_batch_wakes_a_loop_once(recorder, gathering, awaited, monkeypatch):
    """However many coroutines wait there: each waking is a write to a pipe."""

    async def act():
        loop = asyncio.get_running_loop()
        wake, woken = loop.call_soon_threadsafe, []

        def counted(*call):
            woken.append(call)
            return wake(*call)

        appends = AsyncAppends(recorder.commits)
        with gathering(recorder.commits):
            tasks = await submitted(appends, *(on(str(n)) for n in range(100)))
            monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
        await asyncio.gather(*tasks)
        return len(woken)

    assert 1 == awaited(act())


# -- giving up ---------------------------------------------------------------------------------


def test_who_is_cancelled_in_the_queue_is_not_written(recorder, gathering, awaited):
    """Neighbours, and who comes after it with the same permit, are."""

    async def act():
        appends = AsyncAppends(recorder.commits)
        with gathering(recorder.commits):
            before, cancelled, after, same = await submitted(
                appends, on("a"), on("b", key="1"), on("c"), on("b", key="2")
            )
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
        return await outcomes([before, after, same])

    assert [[1], [2], [3]] == awaited(act())
    assert ["a", "c", "b"] == streams(recorder)
    assert {"2"} == set(recorder.answers("officer-1", ["1", "2"]))


def test_who_is_cancelled_in_the_writers_hands_is_written(
    recorder, head_held, writer_waits, awaited
):
    """It can't be called back; who comes next stands behind it."""

    async def act():
        appends = AsyncAppends(recorder.commits)
        with head_held():
            [cancelled] = await submitted(appends, on("a"))
            writer_waits()
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            [later] = await submitted(appends, on("b"))
        return await later

    assert [2] == awaited(act())
    assert ["a", "b"] == streams(recorder)


def test_who_is_cancelled_when_the_answer_is_there_changes_nothing(recorder, awaited):
    """The answer waits in the loop, and the coroutine does not want it any more."""

    async def act():
        appends = AsyncAppends(recorder.commits)
        [cancelled] = await submitted(appends, on("a"))
        recorder.append(on("b"))  # a thread's way, with the loop at a stand: "a" is written first
        cancelled.cancel()
        return await outcomes([cancelled, appends.append(on("c"))])

    assert [asyncio.CancelledError, [3]] == awaited(act())
    assert ["a", "b", "c"] == streams(recorder)


def test_a_full_queue_is_told_at_once(recorder, gathering, awaited, monkeypatch):
    """And leaves nothing to wait for."""
    monkeypatch.setattr(append_queue, "QUEUE_APPENDS_MAX", 1)

    async def act():
        appends = AsyncAppends(recorder.commits)
        with gathering(recorder.commits):
            tasks = await submitted(appends, on("a"), on("b"))
            with pytest.raises(Unavailable):
                await tasks[1]
        return await tasks[0], appends._waiting

    assert ([1], set()) == awaited(act())


# -- a writer that hangs, a loop that ends -----------------------------------------------------


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_coroutines_do_not_wait_for_a_writer_that_hangs(
    hanging, recorder, until, monkeypatch, new_loop
):
    """Not before the limit, and soon after it: who is in the writer's hands can't know, who still
    waited for it is not written, then or later."""
    monkeypatch.setattr(async_append, "SWEEP_S", 0.02)
    limit_s = hanging.wait_s

    async def act():
        appends = AsyncAppends(hanging)
        began = time.monotonic()
        tasks = await submitted(appends, on("taken"))
        until(hanging.connecting.is_set)
        tasks += await submitted(appends, on("queued"), on("queued too"))
        found = await outcomes(tasks)
        waited_s = time.monotonic() - began
        hanging.let_go()
        return found, waited_s, await appends.append(on("next"))

    with asyncio.Runner(loop_factory=new_loop) as runner:
        found, waited_s, positions = runner.run(asyncio.wait_for(act(), WAIT_S))

    assert [OutcomeUnknown, Unavailable, Unavailable] == found
    assert limit_s <= waited_s
    assert ["taken", "next"] == streams(recorder)
    assert [2] == positions


def test_the_timer_ends_with_the_last_who_waits(recorder, awaited, monkeypatch):
    """An idle loop does nothing; the next append starts it again."""
    monkeypatch.setattr(async_append, "SWEEP_S", 0.01)

    async def act():
        appends = AsyncAppends(recorder.commits)
        for name in "ab":
            await appends.append(on(name))
            assert appends._timer
            while appends._timer:
                await asyncio.sleep(0.01)

    awaited(act())


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_loop_that_has_ended_does_not_end_the_writer(recorder, gathering, awaited, new_loop):
    """Nobody listens there any more; the others of its batch are told, and it goes on."""
    commits = recorder.commits

    async def submit():
        commits.submit(AwaitedAppend(on("abandoned"), WAIT_S))

    def abandon():
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(submit())

    async def act():
        with gathering(commits):
            await asyncio.to_thread(abandon)
            tasks = await submitted(AsyncAppends(commits), on("a"), on("b"))
        return await outcomes(tasks)

    assert [[2], [3]] == awaited(act())
    assert [4] == recorder.append(on("c"))
    assert ["abandoned", "a", "b", "c"] == streams(recorder)
