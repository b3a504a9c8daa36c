"""Invariant 1: positions have no gap, and a reader that has seen one has seen all before it."""

from itertools import pairwise
from threading import Event

import pytest

from ledger.database.connections import connect
from ledger.errors import VersionTaken

THREADS = 16
APPENDS = 25
EVENTS_MAX = 3
COPIED = 70


@pytest.fixture
def recorders(new_raw_log):
    """Two recorders with two pools, as two processes would have."""
    return [new_raw_log(), new_raw_log()]


@pytest.fixture
def written():
    """Set when the writers are done."""
    return Event()


@pytest.fixture
def writer(recorders, stored):
    """``writer(n)``: many appends, some lost to a stream that all want; gives their positions."""

    def writer(number):
        raw_log = recorders[number % 2]

        def write():
            appended = []
            for turn in range(APPENDS):
                events = COPIED if turn == number else 1 + (number + turn) % EVENTS_MAX
                stream = f"stream-{number}-{turn}"
                appended.append(
                    raw_log.append_events([stored(stream, v + 1) for v in range(events)])
                )
                try:
                    appended.append(raw_log.append_events([stored("wanted by all", turn + 1)]))
                except VersionTaken:
                    continue
            return appended

        return write

    return writer


def test_positions_of_all_writers_are_contiguous(at_once, recorders, writer):
    """1 … n, each once; an append's own are adjacent; a conflict leaves no gap."""
    outcomes = at_once([writer(number) for number in range(THREADS)])

    appended = [positions for outcome in outcomes for positions in outcome]
    taken = sorted(position for positions in appended for position in positions)
    assert list(range(1, len(taken) + 1)) == taken
    assert all(b == a + 1 for positions in appended for a, b in pairwise(positions))
    assert len(taken) == recorders[0].head()
    assert APPENDS == recorders[0].stored("wanted by all")[-1].originator_version


def test_no_reader_sees_a_position_before_all_below_it(
    at_once, database_url, recorders, writer, written
):
    """Neither in one snapshot, nor page by page, nor between two statements."""

    def write():
        try:
            return at_once([writer(number) for number in range(THREADS)])
        finally:
            written.set()

    def count_and_head():
        seen = set()
        with connect(database_url) as connection:
            while not written.is_set() or len(seen) < 2:
                sql = "SELECT count(*), coalesce(max(position), 0) FROM ledger.events"
                seen.add(connection.execute(sql).fetchone())
        return seen

    def head_then_count():
        seen = set()
        with connect(database_url) as connection:
            while not written.is_set() or len(seen) < 2:
                sql = "SELECT max(position) FROM ledger.events"
                head = connection.execute(sql).fetchone()[0] or 0
                sql = "SELECT count(*) FROM ledger.events WHERE position <= %s"
                seen.add((connection.execute(sql, [head]).fetchone()[0], head))
        return seen

    def page_by_page():
        read = []
        while not written.is_set() or len(read) < recorders[0].head():
            read += recorders[0].events(len(read) + 1, 100)
        return [event.id for event in read]

    writers, counted, recounted, read = at_once(
        [write, count_and_head, head_then_count, page_by_page]
    )

    total = sum(len(positions) for appended in writers for positions in appended)
    assert list(range(1, total + 1)) == read
    assert all(count == head for count, head in counted | recounted)
