"""Where a follower looks next, and what it notices: without a database."""

import pytest
from eventsourcing.persistence import Notification
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import LogBehind, LogGap
from ledger.eventlog import log_cursor
from ledger.eventlog.log_cursor import PAGE_BYTES_MAX, POLL_S, WINDOW_POSITIONS, LogCursor

RARE = "test.rare.v1"
COMMON = "test.common.v1"
LONG = 10 * WINDOW_POSITIONS


def event(position, topic=COMMON, state=b""):
    return Notification("stream", position, topic, state, id=position)


def rows(log, cursor):
    """What the query finds in a log of topics."""
    window = cursor.window
    last = min(window["until"], len(log))
    inside = (event(n, log[n - 1]) for n in range(window["after"] + 1, last + 1))
    wanted = [e for e in inside if window["topics"] is None or e.topic in window["topics"]]
    return wanted[: window["events_max"]]


def read_to_the_head(log, cursor):
    """Every window that was looked through, and what was found."""
    windows, found = [], []
    while not cursor.pause_s:
        before = cursor.position
        page = rows(log, cursor)
        cursor.take(len(log), page)
        windows.append((before, cursor.position))
        found += page
    return windows, found


def test_a_rare_topic_is_looked_for_window_by_window():
    """Nothing is looked at twice, hit or not, and no query looks at more than a window."""
    log = [COMMON] * LONG
    log[25_000 - 1] = RARE
    starts = range(0, LONG, WINDOW_POSITIONS)

    windows, found = read_to_the_head(log, LogCursor(0, [RARE]))

    assert [(start, start + WINDOW_POSITIONS) for start in starts] == windows
    assert [25_000] == [e.id for e in found]


def test_what_was_looked_through_in_vain_is_not_looked_through_again():
    """When the log grows, only what has grown."""
    cursor = LogCursor(0, [RARE])
    read_to_the_head([COMMON] * LONG, cursor)

    cursor.take(LONG + 1, rows([COMMON] * (LONG + 1), cursor))

    assert (LONG + 1, POLL_S) == (cursor.position, cursor.pause_s)


def test_a_full_page_is_not_the_whole_window():
    """It goes on after the last event that there was room for."""
    cursor = LogCursor(0, [RARE], page_events_max=2)
    cursor.take(100, [event(5, RARE), event(7, RARE)])
    assert (7, 0) == (cursor.position, cursor.pause_s)


def test_a_page_of_many_bytes_is_not_the_whole_window():
    """Nor did it have room for more, whatever the number of its events."""
    cursor = LogCursor(0)
    cursor.take(100, [event(1), event(2, state=bytes(PAGE_BYTES_MAX))])
    assert (2, 0) == (cursor.position, cursor.pause_s)


@given(
    log=st.lists(st.sampled_from([RARE, COMMON, "test.other.v1"]), max_size=60),
    after=st.integers(0, 60),
    topics=st.sampled_from([(), (RARE,), (RARE, COMMON), ("test.unheard-of.v1",)]),
    page=st.integers(1, 8),
    window=st.integers(1, 20),
)
def test_everything_wanted_is_found_once_and_in_order(log, after, topics, page, window):
    """Whatever the log, and however windows and pages cut it; no position is looked at twice."""
    after = min(after, len(log))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_cursor, "WINDOW_POSITIONS", window)
        windows, found = read_to_the_head(log, LogCursor(after, topics, page_events_max=page))

    wanted = [n for n, topic in enumerate(log, 1) if n > after and (not topics or topic in topics)]
    assert wanted == [e.id for e in found]
    looked = [n for start, end in windows for n in range(start + 1, end + 1)]
    assert list(range(after + 1, len(log) + 1)) == looked


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
def test_a_missing_position_is_noticed(positions, missing):
    """Wherever it is: the head says how many there have to be."""
    cursor = LogCursor(3)

    with pytest.raises(LogGap, match=rf"no event at position {missing};"):
        cursor.take(7, [event(n) for n in positions])

    assert cursor.position == 3


@pytest.mark.parametrize("topics", [(), (RARE,)], ids=["all topics", "some topics"])
def test_a_log_that_has_become_shorter_is_noticed(topics):
    """Others' events would come under positions that were read."""
    with pytest.raises(LogBehind, match="ends at position 6 and was read up to 7"):
        LogCursor(7, topics).take(6, [])


def test_a_page_of_no_events_is_refused():
    """It would never end."""
    with pytest.raises(ValueError, match="at least one"):
        LogCursor(0, page_events_max=0)
