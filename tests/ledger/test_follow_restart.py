"""A follower and its database server: stopped, killed, or not yet the primary."""

import shutil
from contextlib import closing

import psutil
import pytest

from ledger.database.connections import connect
from ledger.database.migrations import migrate
from permit_ledger.embedded.server import EmbeddedPostgres
from tests.ledger.raw_log import RawLog
from tests.postgres import restart


@pytest.fixture(autouse=True)
def quickly_back(monkeypatch):
    """A follower does not wait long between two attempts."""
    monkeypatch.setattr("ledger.database.retry.MAX_S", 0.1)


@pytest.fixture
def data_dir(make_data_dir):
    """An empty log in a server of its own, which is not running."""
    data_dir = make_data_dir()
    with EmbeddedPostgres(data_dir) as server, connect(server.url) as connection:
        migrate(connection, "ledger")
        connection.execute("INSERT INTO ledger.topics VALUES ('test.happened.v1')")
    return data_dir


def append(url, event):
    """As another process does."""
    with closing(RawLog(url)) as raw_log:
        raw_log.append_events([event])


@pytest.fixture
def postmaster(data_dir):
    """``postmaster()``: the server's first process, by its pid file."""
    pid_file = data_dir / "postgresql" / "postmaster.pid"
    return lambda: psutil.Process(int(pid_file.read_text().partition("\n")[0]))


def test_a_follower_survives_a_stopped_or_killed_server(
    data_dir, following_at, stored, until, postmaster
):
    """Whether it is down for a while or killed, nothing is repeated or left out."""
    with EmbeddedPostgres(data_dir) as server:
        url = server.url
        append(url, stored("a", 1))
    with following_at(url) as follower:
        for version in (2, 3, 4):
            with EmbeddedPostgres(data_dir):
                append(url, stored("a", version))
                until(lambda version=version: version in follower.positions)
                if version == 3:
                    postmaster().kill()

    assert [1, 2, 3, 4] == follower.positions


def test_a_standby_is_waited_for_until_it_is_promoted(
    data_dir, following_at, stored, until, outages
):
    """It may be behind without any loss, and it does not notify listeners."""
    folder = data_dir / "postgresql"
    with EmbeddedPostgres(data_dir) as server:
        append(server.url, stored("a", 1))
        (folder / "standby.signal").touch()
        shutil.chown(folder / "standby.signal", folder.owner())
        restart(server.url)

        with following_at(server.url, after=1) as follower:
            until(lambda: "ReadOnlySqlTransaction" in [logged["error"] for logged in outages])
            with connect(server.url) as connection:
                connection.execute("SELECT pg_promote()")
            append(server.url, stored("a", 2))
            until(lambda: follower.positions == [2])
