"""A database server of our own, found, started and found again, whatever happened to it."""

import shutil
import stat
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from permit_ledger.embedded import EmbeddedPostgres

WAIT_S = 30
POLL_S = 0.01


def until(condition):
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(POLL_S)


def run(server, statement):
    """One statement; gives its first value."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def postmaster(data_dir):
    """The server's process, by its pid file."""
    pid_file = data_dir / "postgresql" / "postmaster.pid"
    return psutil.Process(int(pid_file.read_text().partition("\n")[0]))


def has_ended(process):
    """Gone, or dead and not yet reaped."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def pid_file_of(process):
    """Eight lines, as PostgreSQL writes them, of a server that was once this process."""
    return f"{process.pid}\n/nowhere\n1700000000\n5432\n/nowhere\n\n  1  2\nready   \n"


@pytest.fixture(scope="module")
def one_data_dir(make_data_dir):
    """A folder that was not there; a server was started in it, and stopped."""
    data_dir = make_data_dir() / "not" / "there" / "yet"
    with EmbeddedPostgres(data_dir) as server:
        assert run(server, "SELECT current_database()") == "permit_ledger"
        process = postmaster(data_dir)
    assert has_ended(process)
    return data_dir


@pytest.fixture
def data_dir(one_data_dir):
    """The folder, no server running; what a failed test leaves behind is cleared away."""
    yield one_data_dir
    folder = one_data_dir / "postgresql"
    left = [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(folder)]
    for process in left:
        process.terminate()
    psutil.wait_procs(left, WAIT_S)
    (folder / "postmaster.pid").unlink(missing_ok=True)


@pytest.fixture
def leave_pid_file(data_dir):
    """``leave_pid_file(content)``: as a crash does."""

    def leave_pid_file(content):
        pid_file = data_dir / "postgresql" / "postmaster.pid"
        pid_file.write_text(content)
        shutil.chown(pid_file, pid_file.parent.owner())

    return leave_pid_file


def test_the_folder_is_the_database(data_dir):
    """What was written is there at the next start; a server that has stopped has no address."""
    with EmbeddedPostgres(data_dir) as server:
        run(server, "CREATE TABLE kept AS SELECT 1 AS n")
        assert stat.S_IMODE((data_dir / "postgresql").stat().st_mode) == 0o700
    with pytest.raises(RuntimeError, match="is not running"):
        _ = server.url

    with EmbeddedPostgres(data_dir) as server:
        assert run(server, "SELECT n FROM kept") == 1


def test_it_listens_on_no_port(data_dir):
    """Nobody on the network can reach it."""
    with EmbeddedPostgres(data_dir) as server:
        assert run(server, "SHOW listen_addresses") == ""
        assert postmaster(data_dir).net_connections("inet") == []


def test_statements_and_keys_stay_out_of_the_servers_log(data_dir):
    """They may hold personal data."""
    insert = "WITH n AS (SELECT '990000199001010017') INSERT INTO keys TABLE n UNION ALL TABLE n"
    with EmbeddedPostgres(data_dir) as server:
        run(server, "CREATE TABLE keys (n text PRIMARY KEY)")
        with pytest.raises(psycopg.errors.UniqueViolation, match="990000199001010017"):
            run(server, insert)

    log = (data_dir / "postgresql" / "log").read_text()
    assert "duplicate key value" in log
    assert "990000199001010017" not in log


def test_a_visitor_leaves_it_as_it_was_found(data_dir):
    """With ``keep``: running for who started it, stopped otherwise."""
    with EmbeddedPostgres(data_dir) as server:
        process = postmaster(data_dir)
        with EmbeddedPostgres(data_dir, keep=True) as visitor:
            assert (server.url, process) == (visitor.url, postmaster(data_dir))
        assert run(server, "SELECT 1") == 1
    assert has_ended(process)

    with EmbeddedPostgres(data_dir, keep=True):
        process = postmaster(data_dir)
    assert has_ended(process)


def test_two_that_start_at_the_same_moment_share_one(data_dir):
    """As two roles that an operator starts together do; one of them starts it."""
    servers = [EmbeddedPostgres(data_dir) for _ in range(2)]
    barrier = threading.Barrier(len(servers))

    def start(server):
        barrier.wait(WAIT_S)
        return server.__enter__().url

    with ThreadPoolExecutor(len(servers)) as threads:
        urls = set(threads.map(start, servers))

    try:
        assert len(urls) == 1
        process = postmaster(data_dir)
        assert [1, 1] == [run(server, "SELECT 1") for server in servers]
    finally:
        for server in servers:
            server.__exit__(None, None, None)
    assert has_ended(process)


def test_without_keep_it_is_stopped_whoever_started_it(data_dir):
    """A service that took over the server of one that was killed ends it with itself."""
    with EmbeddedPostgres(data_dir):
        process = postmaster(data_dir)
        with EmbeddedPostgres(data_dir):
            pass
        assert has_ended(process)


@pytest.mark.parametrize("content", ["", "half a\n"], ids=["empty", "torn"])
def test_half_a_pid_file_does_not_stop_it(data_dir, leave_pid_file, content):
    """A power cut may leave one."""
    leave_pid_file(content)

    with EmbeddedPostgres(data_dir) as server:
        assert run(server, "SELECT 1") == 1


def test_a_pid_that_is_another_programs_by_now_does_not_stop_it(data_dir, leave_pid_file):
    """Which is left alone."""
    leave_pid_file(pid_file_of(psutil.Process()))

    with EmbeddedPostgres(data_dir) as server:
        assert run(server, "SELECT 1") == 1


def test_a_pid_that_is_another_servers_by_now_does_not_stop_it(
    data_dir, leave_pid_file, postgres_url
):
    """Pids come again, soonest in a container; the other server is left alone."""
    with psycopg.connect(postgres_url) as other:
        directory = other.execute("SHOW data_directory").fetchone()[0]
        leave_pid_file(pid_file_of(postmaster(Path(directory).parent)))

        with EmbeddedPostgres(data_dir) as server:
            assert run(server, "SELECT 1") == 1
        assert other.execute("SELECT 1").fetchone() == (1,)


def test_a_dead_server_that_nobody_buried_is_not_running(data_dir, leave_pid_file, tmp_path):
    """In a container often nobody reaps the dead: a zombie keeps its pid and its name."""
    program = tmp_path / "postgres"
    shutil.copy("/bin/true", program)
    zombie = subprocess.Popen([program])
    process = psutil.Process(zombie.pid)
    until(lambda: process.status() == psutil.STATUS_ZOMBIE)
    leave_pid_file(pid_file_of(process))

    try:
        with EmbeddedPostgres(data_dir) as server:
            assert run(server, "SELECT 1") == 1
    finally:
        zombie.wait()


def test_what_was_written_survives_kill_9(data_dir):
    """It is started again at once, and recovers by itself."""
    killed = EmbeddedPostgres(data_dir).__enter__()
    run(killed, "CREATE TABLE survived AS SELECT 2 AS n")
    postmaster(data_dir).kill()

    with EmbeddedPostgres(data_dir) as server:
        assert run(server, "SELECT n FROM survived") == 2


def test_who_leaves_a_server_that_was_killed_leaves_in_peace(data_dir):
    """There is nothing left to stop."""
    with EmbeddedPostgres(data_dir):
        process = postmaster(data_dir)
        process.kill()
        until(lambda: has_ended(process))


@pytest.mark.parametrize("name", ["a b", "it's 居住证", "d" * 120], ids=["space", "quote", "long"])
def test_its_folder_may_have_any_name(make_data_dir, name):
    """Also one longer than a socket's path may be."""
    with EmbeddedPostgres(make_data_dir() / name) as server:
        assert run(server, "SELECT 1") == 1
