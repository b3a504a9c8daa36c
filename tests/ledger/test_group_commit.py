"""All appends that wait when the database becomes free share a transaction."""

import asyncio
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest
import uvloop

from ledger.database.connections import as_service, connect
from ledger.errors import OutcomeUnknown, Unavailable, VersionTaken
from ledger.eventlog import group_commit
from ledger.eventlog.append import Append, append_commits
from ledger.eventlog.group_commit import BATCH_EVENTS_MAX
from ledger.eventlog.registry import ClaimHolder
from tests.ledger.appends import kinds, on, outcome_of, streams

THREADS = 8
MANY = 20
WAIT_S = 30


def test_appends_that_arrive_while_the_database_is_busy_share_a_transaction(
    in_one_batch, transactions
):
    """Up to a batch; each gets its own positions, in the order of arrival."""
    outcomes = in_one_batch(*(on(str(n)) for n in range(BATCH_EVENTS_MAX)))

    assert [[n + 1] for n in range(500)] == outcomes
    assert [list(range(1, 501))] == transactions()


def test_an_append_to_an_idle_writer_is_written_alone(raw_log, transactions):
    """It does not wait for others."""
    for n in range(5):
        assert [n + 1] == raw_log.append(on(str(n)))

    assert [[1], [2], [3], [4], [5]] == transactions()


def test_positions_are_in_the_order_of_submission(raw_log, in_one_batch, transactions):
    """An append's own events are adjacent, however many there are."""
    outcomes = in_one_batch(*(on(f"stream {n}", events=n) for n in (2, 3, 1, 4)))

    assert [[1, 2], [3, 4, 5], [6], [7, 8, 9, 10]] == outcomes
    assert [list(range(1, 11))] == transactions()
    assert [f"stream {n}" for n in (2, 3, 1, 4) for _ in range(n)] == streams(raw_log)


def test_appends_of_one_permit_keep_their_order(in_one_batch, transactions):
    """Each finds what the one before it has written; others do not wait for them."""
    outcomes = in_one_batch(
        on("a"), on("a", version=2), on("b"), on("a", version=3), on("a", version=3)
    )

    assert [[1], [3], [2], [4], VersionTaken] == kinds(outcomes)
    assert [[1, 2], [3], [4]] == transactions()


# -- the database's side -----------------------------------------------------------------------


def test_no_transaction_is_left_open_between_round_trips(raw_log, at_once, database_url):
    """A suspended process would block all others."""
    numbers = itertools.count()
    done = []
    idle = (
        "SELECT query FROM pg_stat_activity WHERE datname = current_database()"
        " AND state LIKE 'idle in transaction%'"
    )

    def write():
        for _ in range(MANY):
            n = str(next(numbers))
            raw_log.append(on(n, ClaimHolder(n.encode(), f"holder-{n}", n), key=n))
        done.append(True)

    def look():
        found = []
        with connect(database_url) as connection:
            while len(done) < THREADS:
                found += connection.execute(idle).fetchall()
        return found

    *_, found = at_once([*[write] * THREADS, look])

    assert [] == found
    assert THREADS * MANY == raw_log.head()


