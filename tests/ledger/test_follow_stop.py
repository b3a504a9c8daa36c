"""A follower ends when it is asked to, whatever it is doing, and leaves nothing behind."""

import socket
import threading
from contextlib import ExitStack, closing, contextmanager
from threading import Event

import pytest

from ledger.database.connections import connect
from ledger.eventlog.follow import follow

FOLLOWER = "permit-ledger follow"
WAIT_S = 30
NEVER_S = 3600


@pytest.fixture
def silent_server():
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(WAIT_S)
        yield server


@pytest.fixture
def locked(database_url, admin, until):
    """``with locked():`` the events are locked; yields a function that waits until a follower waits
    for them."""
    waiting = (
        "SELECT 1 FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
    )

    @contextmanager
    def locked():
        with connect(database_url) as blocker, blocker.transaction():
            blocker.execute("LOCK TABLE ledger.events IN ACCESS EXCLUSIVE MODE")
            yield lambda: until(lambda: admin.execute(waiting, [FOLLOWER]).fetchall())

    return locked


def test_stop_ends_a_waiting_follower(following, listening, nobody_follows, monkeypatch):
    """At the end of the log, with nothing to read, however long that lasts."""
    monkeypatch.setattr("ledger.eventlog.follow.POLL_S", NEVER_S)
    with following() as follower:
        listening()
    nobody_follows()
    assert follower.pages == []


def test_stop_ends_a_follower_between_two_attempts(following_at, outages, until, monkeypatch):
    """However long it would have waited."""
    monkeypatch.setattr("ledger.database.retry.FIRST_S", NEVER_S)
    with following_at("host=/nowhere dbname=none") as follower:
        until(lambda: outages)
    assert follower.pages == []


def test_stop_ends_a_connecting_follower(following_at, silent_server, monkeypatch):
    """To a server that never answers."""
    monkeypatch.setattr("ledger.database.connections.CONNECT_TIMEOUT_S", 2)
    port = silent_server.getsockname()[1]
    with ExitStack() as stack, following_at(f"host=127.0.0.1 port={port} dbname=none"):
        stack.enter_context(silent_server.accept()[0])


def test_stop_ends_a_follower_that_waits_for_a_lock(following, locked):
    """However long the lock is held."""
    with locked() as is_waited_for:
        with following() as follower:
            is_waited_for()
        assert follower.pages == []


def test_a_follower_continues_after_a_lock(following, raw_log, stored, locked, until, outages):
    """It counts as an outage; the events follow when it is released."""
    raw_log.append_events([stored("a", 1)])
    with ExitStack() as stack:
        with locked():
            follower = stack.enter_context(following())
            until(lambda: "LockNotAvailable" in [logged["error"] for logged in outages])
        until(lambda: follower.positions == [1])


def test_closing_releases_connection_and_thread(database_url, raw_log, stored, nobody_follows):
    """Whatever is left to read."""
    raw_log.append_events([stored("a", version) for version in range(1, 4)])
    threads = set(threading.enumerate())

    with closing(follow(database_url, after=0, stop=Event(), page_events_max=1)) as pages:
        [first] = next(pages)

    nobody_follows()
    assert (1, set()) == (first.id, set(threading.enumerate()) - threads)
