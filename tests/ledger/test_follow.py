"""Following the log: every event once, in order, whatever is lost on the way."""

from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from threading import Event, Thread

import pytest

from ledger import follow as module
from ledger.follow import follow

LISTENER = "permit-ledger follow"
THREADS = 8
APPENDS = 20
NEVER_S = 3600


@pytest.fixture
def following(database_url):
    """``with following(after=0, …) as pages``: a thread that collects pages until the end."""

    @contextmanager
    def following(*, after=0, **options):
        stop, pages = Event(), []

        def collect():
            for page in follow(database_url, after=after, stop=stop, **options):
                pages.append(page)  # noqa: PERF402  the test looks while it grows

        thread = Thread(target=collect)
        thread.start()
        try:
            yield pages
        finally:
            stop.set()
            thread.join(30)
            assert not thread.is_alive(), "asked to stop, it goes on"

    return following


@pytest.fixture
def never_polling(monkeypatch):
    """Only a notification wakes it."""
    waiting = partial(module.wait_for_notification, timeout_s=NEVER_S)
    monkeypatch.setattr(module, "wait_for_notification", waiting)


@pytest.fixture
def listening(admin, until):
    """``listening()``: waits until somebody listens and has nothing to read."""

    def idle():
        sql = (
            "SELECT query FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = %s AND state = 'idle'"
        )
        return [query for (query,) in admin.execute(sql, [LISTENER]) if "ledger.events" in query]

    return lambda: until(idle)


@pytest.fixture
def append_unnoticed(admin):
    """``append_unnoticed(stream)``: an event whose notification is lost."""

    def append_unnoticed(stream):
        with admin.transaction():
            position = admin.execute(
                "UPDATE ledger.head SET position = position + 1 RETURNING position"
            ).fetchone()[0]
            admin.execute(
                "INSERT INTO ledger.events VALUES (%s, %s, 1, 'test.happened.v1', '{}')",
                [position, stream],
            )

    return append_unnoticed


def positions(pages):
    return [event.id for page in pages for event in page]


def test_every_event_comes_once_and_in_order(
    following, new_recorder, recorder, stored, at_once, until
):
    """While many threads of two processes append."""
    recorders = [recorder, new_recorder()]

    def write(number):
        for turn in range(APPENDS):
            recorders[number % 2].insert_events([stored(f"{number}-{turn}", 1)])

    with following() as pages:
        at_once([partial(write, number) for number in range(THREADS)])
        until(lambda: len(positions(pages)) >= THREADS * APPENDS)

    assert list(range(1, THREADS * APPENDS + 1)) == positions(pages)


def test_an_event_is_read_as_it_was_stored(following, recorder, stored, until):
    """Stream, version, topic, bytes."""
    given = stored("居住证", 7, b"\x00\xff", "test.other.v2")
    recorder.insert_events([given])

    with following() as pages:
        until(lambda: pages)

    [[read]] = pages
    assert ("居住证", 7, "test.other.v2", b"\x00\xff", 1) == (
        read.originator_id,
        read.originator_version,
        read.topic,
        read.state,
        read.id,
    )


def test_a_page_is_full_or_the_last_and_never_empty(following, recorder, stored, until):
    """What it holds in memory has a bound."""
    recorder.insert_events([stored("a", version) for version in range(1, 8)])

    with following(page_events_max=3) as pages:
        until(lambda: len(positions(pages)) == 7)

    assert [[1, 2, 3], [4, 5, 6], [7]] == [[event.id for event in page] for page in pages]


def test_it_begins_after_a_position(following, recorder, stored, until):
    """What was seen before does not come again."""
    recorder.insert_events([stored("a", version) for version in range(1, 6)])

    with following(after=3) as pages:
        until(lambda: len(positions(pages)) == 2)

    assert [4, 5] == positions(pages)


def test_only_the_topics_asked_for_come(following, recorder, stored, until):
    """In the log's order, and the ones between are passed over."""
    topics = ["a", "b", "c", "a", "c", "b"]
    for version, topic in enumerate(topics, 1):
        recorder.insert_events([stored("s", version, topic=topic)])

    with following(topics=["a", "b"], page_events_max=2) as pages:
        until(lambda: len(positions(pages)) == 4)
        recorder.insert_events([stored("s", 7, topic="c"), stored("s", 8, topic="a")])
        until(lambda: len(positions(pages)) == 5)

    assert [1, 2, 4, 6, 8] == positions(pages)


@pytest.mark.usefixtures("never_polling")
def test_a_notification_wakes_it(following, recorder, stored, until, listening):
    """Every append notifies, and nothing else wakes it here."""
    with following() as pages:
        for version in range(1, 4):
            listening()
            recorder.insert_events([stored("a", version)])
            until(lambda version=version: len(positions(pages)) == version)

    assert [1, 2, 3] == positions(pages)


@pytest.mark.usefixtures("never_polling")
def test_no_notification_is_lost_between_reading_and_waiting(
    following, recorder, stored, until, at_once
):
    """It listens before it reads: an append at any moment is seen."""
    with following(page_events_max=1) as pages:
        writers = [
            lambda n=n: [recorder.insert_events([stored(f"{n}-{turn}", 1)]) for turn in range(25)]
            for n in range(4)
        ]
        at_once(writers)
        until(lambda: len(positions(pages)) == 100)

    assert all(b == a + 1 for a, b in pairwise(positions(pages)))


def test_a_lost_notification_is_made_up_for(following, append_unnoticed, listening, until):
    """It looks by itself as well."""
    with following() as pages:
        listening()
        append_unnoticed("a")
        until(lambda: positions(pages) == [1])


def test_a_killed_connection_is_opened_again(following, recorder, stored, kill, listening, until):
    """Time and again, and nothing is seen twice or left out."""
    with following() as pages:
        for version in range(1, 4):
            listening()
            assert kill(LISTENER) == 1
            recorder.insert_events([stored("a", version)])
            until(lambda version=version: len(positions(pages)) >= version)

    assert [1, 2, 3] == positions(pages)


def test_stop_ends_it_while_it_waits(following, listening):
    """At the end of the log, with nothing to read."""
    with following() as pages:
        listening()
    assert pages == []


def test_stop_ends_it_while_the_database_is_out_of_reach():
    """Also between two attempts to connect."""
    stop = Event()
    ended = []
    nowhere = "host=/nowhere dbname=none"
    thread = Thread(
        target=lambda: ended.append(list(follow(nowhere, after=0, stop=stop))), daemon=True
    )
    thread.start()
    stop.set()
    thread.join(30)

    assert [[]] == ended
