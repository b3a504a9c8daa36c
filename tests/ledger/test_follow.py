"""Following the log, in a thread or a task: every event once, in order, after any interruption."""

from contextlib import ExitStack, contextmanager
from functools import partial
from threading import Event, Thread

import pytest

from ledger.database.connections import CHANNEL, connect
from ledger.database.retry import Outage
from ledger.eventlog.follow import PAGE_BYTES_MAX, wait_for_notification

FOLLOWER = "permit-ledger follow"
WAIT_S = 30
NEVER_S = 3600
WRITERS = 8
APPENDS = 20
KILLS = 10


@pytest.fixture
def never_polling(monkeypatch):
    """Only a notification wakes the follower."""
    monkeypatch.setattr("ledger.eventlog.follow.POLL_S", NEVER_S)


@pytest.fixture
def quickly_back(monkeypatch):
    """The follower waits only briefly between two attempts."""
    monkeypatch.setattr("ledger.database.retry.MAX_S", 0.05)


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


@pytest.fixture
def writing(raw_log, new_raw_log, stored, at_once):
    """``writing()``: a thread in which many threads of two processes append."""
    logs = [raw_log, new_raw_log()]

    def write(number):
        for turn in range(APPENDS):
            logs[number % 2].append_events([stored(f"{number}-{turn}", 1)])

    def writing():
        writers = Thread(target=at_once, args=[[partial(write, n) for n in range(WRITERS)]])
        writers.start()
        return writers

    return writing


@pytest.fixture
def closed(admin, postgres_url):
    """``with closed():`` the database accepts no new connection."""
    [(name,)] = admin.execute("SELECT current_database()").fetchall()

    @contextmanager
    def closed():
        with connect(postgres_url) as elsewhere:
            elsewhere.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            yield
            elsewhere.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    return closed


EVERYTHING = list(range(1, WRITERS * APPENDS + 1))


# -- what comes --------------------------------------------------------------------------------


def test_every_event_comes_once_and_in_order(following, writing, until):
    """To each of several followers, whenever it starts, while many threads append."""
    with ExitStack() as stack:
        followers = [stack.enter_context(following())]
        writers = writing()
        for position in EVERYTHING[:: len(EVERYTHING) // 4]:
            until(lambda position=position: position in followers[0].positions)
            followers.append(stack.enter_context(following()))
        writers.join()
        until(lambda: all(len(each.positions) >= len(EVERYTHING) for each in followers))

    assert [EVERYTHING] * 5 == [each.positions for each in followers]


def test_an_event_is_read_as_it_was_stored(following, raw_log, stored, until):
    """Stream, version, topic, bytes."""
    given = stored("居住证", 1, b"\x00\xff", "test.other.v2")
    raw_log.append_events([given])

    with following() as follower:
        until(lambda: follower.pages)

    [[read]] = follower.pages
    assert ("居住证", 1, "test.other.v2", b"\x00\xff", 1) == (
        read.originator_id,
        read.originator_version,
        read.topic,
        read.state,
        read.id,
    )


def test_a_page_is_full_or_the_last_and_never_empty(following, raw_log, stored, until):
    """Its size in memory is bounded."""
    raw_log.append_events([stored("a", version) for version in range(1, 8)])

    with following(page_events_max=3) as follower:
        until(lambda: len(follower.positions) == 7)

    assert [[1, 2, 3], [4, 5, 6], [7]] == [[event.id for event in page] for page in follower.pages]


def test_a_page_of_large_events_is_shorter(following, raw_log, stored, until):
    """It ends with the event that brings it to its bound in bytes, however large that is."""
    third = PAGE_BYTES_MAX // 3
    for version, size in enumerate([third, third, third + 2, 2 * PAGE_BYTES_MAX, third, 1], 1):
        raw_log.append_events([stored("a", version, bytes(size))])

    with following() as follower:
        until(lambda: len(follower.positions) == 6)

    assert [[1, 2, 3], [4], [5, 6]] == [[event.id for event in page] for page in follower.pages]


def test_a_follower_begins_after_a_position(following, raw_log, stored, until):
    """Earlier events are not returned again."""
    raw_log.append_events([stored("a", version) for version in range(1, 6)])

    with following(after=3) as follower:
        until(lambda: len(follower.positions) == 2)

    assert [4, 5] == follower.positions


# -- what wakes it -----------------------------------------------------------------------------


@pytest.mark.usefixtures("never_polling")
def test_a_notification_wakes_the_follower(following, raw_log, stored, until, listening):
    """Every append notifies, and nothing else wakes it here."""
    with following() as follower:
        for version in range(1, 4):
            listening()
            raw_log.append_events([stored("a", version)])
            until(lambda version=version: len(follower.positions) == version)

    assert [1, 2, 3] == follower.positions


@pytest.mark.usefixtures("never_polling")
@pytest.mark.parametrize("page_events_max", [1, 500])
def test_no_notification_is_lost_between_reading_and_waiting(
    following, writing, until, page_events_max
):
    """It listens before it reads: an append at any moment is noticed."""
    with following(page_events_max=page_events_max) as follower:
        writers = writing()
        until(lambda: len(follower.positions) >= len(EVERYTHING))
        writers.join()

    assert EVERYTHING == follower.positions


def test_a_lost_notification_only_delays_events(following, append_unnoticed, listening, until):
    """The follower polls as well."""
    with following() as follower:
        listening()
        append_unnoticed("a")
        until(lambda: follower.positions == [1])


def test_notifications_before_a_read_are_dropped(admin, database_url):
    """A follower that is always behind would collect them without limit."""
    admin.execute(f"LISTEN {CHANNEL}")
    with connect(database_url) as writer:
        for _ in range(3):
            writer.execute(f"NOTIFY {CHANNEL}")
            admin.execute("SELECT 1")  # reads the notification too

    wait_for_notification(admin, Event(), 0)

    assert [] == list(admin.notifies(timeout=0))


# -- what is lost ------------------------------------------------------------------------------


@pytest.mark.usefixtures("quickly_back")
def test_a_killed_connection_is_opened_again(following, writing, kill, until):
    """Repeatedly, while many threads append; nothing is repeated or left out."""
    with following(page_events_max=7) as follower:
        writers = writing()
        for _ in range(KILLS):
            until(lambda: kill(FOLLOWER))
        until(lambda: len(follower.positions) >= len(EVERYTHING))
        writers.join()

    assert EVERYTHING == follower.positions


@pytest.mark.usefixtures("quickly_back")
def test_an_outage_is_logged_once_and_so_is_its_end(
    following, closed, kill, listening, append_unnoticed, until, outages, monkeypatch
):
    """However many attempts it takes; neither line names an address or a person."""
    attempts, pause_s = [], Outage.pause_s
    monkeypatch.setattr(Outage, "pause_s", lambda *given: attempts.append(1) or pause_s(*given))

    with following() as follower:
        for outage in (1, 2):
            listening()
            with closed():
                until(lambda: kill(FOLLOWER))
                attempts.clear()
                until(lambda: len(attempts) >= 3)
                append_unnoticed(f"{outage}")
            until(lambda outage=outage: len(follower.positions) >= outage)

    assert [1, 2] == follower.positions
    assert ["outage began", "outage ended"] * 2 == [logged["event"] for logged in outages]
    assert {"AdminShutdown", "OperationalError", None} >= {
        logged.get("error") for logged in outages
    }
