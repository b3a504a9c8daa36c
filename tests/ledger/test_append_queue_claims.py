"""A batch's appends are independent of each other, and no permit's appends change their order."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.eventlog import group_commit
from ledger.eventlog.registry import ChangeCitizenNumber, ClaimHolder, ReleaseHolder
from tests.ledger.pending_appends import batches, filled, key, on


def test_independent_appends_form_one_batch_in_order():
    """In the order in which they arrived."""
    pendings = [on("c"), on("a"), on("b")]

    assert pendings == filled(*pendings).next_batch()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (on("a"), on("a")),
        (on("a"), on("b", "a")),
        (on("a", key=key("1")), on("b", key=key("1"))),
        (on(key=key("1")), on(key=key("1"))),
        (
            on("a", changes=[ClaimHolder(b"p", "h1", "a")]),
            on("b", changes=[ClaimHolder(b"p", "h2", "b")]),
        ),
        (
            on("a", changes=[ClaimHolder(b"p", "h1", "a")]),
            on("b", changes=[ChangeCitizenNumber(b"q", "b", b"p")]),
        ),
        (
            on("a", changes=[ChangeCitizenNumber(b"q", "a", b"p")]),
            on("b", changes=[ChangeCitizenNumber(b"r", "b", b"p")]),
        ),
        (
            on("a", changes=[ReleaseHolder(b"p", "a")]),
            on("b", changes=[ClaimHolder(b"p", "h1", "b")]),
        ),
        (
            on("a", changes=[ChangeCitizenNumber(b"p", "a", b"q")]),
            on("b", changes=[ClaimHolder(b"p", "h2", "b")]),
        ),
    ],
    ids=[
        *("permit", "permit among several", "key", "key of answers alone", "person taken twice"),
        *("person taken and found", "person found twice", "person free again", "number free again"),
    ],
)
def test_appends_with_a_common_claim_go_in_two_batches(first, second):
    """They could conflict with each other; a third with no common claim is not deferred."""
    third = on("third")

    assert [[first, third], [second]] == batches(filled(first, second, third))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (on("a", key=key("1")), on("b", key=key("1", caller="officer-2"))),
        (
            on("a", changes=[ClaimHolder(b"p", "h", "a")]),
            on("b", changes=[ClaimHolder(b"q", "h", "b")]),
        ),
        (on("a", changes=[ReleaseHolder(b"p", "a")]), on("b", changes=[ReleaseHolder(b"q", "b")])),
    ],
    ids=["another caller's key", "another person", "another permit"],
)
def test_appends_without_a_common_claim_go_together(first, second):
    """Keys belong to a caller, and persons are distinguished by their number alone."""
    assert [first, second] == filled(first, second).next_batch()


def test_a_deferred_append_defers_those_that_follow_it():
    """Otherwise the third would overtake the second, with which it shares a permit."""
    first, second, third, fourth = on("a"), on("a", "b"), on("b", "c"), on("c")

    queue = filled(first, second, third, fourth)

    assert [[first], [second], [third], [fourth]] == batches(queue)


def test_a_deferred_append_goes_before_later_ones():
    """The order of each permit's appends is that in which they came."""
    same = [on("a") for _ in range(4)]
    queue = filled(*same)
    taken = queue.next_batch()
    late = on("a")
    queue.put(late)

    taken += itertools.chain(*batches(queue))

    assert [*same, late] == taken


def test_a_deferred_append_goes_before_those_beyond_the_bound(monkeypatch):
    """The batch was full before it came to the third of the same permit."""
    monkeypatch.setattr(group_commit, "BATCH_EVENTS_MAX", 2)
    first, second, other, third = on("a"), on("a"), on("b"), on("a")

    queue = filled(first, second, other, third)

    assert [[first, other], [second], [third]] == batches(queue)


@given(st.lists(st.sets(st.sampled_from("abcdef"), min_size=1), max_size=40), st.data())
def test_no_batch_has_a_claim_twice_and_no_claim_changes_its_order(wanted, data):
    """Any appends, some of them withdrawn: each of the others is taken once."""
    pendings = [on(*sorted(streams)) for streams in wanted]
    queue = filled(*pendings)
    withdrawn = data.draw(st.sets(st.sampled_from(range(len(pendings))))) if pendings else set()
    for n in withdrawn:
        queue.take_back(pendings[n])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_commit, "BATCH_EVENTS_MAX", data.draw(st.integers(1, 10)))
        found = batches(queue)

    for batch in found:
        claims = [claim for pending in batch for claim in pending.claims]
        assert len(set(claims)) == len(claims)
    taken = list(itertools.chain(*found))
    staying = [pending for n, pending in enumerate(pendings) if n not in withdrawn]
    for stream in "abcdef":
        assert [t for t in staying if stream in t.claims] == [
            t for t in taken if stream in t.claims
        ]
    assert queue.size_bytes == 0
