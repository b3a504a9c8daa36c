"""A database server of our own, found, started and found again, whatever happened to it."""

import hashlib
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from permit_ledger.embedded.server import EmbeddedPostgres

WAIT_S = 180
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


def answers(server):
    """Whether it takes connections; not while it recovers."""
    try:
        return run(server, "SELECT 1") == 1
    except psycopg.OperationalError:
        return False


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
    until(lambda: has_ended(process))
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
    """It can't be reached from the network."""
    with EmbeddedPostgres(data_dir) as server:
        assert run(server, "SHOW listen_addresses") == ""
        assert postmaster(data_dir).net_connections("inet") == []


@pytest.mark.parametrize(
    ("insert", "error"),
    [
        ("INSERT INTO kept_keys SELECT %s FROM generate_series(1, 2)", "UniqueViolation"),
        ("INSERT INTO kept_keys SELECT nullif(n, n) FROM (SELECT %s AS n)", "NotNullViolation"),
        ("INSERT INTO kept_keys (born) SELECT (%s)::text::date", "InvalidDatetimeFormat"),
        ("INSERT INTO kept_keys SELECT ((%s)::text)::jsonb ->> 'a'", "InvalidTextRepresentation"),
    ],
)
def test_no_value_of_a_statement_that_fails_is_in_the_servers_log(data_dir, insert, error):
    """Neither as a parameter nor written into the statement; the client gets the error."""
    name = "欧阳测试 990000199001010017"
    with EmbeddedPostgres(data_dir) as server:
        run(server, "CREATE TABLE IF NOT EXISTS kept_keys (n text PRIMARY KEY, born date)")
        with psycopg.connect(server.url, autocommit=True) as connection:
            for statement, parameters in [
                (insert, [name]),
                (insert.replace("%s", f"'{name}'"), []),
            ]:
                with pytest.raises(getattr(psycopg.errors, error)):
                    connection.execute(statement, parameters)

    log = (data_dir / "postgresql" / "log").read_text(encoding="utf-8")
    assert "ready to accept connections" in log
    assert not re.search("欧阳测试|990000199001010017|kept_keys", log)


def test_no_setting_of_the_server_lets_a_value_into_its_log(data_dir):
    """As the server understands its own file."""
    with EmbeddedPostgres(data_dir) as server:
        names = "statement", "duration", "parameter_max_length", "parameter_max_length_on_error"
        assert ["none", "off", "0", "0"] == [run(server, f"SHOW log_{name}") for name in names]


def test_a_statement_of_a_server_process_that_crashed_is_not_in_its_log(data_dir):
    """What it was at stands in a DETAIL of the crash."""
    with EmbeddedPostgres(data_dir) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            backend = psutil.Process(connection.info.backend_pid)
            connection.execute("SET application_name = '欧阳测试'")
            backend.kill()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT '欧阳测试'")
        until(lambda: answers(server))

    log = (data_dir / "postgresql" / "log").read_text(encoding="utf-8")
    assert "was terminated by signal 9" in log
    assert "欧阳测试" not in log


def test_a_visitor_leaves_it_as_it_was_found(data_dir):
    """With ``keep``: running for who started it, stopped otherwise."""
    with EmbeddedPostgres(data_dir) as server:
        process = postmaster(data_dir)
        with EmbeddedPostgres(data_dir, keep=True) as visitor:
            assert (server.url, process) == (visitor.url, postmaster(data_dir))
        assert run(server, "SELECT 1") == 1
    until(lambda: has_ended(process))

    with EmbeddedPostgres(data_dir, keep=True):
        process = postmaster(data_dir)
    until(lambda: has_ended(process))


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
    until(lambda: has_ended(process))


def test_without_keep_it_is_stopped_even_if_another_process_started_it(data_dir):
    """A service that took over the server of one that was killed ends it with itself."""
    with EmbeddedPostgres(data_dir):
        process = postmaster(data_dir)
        with EmbeddedPostgres(data_dir):
            pass
        until(lambda: has_ended(process))


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


def test_a_zombie_server_is_not_running(data_dir, leave_pid_file, tmp_path):
    """In a container there is often no reaper: a zombie keeps its pid and its name."""
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
    """It is started again at once, and recovers."""
    killed = EmbeddedPostgres(data_dir).__enter__()
    run(killed, "CREATE TABLE survived AS SELECT 2 AS n")
    postmaster(data_dir).kill()

    with EmbeddedPostgres(data_dir) as server:
        assert run(server, "SELECT n FROM survived") == 2


def test_stopping_a_killed_server_raises_nothing(data_dir):
    """There is nothing left to stop."""
    with EmbeddedPostgres(data_dir):
        process = postmaster(data_dir)
        process.kill()
        until(lambda: has_ended(process))


