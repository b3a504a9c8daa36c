"""The log as a source: it resumes where the sink is, and only from the log that filled the sink."""

from contextlib import closing
from datetime import UTC, datetime
from threading import Event, Thread

import pytest

from consumers.analytics.errors import OtherHistory
from consumers.analytics.log_source import LOG
from consumers.analytics.runner import Analytics
from consumers.analytics.sink import EVENTS, Sink
from permit_ledger.sample.command import simulate
from tests.waiting import until

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
WAIT_S = 180


@pytest.fixture
def grow(ledger, policy):
    """``grow(seed)``: append some people's lives, and return the log's head."""

    def grow(seed=1):
        simulate(ledger, permits=20, days=200, seed=seed, until=UNTIL, policy=policy)
        return ledger.head()

    return grow


def positions(sink):
    return [row["position"] for row in sink.rows("SELECT position FROM events ORDER BY position")]


def test_it_resumes_where_the_sink_is(grow, fill):
    """Later events are counted once as well."""
    first = grow(1)
    fill()
    second = grow(2)

    assert first < second
    assert list(range(1, second + 1)) == positions(fill())


def test_unreadable_events_are_parked_and_all_others_counted(grow, fill, rewrite_log, source):
    """Each is recorded once by its position, even if it is the last event and is read again."""
    head = grow()
    rewrite_log("UPDATE ledger.events SET state = 'no JSON' WHERE position IN (3, %s)", [head])
    rewrite_log("UPDATE ledger.events SET topic = 'permit.enchanted.v1' WHERE position = 5")
    sink = fill()
    with closing(source.batches(sink.marks(EVENTS), _stop_soon())) as more:
        for batch in more:
            sink.write(batch)

    assert [p for p in range(1, head) if p not in {3, 5}] == positions(sink)
    parked = sink.rows("SELECT part_offset, reason FROM parked ORDER BY part_offset")
    assert [3, 5, head] == [row["part_offset"] for row in parked]
    assert {"the ledger itself can't read this event"} == {row["reason"] for row in parked}


def _stop_soon():
    stop = Event()
    Thread(target=lambda: (stop.wait(1), stop.set())).start()
    return stop


@pytest.mark.parametrize("other", ["shorter", "another event"])
def test_another_log_is_detected(grow, fill, source, rewrite_log, other):
    """One that ends before the sink's position, and one that holds another event there."""
    head = grow()
    sink = fill()
    if other == "shorter":
        rewrite_log("DELETE FROM ledger.events WHERE position > %s", [head - 2])
        rewrite_log("UPDATE ledger.head SET position = %s", [head - 2])
    else:
        rewrite_log("UPDATE ledger.events SET stream = 'ANOTHER' WHERE position = %s", [head])

    with (
        pytest.raises(OtherHistory),
        closing(source.batches(sink.marks(EVENTS), Event())) as batches,
    ):
        next(batches)


def test_with_another_log_the_role_counts_again_from_the_start(
    grow, fill, source, rewrite_log, folder, sink
):
    """What was counted of the other log is gone."""
    head = grow()
    fill()
    sink.close()
    rewrite_log("UPDATE ledger.events SET state = 'no JSON' WHERE position = %s", [head])
    stop = Event()
    analytics = Analytics(folder, source, None, lambda: UNTIL, stop, grace_days=30)
    role = Thread(target=analytics.run)
    role.start()
    stats = folder / "published" / "stats.json"
    try:
        until(lambda: stats.exists() and '"parked":1,' in stats.read_text(), wait_s=WAIT_S)
    finally:
        stop.set()
        role.join(WAIT_S)

    with closing(Sink(folder, "log")) as counted:
        assert list(range(1, head)) == positions(counted)
        assert head - 1 == counted.marks(EVENTS)[LOG].position