def test_nothing_is_locked_after_a_batch(raw_log, in_one_batch, admin):
    """Neither after a written one nor after conflicts and failures."""
    in_one_batch(on("a", key="1"), on("a"), on("\0"), on("b", version=0), on("c"))

    others = (
        "SELECT locktype, mode FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert [] == admin.execute(others).fetchall()
    assert [(2,)] == admin.execute("SELECT position FROM ledger.head FOR UPDATE NOWAIT").fetchall()


# -- beginning and ending ----------------------------------------------------------------------


def test_nothing_is_connected_before_the_first_append(raw_log, admin):
    """A process that only reads has no writer."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'permit-ledger append'"
    assert (0,) == admin.execute(sql).fetchone()

    raw_log.append(on("a"))

    assert (1,) == admin.execute(sql).fetchone()


def test_there_is_one_writer(raw_log, at_once):
    """Two writers would not keep the order."""
    outcomes = at_once([lambda n=n: raw_log.append(on(str(n))) for n in range(THREADS)])

    assert [[n + 1] for n in range(THREADS)] == sorted(outcomes)
    writers = [thread for thread in threading.enumerate() if thread.name == "group-commit"]
    assert 1 == len(writers)


def test_at_the_end_queued_appends_are_written_and_later_ones_refused(raw_log, gathering, until):
    """Every accepted append is answered; a later one is refused at once."""
    with ThreadPoolExecutor(1) as thread:
        with gathering(raw_log):
            waiting = [raw_log.start(on(name)) for name in ("a", "b", "a")]
            until(lambda: raw_log.commits.queued == 3)
            closing = thread.submit(raw_log.commits.close)
            until(lambda: raw_log.commits.is_closed)
            with pytest.raises(Unavailable):
                raw_log.append(on("late"))
        closing.result(WAIT_S)

    assert [[1], [2], VersionTaken] == kinds(outcome_of(future) for future in waiting)
    assert ["a", "b"] == streams(raw_log)


def test_a_caller_does_not_wait_for_a_writer_that_hangs(hanging, raw_log, until):
    """The outcome of a taken append is unknown; a queued one is not written, then or later."""
    taken = hanging.log.start(on("taken"))
    until(hanging.connecting.is_set)
    queued = hanging.log.start(on("queued"))

    assert [OutcomeUnknown, Unavailable] == kinds(map(outcome_of, (taken, queued)))
    hanging.let_go()
    until(lambda: raw_log.head() == 1)
    assert [2] == hanging.log.append(on("next"))
    assert ["taken", "next"] == streams(raw_log)


def test_closing_does_not_wait_for_a_writer_that_hangs(hanging, until):
    """Not longer than its callers do: a service has to be able to stop."""
    hanging.log.start(on("taken"))
    until(hanging.connecting.is_set)

    with ThreadPoolExecutor(1) as thread:
        try:
            thread.submit(hanging.log.commits.close).result(10)
        finally:
            hanging.let_go()

    until(lambda: not hanging.log.commits.is_running)


# -- callers that stop waiting -----------------------------------------------------------------


def test_a_cancelled_append_is_withdrawn(raw_log, gathering, until):
    """The others are written, and a later one of the same stream."""
    with gathering(raw_log):
        before, cancelled, after, same = (
            raw_log.start(append)
            for append in (on("a"), on("b", key="1"), on("c"), on("b", key="2"))
        )
        until(lambda: raw_log.commits.queued == 4)
        cancelled.cancel()
        until(lambda: raw_log.commits.queued == 3)

    assert [[1], [2], [3]] == [outcome_of(future) for future in (before, after, same)]
    assert ["a", "c", "b"] == streams(raw_log)
    assert {"2"} == set(raw_log.answers("officer-1", ["1", "2"]))


def test_a_cancelled_append_that_was_taken_is_written(raw_log, head_held, writer_waits):
    """It can no longer be withdrawn; the next one follows it."""
    with head_held():
        cancelled = raw_log.start(on("a"))
        writer_waits()
        cancelled.cancel()
        later = raw_log.start(on("b"))

    assert [2] == outcome_of(later)
    assert ["a", "b"] == streams(raw_log)


def test_a_full_queue_refuses_at_once(raw_log, gathering, monkeypatch):
    """The caller does not wait for the database."""
    monkeypatch.setattr(group_commit, "QUEUE_APPENDS_MAX", 1)
    with gathering(raw_log):
        first, second = raw_log.start(on("a")), raw_log.start(on("b"))
        assert Unavailable is type(outcome_of(second))

    assert [1] == outcome_of(first)


def test_waits_are_bounded_after_an_idle_time_too(hanging):
    """The timer ends with the last wait, and starts again with the next."""
    for _ in range(2):
        began = time.monotonic()
        assert isinstance(outcome_of(hanging.log.start(on("a"))), Unavailable)
        assert time.monotonic() - began >= hanging.WAIT_S


# -- the event loop ----------------------------------------------------------------------------


def test_each_caller_gets_its_own_outcome(in_one_batch):
    """Positions and errors of one batch, and no positions for a response without events."""
    kept = on("kept", key="1").answer

    outcomes = in_one_batch(
        on("a", events=2), on("\0"), on("b"), on("c", version=0), Append([], answer=kept), on("d")
    )

    assert [[1, 2], [3], [], [4]] == [outcomes[n] for n in (0, 2, 4, 5)]
    assert isinstance(outcomes[1], psycopg.DataError)
    assert isinstance(outcomes[3], psycopg.errors.CheckViolation)


def test_a_batch_wakes_the_loop_once(raw_log, gathering, until, monkeypatch):
    """However many coroutines wait: each wake-up is a write to a pipe."""

    async def running_loop():
        return asyncio.get_running_loop()

    loop = raw_log.loop.run(running_loop())
    wake, woken = loop.call_soon_threadsafe, []

    def counted(*call):
        woken.append(call)
        return wake(*call)

    with gathering(raw_log):
        started = [raw_log.start(on(str(n))) for n in range(100)]
        until(lambda: raw_log.commits.queued == 100)
        monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    for future in started:
        future.result(WAIT_S)

    assert 2 == len(woken)  # with that of ``gathering``'s own append


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_loop_that_has_ended_does_not_end_the_writer(
    database_url, raw_log, head_held, writer_waits, until, new_loop
):
    """A taken append is written, although no caller is left."""
    commits = append_commits(as_service(database_url))

    async def abandon():
        appending = asyncio.create_task(commits.append(on("abandoned")))
        await asyncio.to_thread(writer_waits)
        return appending

    with closing(commits):
        with head_held(), asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(abandon())

        until(lambda: raw_log.head() == 1)
        assert commits.is_running
    assert not commits.is_running
