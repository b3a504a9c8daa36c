"""Whatever waits when the database is free shares a transaction, and nobody waits for company."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import pytest

from ledger.database.connections import connect
from ledger.errors import OutcomeUnknown, Unavailable, VersionTaken
from ledger.eventlog import group_commit
from ledger.eventlog.append_queue import BATCH_EVENTS_MAX
from ledger.eventlog.pending import PendingAppend
from ledger.eventlog.registry import ClaimHolder
from tests.ledger.appends import kinds, on, streams

THREADS = 8
MANY = 20
WAIT_S = 30


def test_what_comes_while_the_database_is_busy_is_one_transaction(in_one_batch, transactions):
    """As many events as a batch takes; each gets its own position, in the order they came."""
    outcomes = in_one_batch(*(on(str(n)) for n in range(BATCH_EVENTS_MAX)))

    assert [[n + 1] for n in range(500)] == outcomes
    assert [list(range(1, 501))] == transactions()


def test_who_finds_it_idle_goes_alone(recorder, transactions):
    """One after the other: nobody waits for company."""
    for n in range(5):
        assert [n + 1] == recorder.append(on(str(n)))

    assert [[1], [2], [3], [4], [5]] == transactions()


def test_positions_are_in_the_order_of_submission(recorder, in_one_batch, transactions):
    """An append's own events are next to each other, however many there are."""
    outcomes = in_one_batch(*(on(f"stream {n}", events=n) for n in (2, 3, 1, 4)))

    assert [[1, 2], [3, 4, 5], [6], [7, 8, 9, 10]] == outcomes
    assert [list(range(1, 11))] == transactions()
    assert [f"stream {n}" for n in (2, 3, 1, 4) for _ in range(n)] == streams(recorder)


def test_appends_of_one_permit_follow_on_each_other(in_one_batch, transactions):
    """Each finds what the one before it has written; their neighbours do not wait for them."""
    outcomes = in_one_batch(
        on("a"), on("a", version=2), on("b"), on("a", version=3), on("a", version=3)
    )

    assert [[1], [3], [2], [4], VersionTaken] == kinds(outcomes)
    assert [[1, 2], [3], [4]] == transactions()


# -- the database's side -----------------------------------------------------------------------


def test_no_transaction_is_left_open_between_round_trips(recorder, at_once, database_url):
    """A process that stops in the middle would hold up every other one."""
    numbers = itertools.count()
    done = []
    idle = (
        "SELECT query FROM pg_stat_activity WHERE datname = current_database()"
        " AND state LIKE 'idle in transaction%'"
    )

    def write():
        for _ in range(MANY):
            n = str(next(numbers))
            recorder.append(on(n, ClaimHolder(n.encode(), f"holder-{n}", n), key=n))
        done.append(True)

    def look():
        found = []
        with connect(database_url) as connection:
            while len(done) < THREADS:
                found += connection.execute(idle).fetchall()
        return found

    *_, found = at_once([*[write] * THREADS, look])

    assert [] == found
    assert THREADS * MANY == recorder.head()


def test_nothing_is_locked_after_a_batch(recorder, in_one_batch, admin):
    """Neither after one that was written nor after losers and what can't be stored."""
    in_one_batch(on("a", key="1"), on("a"), on("\0"), on("b", version=0), on("c"))

    others = (
        "SELECT locktype, mode FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert [] == admin.execute(others).fetchall()
    assert [(2,)] == admin.execute("SELECT position FROM ledger.head FOR UPDATE NOWAIT").fetchall()


# -- beginning and ending ----------------------------------------------------------------------


def test_nothing_is_connected_before_the_first_append(recorder, admin):
    """A process that only reads has no writer."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'permit-ledger append'"
    assert (0,) == admin.execute(sql).fetchone()

    recorder.append(on("a"))

    assert (1,) == admin.execute(sql).fetchone()


def test_the_first_appends_of_many_threads_have_one_writer(recorder, at_once, until, monkeypatch):
    """Two would write past each other's order: none is made before all have asked for it."""
    made = []

    def make(*args, **how):
        until(lambda: len(recorder.commits._queue._tickets) == THREADS)
        made.append(Thread(*args, **how))
        return made[-1]

    monkeypatch.setattr(group_commit, "Thread", make)
    outcomes = at_once([lambda n=n: recorder.append(on(str(n))) for n in range(THREADS)])

    assert [[n + 1] for n in range(THREADS)] == sorted(outcomes)
    assert [recorder.commits._thread] == made


def test_what_waits_at_the_end_is_written_and_the_rest_refused(recorder, gathering, until):
    """Who was accepted is answered; who comes later hears it at once."""
    commits = recorder.commits
    waiting = [PendingAppend(on(name), WAIT_S) for name in ("a", "b", "a")]

    with ThreadPoolExecutor(1) as thread:
        with gathering(commits):
            for pending in waiting:
                commits.submit(pending)
            closing = thread.submit(commits.close)
            until(lambda: commits._queue._closed)
            with pytest.raises(Unavailable):
                commits.append(on("late"))
        closing.result(WAIT_S)

    assert [True] * 3 == [pending.is_answered for pending in waiting]
    assert ["a", "b"] == streams(recorder)


def test_a_thread_does_not_wait_for_a_writer_that_hangs(hanging, recorder, until):
    """Who is in its hands can't know; who still waited for it is not written, then or later."""
    with ThreadPoolExecutor(1) as thread:
        taken = thread.submit(hanging.append, on("taken"))
        until(hanging.connecting.is_set)
        with pytest.raises(Unavailable) as queued:
            hanging.append(on("queued"))
        assert OutcomeUnknown is type(taken.exception(WAIT_S))

    assert Unavailable is type(queued.value)
    hanging.let_go()
    assert [2] == hanging.append(on("next"))
    assert ["taken", "next"] == streams(recorder)


def test_closing_does_not_wait_for_a_writer_that_hangs(hanging, until):
    """Not for longer than its callers do: a service has to be able to stop."""
    hanging.submit(PendingAppend(on("taken"), hanging.answer_in_s))
    until(hanging.connecting.is_set)

    with ThreadPoolExecutor(1) as thread:
        try:
            thread.submit(hanging.close).result(10)
        finally:
            hanging.let_go()

    until(lambda: not hanging._thread.is_alive())
