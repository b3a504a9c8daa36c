"""What waits for the database: taken in independent batches, in order, within bounds."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import given
from hypothesis import strategies as st

from ledger import append_queue
from ledger.append import Append
from ledger.append_queue import AppendQueue
from ledger.errors import OutcomeUnknown, Unavailable
from ledger.holders import Reindex, Release, Take
from ledger.idempotency import IdempotencyKey, PendingAnswer
from ledger.portraits import SIZE_BYTES_MAX, Portrait
from ledger.ticket import Ticket

WAIT_S = 30
THREADS = 8
PUTS = 50


def on(*streams, events=1, size=2, changes=(), key=None, portrait=None):
    """A ticket for events of these permits, each of ``size`` bytes."""
    stored = [
        StoredEvent(stream, version + 1, "test.happened.v1", b"x" * size)
        for stream in streams
        for version in range(events)
    ]
    answer = PendingAnswer(key, accepted=True, body=b"", version=1) if key else None
    return Ticket(Append(stored, changes, answer, portrait), 60)


def key(name, caller="officer-1"):
    return IdempotencyKey(caller, name, b"")


@pytest.fixture
def queue():
    return AppendQueue()


@pytest.fixture
def filled(queue):
    """``filled(ticket, …)``: the queue with these in it."""

    def filled(*tickets):
        for ticket in tickets:
            queue.put(ticket)
        return queue

    return filled


def batches(queue):
    """All that it gives, closed: where nothing more comes, nobody waits."""
    queue.close()
    return list(iter(queue.next_batch, []))


# -- independence ------------------------------------------------------------------------------


def test_what_is_independent_goes_together_in_order(filled):
    """All at once, as they came."""
    tickets = [on("c"), on("a"), on("b")]

    assert tickets == filled(*tickets).next_batch()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (on("a"), on("a")),
        (on("a"), on("b", "a")),
        (on("a", key=key("1")), on("b", key=key("1"))),
        (on(key=key("1")), on(key=key("1"))),
        (on("a", changes=[Take(b"p", "h1", "a")]), on("b", changes=[Take(b"p", "h2", "b")])),
        (on("a", changes=[Take(b"p", "h1", "a")]), on("b", changes=[Reindex(b"q", "b", b"p")])),
        (
            on("a", changes=[Reindex(b"q", "a", b"p")]),
            on("b", changes=[Reindex(b"r", "b", b"p")]),
        ),
        (on("a", changes=[Release(b"p", "a")]), on("b", changes=[Take(b"p", "h1", "b")])),
        (on("a", changes=[Reindex(b"p", "a", b"q")]), on("b", changes=[Take(b"p", "h2", "b")])),
    ],
    ids=[
        *("permit", "permit among several", "key", "key of answers alone", "person taken twice"),
        *("person taken and found", "person found twice", "person free again", "number free again"),
    ],
)
def test_who_shares_a_claim_waits_for_the_next_batch(queue, first, second):
    """They could lose a race to each other; a third that shares nothing is not held up."""
    third = on("third")
    for ticket in (first, second, third):
        queue.put(ticket)

    assert [[first, third], [second]] == batches(queue)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (on("a", key=key("1")), on("b", key=key("1", caller="officer-2"))),
        (on("a", changes=[Take(b"p", "h", "a")]), on("b", changes=[Take(b"q", "h", "b")])),
        (on("a", changes=[Release(b"p", "a")]), on("b", changes=[Release(b"q", "b")])),
    ],
    ids=["another caller's key", "another person", "another permit"],
)
def test_who_shares_none_goes_along(filled, first, second):
    """Keys are a caller's own, and people are told apart by their number alone."""
    assert [first, second] == filled(first, second).next_batch()


def test_who_is_held_back_holds_back_who_follows_it(filled):
    """Otherwise the third would overtake the second, with which it shares a permit."""
    first, second, third, fourth = on("a"), on("a", "b"), on("b", "c"), on("c")

    queue = filled(first, second, third, fourth)

    assert [[first], [second], [third], [fourth]] == batches(queue)


def test_who_was_held_back_goes_before_who_came_later(filled):
    """The order of each permit's appends is that in which they came."""
    same = [on("a") for _ in range(4)]
    queue = filled(*same)
    taken = queue.next_batch()
    late = on("a")
    queue.put(late)

    taken += itertools.chain(*batches(queue))

    assert [*same, late] == taken


def test_who_was_held_back_goes_before_who_was_not_looked_at(filled, monkeypatch):
    """The batch was full before it came to the third of the same permit."""
    monkeypatch.setattr(append_queue, "BATCH_EVENTS_MAX", 2)
    first, second, other, third = on("a"), on("a"), on("b"), on("a")

    queue = filled(first, second, other, third)

    assert [[first, other], [second], [third]] == batches(queue)