@pytest.mark.parametrize(
    "name",
    ["a b", "it's 居住证", "d" * 120, 'a,b"c$(d)`e`%f#g@h;i'],
    ids=["space", "quote", "long", "signs"],
)
def test_its_folder_may_have_any_name(make_data_dir, name):
    """Also one longer than a socket's path may be, or with what a list of addresses, a file of
    settings or a shell understands in another way."""
    data_dir = make_data_dir() / name
    with EmbeddedPostgres(data_dir) as server:
        assert run(server, "SELECT 1") == 1
        with EmbeddedPostgres(data_dir, keep=True) as visitor:
            assert run(visitor, "SELECT 1") == 1


def test_a_visitor_with_another_temporary_folder_finds_its_socket(
    make_data_dir, tmp_path, monkeypatch
):
    """The socket's place does not follow from the folder's name alone."""
    data_dir = make_data_dir() / ("d" * 120)
    with EmbeddedPostgres(data_dir):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        with EmbeddedPostgres(data_dir, keep=True) as visitor:
            assert run(visitor, "SELECT 1") == 1


def test_its_folder_may_be_a_link_or_relative(data_dir, tmp_path, monkeypatch):
    """It is one folder however it is named."""
    (tmp_path / "link").symlink_to(data_dir)
    monkeypatch.chdir(data_dir.parent)
    with (
        EmbeddedPostgres(tmp_path / "link") as server,
        EmbeddedPostgres(Path(data_dir.name), keep=True) as visitor,
    ):
        assert server.url == visitor.url


# -- other users of the machine ----------------------------------------------------------------


@pytest.fixture
def shared_tmp(make_data_dir, monkeypatch):
    """The temporary folder of all users, in which anyone may put anything."""
    folder = make_data_dir()
    folder.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def long_dir(make_data_dir):
    """A data folder whose name is too long for a socket."""
    return make_data_dir() / ("d" * 120)


def socket_dir(server):
    return Path(conninfo_to_dict(server.url)["host"])


def test_what_another_user_has_put_in_the_sockets_place_is_left_alone(
    long_dir, shared_tmp, tmp_path
):
    """A link to a folder, under the name that follows from the data folder's."""
    target = tmp_path / "of another user"
    target.mkdir(mode=0o755)
    before = target.stat()
    digest = hashlib.sha256(os.fsencode(long_dir / "postgresql")).hexdigest()[:16]
    planted = shared_tmp / f"permit-ledger-{digest}"
    planted.symlink_to(target)

    with EmbeddedPostgres(long_dir) as server:
        found = socket_dir(server)
        assert (shared_tmp, 0o700) == (found.parent, stat.S_IMODE(found.lstat().st_mode))
        assert found != planted

    after = target.stat()
    assert (before.st_uid, before.st_gid, before.st_mode) == (
        after.st_uid,
        after.st_gid,
        after.st_mode,
    )
    assert [] == list(target.iterdir())


def test_each_start_has_a_socket_folder_of_its_own(long_dir, shared_tmp):
    """That of the start before is removed, and nothing else."""
    with EmbeddedPostgres(long_dir) as server:
        first = socket_dir(server)
    with EmbeddedPostgres(long_dir) as server:
        second = socket_dir(server)
        assert [second] == list(shared_tmp.iterdir())
    assert first != second


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user for the server")
def test_what_the_servers_user_has_linked_to_is_not_written(data_dir, tmp_path):
    """The files that a start writes as root, in a folder that is not root's."""
    target = tmp_path / "of root"
    target.write_text("content")
    target.chmod(0o600)
    with EmbeddedPostgres(data_dir):
        pass
    folder = data_dir / "postgresql"
    for name in ("permit_ledger.conf", "permit_ledger.hba", "permit_ledger.ident"):
        (folder / name).unlink()
        (folder / name).symlink_to(target)

    with EmbeddedPostgres(data_dir) as server:
        assert run(server, "SELECT 1") == 1

    found = target.stat()
    assert ("content", 0, 0o600) == (
        target.read_text(),
        found.st_uid,
        stat.S_IMODE(found.st_mode),
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user for the server")
def test_folders_above_stay_closed_to_others(make_data_dir):
    """As root's home is: the server's user may pass, and no one may list them."""
    home = make_data_dir()
    data_dir = home / "private" / "data"
    data_dir.parent.mkdir()
    for folder in (home, data_dir.parent):
        folder.chmod(0o700)

    with EmbeddedPostgres(data_dir) as server:
        assert run(server, "SELECT 1") == 1

    for folder in (home, data_dir.parent):
        assert stat.S_IMODE(folder.stat().st_mode) in {0o710, 0o711}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_of_the_machine_is_not_let_in(data_dir):
    """Even where the socket can be reached."""
    with EmbeddedPostgres(data_dir) as server:
        for folder in (*data_dir.parents[:3], data_dir, data_dir / "postgresql"):
            folder.chmod(0o755)
        said = get_context("fork").Queue()
        other = get_context("fork").Process(target=_connect_as_nobody, args=(server.url, said))
        other.start()
        refused = said.get(timeout=WAIT_S)
        other.join()
        (data_dir / "postgresql").chmod(0o700)

    assert "Peer authentication failed" in refused


def _connect_as_nobody(url, said):
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError as error:
        said.put(str(error))
    else:
        said.put("let in")
