"""Reading a part of a stream or of the log."""

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ledger.database.connections import connect, connect_to_append, open_pool
from ledger.database.migrations import migrate
from ledger.eventlog.group_commit import GroupCommit
from ledger.eventlog.recorder import LedgerRecorder


@pytest.fixture(scope="module")
def five(postgres_url, stored):
    """Five events of two streams in a log of their own, only read here: a1 b1 a2 a3 b2."""
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE windows")
        url = make_conninfo(postgres_url, dbname="windows")
        with connect(url) as connection:
            migrate(connection, "ledger")
        pool = open_pool(url, connections_max=1)
        commits = GroupCommit(lambda: connect_to_append(url))
        recorder = LedgerRecorder(pool, commits)
        for stream, version in [("a", 1), ("b", 1), ("a", 2), ("a", 3), ("b", 2)]:
            topic = f"test.{stream}.v1"
            recorder.insert_events([stored(stream, version, f"{stream}{version}".encode(), topic)])
        yield recorder
        commits.close()
        pool.close()
        admin.execute("DROP DATABASE windows WITH (FORCE)")


@pytest.mark.parametrize(
    ("window", "versions"),
    [
        ({}, [1, 2, 3]),
        ({"gt": 1}, [2, 3]),
        ({"lte": 2}, [1, 2]),
        ({"gt": 1, "lte": 2}, [2]),
        ({"desc": True}, [3, 2, 1]),
        ({"desc": True, "limit": 1}, [3]),
        ({"limit": 2}, [1, 2]),
        ({"gt": 3}, []),
    ],
)
def test_a_window_of_a_stream(five, window, versions):
    """Versions above ``gt`` and up to ``lte``, ``limit`` at most, and of this stream only."""
    read = five.select_events("a", **window)

    assert versions == [event.originator_version for event in read]
    assert [f"a{version}".encode() for version in versions] == [event.state for event in read]


@pytest.mark.parametrize(
    ("window", "positions"),
    [
        ({"start": None, "limit": 10}, [1, 2, 3, 4, 5]),
        ({"start": 1, "limit": 2}, [1, 2]),
        ({"start": 4, "limit": 10}, [4, 5]),
        ({"start": 4, "limit": 10, "inclusive_of_start": False}, [5]),
        ({"start": 2, "limit": 10, "stop": 3}, [2, 3]),
        ({"start": None, "limit": 10, "topics": ["test.b.v1"]}, [2, 5]),
        ({"start": 3, "limit": 1, "topics": ["test.b.v1", "test.a.v1"]}, [3]),
        ({"start": 6, "limit": 10}, []),
    ],
)
def test_a_window_of_the_log(five, window, positions):
    """Positions from ``start`` to ``stop``, ``limit`` at most, of these topics."""
    assert positions == [event.id for event in five.select_notifications(**window)]