@given(st.lists(st.sets(st.sampled_from("abcdef"), min_size=1), max_size=40), st.data())
def test_no_batch_has_a_claim_twice_and_no_claim_changes_its_order(wanted, data):
    """Whatever is wanted, and whoever gives up meanwhile: each of the others is taken once."""
    queue = AppendQueue()
    tickets = [on(*sorted(streams)) for streams in wanted]
    for ticket in tickets:
        queue.put(ticket)
    withdrawn = data.draw(st.sets(st.sampled_from(range(len(tickets))))) if tickets else set()
    for n in withdrawn:
        queue.take_back(tickets[n])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(append_queue, "BATCH_EVENTS_MAX", data.draw(st.integers(1, 10)))
        found = batches(queue)

    for batch in found:
        claims = [claim for ticket in batch for claim in ticket.claims]
        assert len(set(claims)) == len(claims)
    taken = list(itertools.chain(*found))
    staying = [ticket for n, ticket in enumerate(tickets) if n not in withdrawn]
    for stream in "abcdef":
        assert [t for t in staying if stream in t.claims] == [
            t for t in taken if stream in t.claims
        ]
    assert queue._size_bytes == 0


# -- bounds ------------------------------------------------------------------------------------


def test_a_batch_is_bounded_in_events(filled, monkeypatch):
    """It ends with the append that brings it to the bound; an append is never divided."""
    monkeypatch.setattr(append_queue, "BATCH_EVENTS_MAX", 4)
    tickets = [on(str(n), events=3) for n in range(5)]

    queue = filled(*tickets)

    assert [tickets[:2], tickets[2:4], tickets[4:]] == batches(queue)


def test_answers_without_events_count_too(filled, monkeypatch):
    """Each is a row to look for and to write."""
    monkeypatch.setattr(append_queue, "BATCH_EVENTS_MAX", 2)
    tickets = [on(key=key(str(n))) for n in range(3)]

    queue = filled(*tickets)

    assert [tickets[:2], tickets[2:]] == batches(queue)


def test_a_batch_is_bounded_in_bytes(filled, monkeypatch):
    """Of states, answers and portraits."""
    picture = Portrait.of(b"\xff\xd8\xff".ljust(98, b"x") + b"\xff\xd9")
    monkeypatch.setattr(append_queue, "BATCH_BYTES_MAX", 150)
    tickets = [on(str(n), size=10, portrait=picture) for n in range(5)]

    queue = filled(*tickets)

    assert [tickets[:2], tickets[2:4], tickets[4:]] == batches(queue)


@pytest.mark.parametrize("bound", ["BATCH_EVENTS_MAX", "BATCH_BYTES_MAX"])
def test_an_append_larger_than_a_batch_goes_alone(filled, monkeypatch, bound):
    """There is no other way to write all of it or nothing."""
    monkeypatch.setattr(append_queue, bound, 4)
    large, small = on("a", events=10), on("b")

    queue = filled(large, small)

    assert [[large], [small]] == batches(queue)


def test_the_bounds_leave_room_for_portraits():
    """A batch of the largest ones is no batch of one."""
    assert append_queue.BATCH_BYTES_MAX >= 50 * SIZE_BYTES_MAX
    assert append_queue.QUEUE_BYTES_MAX >= append_queue.BATCH_BYTES_MAX
    assert append_queue.QUEUE_APPENDS_MAX >= append_queue.BATCH_EVENTS_MAX


@pytest.mark.parametrize(
    ("bound", "most"),
    [("QUEUE_APPENDS_MAX", 3), ("QUEUE_BYTES_MAX", 30)],
    ids=["number", "bytes"],
)
def test_a_full_queue_refuses_at_once_until_something_was_taken(filled, monkeypatch, bound, most):
    """Too much to hold in memory: the caller may try again."""
    monkeypatch.setattr(append_queue, bound, most)
    monkeypatch.setattr(append_queue, "BATCH_EVENTS_MAX", 1)
    queue = filled(*[on(str(n), size=10) for n in range(3)])
    late = on("late", size=10)

    with pytest.raises(Unavailable, match="Too many"):
        queue.put(late)
    assert 1 == len(queue.next_batch())
    queue.put(late)
    with pytest.raises(Unavailable):
        queue.put(on("later", size=10))


