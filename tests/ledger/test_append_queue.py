"""The queue before the database is bounded; appends can be withdrawn, and are taken as soon as it
is free."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from ledger.crypto.portraits import SIZE_BYTES_MAX, SealedPortrait
from ledger.errors import OutcomeUnknown, Unavailable
from ledger.eventlog import group_commit
from ledger.eventlog.group_commit import AppendQueue
from tests.ledger.pending_appends import batches, filled, key, on

WAIT_S = 30
THREADS = 8
PUTS = 50


@pytest.fixture
def queue():
    return AppendQueue()


# -- bounds ------------------------------------------------------------------------------------


def test_a_batch_is_bounded_in_events(monkeypatch):
    """It ends with the append that brings it to the bound; an append is never divided."""
    monkeypatch.setattr(group_commit, "BATCH_EVENTS_MAX", 4)
    pendings = [on(str(n), events=3) for n in range(5)]

    queue = filled(*pendings)

    assert [pendings[:2], pendings[2:4], pendings[4:]] == batches(queue)


def test_responses_without_events_count_too(monkeypatch):
    """Each is a row to look for and to write."""
    monkeypatch.setattr(group_commit, "BATCH_EVENTS_MAX", 2)
    pendings = [on(key=key(str(n))) for n in range(3)]

    queue = filled(*pendings)

    assert [pendings[:2], pendings[2:]] == batches(queue)


def test_a_batch_is_bounded_in_bytes(monkeypatch):
    """Of states, answers and portraits."""
    picture = SealedPortrait("a", 1, bytes(100))
    monkeypatch.setattr(group_commit, "BATCH_BYTES_MAX", 150)
    pendings = [on(str(n), size=10, portrait=picture) for n in range(5)]

    queue = filled(*pendings)

    assert [pendings[:2], pendings[2:4], pendings[4:]] == batches(queue)


@pytest.mark.parametrize("bound", ["BATCH_EVENTS_MAX", "BATCH_BYTES_MAX"])
def test_an_append_larger_than_a_batch_is_a_batch_alone(monkeypatch, bound):
    """An append is written completely or not at all."""
    monkeypatch.setattr(group_commit, bound, 4)
    large, small = on("a", events=10), on("b")

    queue = filled(large, small)

    assert [[large], [small]] == batches(queue)


def test_the_bounds_leave_room_for_portraits():
    """A batch holds several of the largest ones."""
    assert group_commit.BATCH_BYTES_MAX >= 50 * SIZE_BYTES_MAX
    assert group_commit.QUEUE_BYTES_MAX >= group_commit.BATCH_BYTES_MAX
    assert group_commit.QUEUE_APPENDS_MAX >= group_commit.BATCH_EVENTS_MAX


@pytest.mark.parametrize(
    ("bound", "most"),
    [("QUEUE_APPENDS_MAX", 3), ("QUEUE_BYTES_MAX", 30)],
    ids=["number", "bytes"],
)
def test_a_full_queue_refuses_at_once_until_something_was_taken(monkeypatch, bound, most):
    """The caller may retry."""
    monkeypatch.setattr(group_commit, bound, most)
    monkeypatch.setattr(group_commit, "BATCH_EVENTS_MAX", 1)
    queue = filled(*[on(str(n), size=10) for n in range(3)])
    late = on("late", size=10)

    with pytest.raises(Unavailable, match="Too many"):
        queue.put(late)
    assert 1 == len(queue.next_batch())
    queue.put(late)
    with pytest.raises(Unavailable):
        queue.put(on("later", size=10))


def test_deferred_appends_count_too(monkeypatch):
    """They are in memory as before."""
    monkeypatch.setattr(group_commit, "QUEUE_BYTES_MAX", 30)
    queue = filled(*[on("a", size=10) for _ in range(3)])
    queue.next_batch()

    queue.put(on("b", size=10))
    with pytest.raises(Unavailable):
        queue.put(on("c", size=10))


# -- giving up ---------------------------------------------------------------------------------


def test_an_append_that_was_not_taken_is_withdrawn():
    """Its caller knows that it will never be written."""
    first, second, third = on("a"), on("a"), on("b")
    queue = filled(first, second, third)

    answer = queue.take_back(first)

    assert (Unavailable, True) == (type(answer), first.withdrawn)
    assert [second, third] == queue.next_batch()  # it defers no other append either


def test_a_deferred_append_can_be_withdrawn():
    """The writer has not taken it yet."""
    first, second, third = on("a"), on("a"), on("a")
    queue = filled(first, second, third)
    queue.next_batch()

    assert Unavailable is type(queue.take_back(second))
    assert [third] == queue.next_batch()


def test_a_taken_append_cannot_be_withdrawn():
    """It may be under way to the disk."""
    pending = on("a")
    queue = filled(pending)
    queue.next_batch()

    answer = queue.take_back(pending)

    assert (OutcomeUnknown, False) == (type(answer), pending.withdrawn)


def test_a_withdrawn_appends_bytes_are_freed(monkeypatch):
    """For appends after the next batch."""
    monkeypatch.setattr(group_commit, "QUEUE_BYTES_MAX", 30)
    waiting = [on(str(n), size=10) for n in range(3)]
    queue = filled(*waiting)
    for pending in waiting[:2]:
        queue.take_back(pending)

    assert waiting[2:] == queue.next_batch()

    fresh = [on(f"fresh {n}", size=10) for n in range(3)]
    for pending in fresh:
        queue.put(pending)
    assert fresh == queue.next_batch()


# -- waiting and ending ------------------------------------------------------------------------


@pytest.fixture
def next_batch(queue):
    """``next_batch()``: a future of the next batch, which a thread waits for."""
    with ThreadPoolExecutor(1) as thread:
        yield lambda: thread.submit(queue.next_batch)
        queue.close()


def test_the_first_append_is_taken_at_once(queue, next_batch):
    """It does not wait for others."""
    batch, pending = next_batch(), on("a")

    queue.put(pending)

    assert [pending] == batch.result(WAIT_S)


def test_closing_ends_the_wait_for_a_batch(queue, next_batch):
    """No append follows."""
    batch = next_batch()

    queue.close()

    assert [] == batch.result(WAIT_S)


def test_appends_that_wait_when_the_queue_is_closed_are_still_taken():
    """They were accepted; later ones are refused at once."""
    first, second = on("a"), on("a")
    queue = filled(first, second)

    queue.close()

    with pytest.raises(Unavailable):
        queue.put(on("b"))
    assert [[first], [second], []] == [queue.next_batch() for _ in range(3)]


def test_no_append_is_lost_between_many_threads_and_one(queue, at_once):
    """Each accepted append is taken once, whichever threads put at the same time."""

    def put(number):
        def put():
            accepted = [on(f"{number}-{n}") for n in range(PUTS)]
            for pending in accepted:
                queue.put(pending)
            return accepted

        return put

    def take():
        taken = []
        while len(taken) < THREADS * PUTS:
            taken += queue.next_batch()
        return taken

    *accepted, taken = at_once([*(put(number) for number in range(THREADS)), take])

    assert len(taken) == len({id(pending) for pending in taken}) == THREADS * PUTS
    for own in accepted:
        assert own == [pending for pending in taken if pending in own]
    assert queue.size_bytes == 0


def test_a_refused_append_leaves_nothing_behind(queue, monkeypatch):
    """Repeated attempts do not fill the queue."""
    monkeypatch.setattr(group_commit, "QUEUE_BYTES_MAX", 5)
    for _ in range(10):
        with suppress(Unavailable):
            queue.put(on("large", size=6))
    fits = on("a", size=5)

    queue.put(fits)

    assert [fits] == queue.next_batch()
