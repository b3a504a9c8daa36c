"""What a follower reads next, and which damage of a log it detects: without a database."""

import pytest
from eventsourcing.persistence import Notification
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import LogBehind, LogGap
from ledger.eventlog.follow import PAGE_BYTES_MAX, LogCursor


def event(position, state=b""):
    return Notification("stream", position, "test.happened.v1", state, id=position)


def rows(length, cursor):
    """The events that the query finds in a log of this length."""
    window = cursor.window
    last = min(window["until"], length)
    return [event(n) for n in range(window["after"] + 1, last + 1)][: window["events_max"]]


def read_to_the_head(length, cursor):
    """The positions that were found."""
    found = []
    while not cursor.pause_s:
        page = rows(length, cursor)
        cursor.take(length, page)
        found += [e.id for e in page]
    return found


def test_after_a_full_page_the_next_one_follows():
    """It continues after the last event of the page."""
    cursor = LogCursor(0, page_events_max=2)
    cursor.take(100, [event(1), event(2)])
    assert (2, 0) == (cursor.position, cursor.pause_s)


def test_after_a_page_of_many_bytes_the_next_one_follows():
    """The page ended at its bound in bytes, whatever the number of its events."""
    cursor = LogCursor(0)
    cursor.take(100, [event(1), event(2, state=bytes(PAGE_BYTES_MAX))])
    assert (2, 0) == (cursor.position, cursor.pause_s)


@given(length=st.integers(0, 60), after=st.integers(0, 60), page=st.integers(1, 8))
def test_every_event_is_found_once_and_in_order(length, after, page):
    """Whatever the length of the log and of the pages."""
    after = min(after, length)

    found = read_to_the_head(length, LogCursor(after, page_events_max=page))

    assert list(range(after + 1, length + 1)) == found


@pytest.mark.parametrize(
    ("positions", "missing"),
    [
        ([], 4),
        ([5, 6, 7], 4),
        ([4, 6, 7], 5),
        ([4, 5, 6], 7),
    ],
    ids=["all", "the first", "one between", "the last"],
)
def test_a_missing_position_is_detected(positions, missing):
    """Anywhere: the head tells how many events there are."""
    cursor = LogCursor(3)

    with pytest.raises(LogGap, match=rf"no event at position {missing};"):
        cursor.take(7, [event(n) for n in positions])

    assert cursor.position == 3


def test_a_log_that_has_become_shorter_is_detected():
    """Positions that were read would get other events."""
    with pytest.raises(LogBehind, match="ends at position 6 and was read up to 7"):
        LogCursor(7).take(6, [])


def test_a_page_size_of_zero_is_refused():
    """Reading would never end."""
    with pytest.raises(ValueError, match="at least one"):
        LogCursor(0, page_events_max=0)