def test_what_is_held_back_still_counts(filled, monkeypatch):
    """It lies in memory as before."""
    monkeypatch.setattr(append_queue, "QUEUE_BYTES_MAX", 30)
    queue = filled(*[on("a", size=10) for _ in range(3)])
    queue.next_batch()

    queue.put(on("b", size=10))
    with pytest.raises(Unavailable):
        queue.put(on("c", size=10))


# -- giving up ---------------------------------------------------------------------------------


def test_what_was_not_taken_is_withdrawn(filled):
    """Its caller knows that it will never be written."""
    first, second, third = on("a"), on("a"), on("b")
    queue = filled(first, second, third)

    answer = queue.take_back(first)

    assert (Unavailable, True) == (type(answer), first.withdrawn)
    assert [second, third] == queue.next_batch()  # it holds back nobody either


def test_what_was_held_back_may_still_be_withdrawn(filled):
    """It is not in the writer's hands yet."""
    first, second, third = on("a"), on("a"), on("a")
    queue = filled(first, second, third)
    queue.next_batch()

    assert Unavailable is type(queue.take_back(second))
    assert [third] == queue.next_batch()


def test_what_was_taken_can_not_be_withdrawn(filled):
    """It may be on its way to the disk."""
    ticket = on("a")
    queue = filled(ticket)
    queue.next_batch()

    answer = queue.take_back(ticket)

    assert (OutcomeUnknown, False) == (type(answer), ticket.withdrawn)


def test_the_bytes_of_what_was_withdrawn_are_given_back(filled, monkeypatch):
    """To who comes after the next batch."""
    monkeypatch.setattr(append_queue, "QUEUE_BYTES_MAX", 30)
    waiting = [on(str(n), size=10) for n in range(3)]
    queue = filled(*waiting)
    for ticket in waiting[:2]:
        queue.take_back(ticket)

    assert waiting[2:] == queue.next_batch()

    fresh = [on(f"fresh {n}", size=10) for n in range(3)]
    for ticket in fresh:
        queue.put(ticket)
    assert fresh == queue.next_batch()


# -- waiting and ending ------------------------------------------------------------------------


@pytest.fixture
def next_batch(queue, monkeypatch, until):
    """``next_batch()``: asked for in a thread, which is asleep by now; gives its future."""
    waits = []
    wait = queue._changed.wait

    def seen(*timeout):
        waits.append(timeout)
        return wait(*timeout)

    monkeypatch.setattr(queue._changed, "wait", seen)
    with ThreadPoolExecutor(1) as thread:

        def next_batch():
            batch = thread.submit(queue.next_batch)
            until(lambda: waits)
            assert [()] == waits  # no timer: an idle ledger does nothing
            return batch

        yield next_batch
        queue.close()


def test_the_first_is_taken_at_once(queue, next_batch):
    """Nobody waits for company."""
    batch, ticket = next_batch(), on("a")

    queue.put(ticket)

    assert [ticket] == batch.result(WAIT_S)


def test_closing_wakes_who_waits_for_a_batch(queue, next_batch):
    """There is nothing more to come."""
    batch = next_batch()

    queue.close()

    assert [] == batch.result(WAIT_S)


def test_what_waits_when_it_is_closed_is_still_taken(filled):
    """Its callers were promised an answer; who comes later is refused, and at once."""
    first, second = on("a"), on("a")
    queue = filled(first, second)

    queue.close()

    with pytest.raises(Unavailable):
        queue.put(on("b"))
    assert [[first], [second], []] == [queue.next_batch() for _ in range(3)]


def test_nothing_is_lost_between_many_threads_and_one(queue, at_once):
    """Each that was accepted comes out once, whoever puts at the same time."""

    def put(number):
        def put():
            accepted = [on(f"{number}-{n}") for n in range(PUTS)]
            for ticket in accepted:
                queue.put(ticket)
            return accepted

        return put

    def take():
        taken = []
        while len(taken) < THREADS * PUTS:
            taken += queue.next_batch()
        return taken

    *accepted, taken = at_once([*(put(number) for number in range(THREADS)), take])

    assert len(taken) == len({id(ticket) for ticket in taken}) == THREADS * PUTS
    for own in accepted:
        assert own == [ticket for ticket in taken if ticket in own]
    assert queue._size_bytes == 0


def test_a_refused_append_leaves_nothing_behind(queue, monkeypatch):
    """A caller that tries again and again fills nothing."""
    monkeypatch.setattr(append_queue, "QUEUE_BYTES_MAX", 5)
    for _ in range(10):
        with suppress(Unavailable):
            queue.put(on("large", size=6))
    fits = on("a", size=5)

    queue.put(fits)

    assert [fits] == queue.next_batch()
