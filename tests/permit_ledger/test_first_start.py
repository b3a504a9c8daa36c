"""The database server's first start: on any machine, in any folder, or refused with what to do."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import psycopg
import pytest

from permit_ledger.console.failures import CannotStart, DatabaseNotStarted
from permit_ledger.embedded import programs as postgres_programs
from permit_ledger.embedded.programs import MAJOR, POSTGRES_VERSIONS, complaint
from permit_ledger.embedded.server import EmbeddedPostgres
from tests.waiting import until

WAIT_S = 60


@pytest.fixture
def data_dir(make_data_dir):
    return make_data_dir() / "data"


@pytest.fixture
def wrapped(make_data_dir, monkeypatch):
    """``wrapped("initdb", script)``: a script in place of a program, which is ``$real`` there."""
    real, folder = POSTGRES_VERSIONS[MAJOR], make_data_dir()
    folder.chmod(0o755)
    for program in ("initdb", "postgres"):
        (folder / program).symlink_to(real / program)
    monkeypatch.setitem(postgres_programs.POSTGRES_VERSIONS, MAJOR, folder)

    def wrapped(program, script):
        (folder / program).unlink()
        (folder / program).write_text(f"#!/bin/sh\nreal={real / program}\n{script}\n")
        (folder / program).chmod(0o755)

    return wrapped


def value(server, query):
    with psycopg.connect(server.url) as connection:
        return connection.execute(query).fetchone()[0]


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "xx_YY"},
        {"LANG": "de_DE.UTF-8", "LC_ALL": "de_DE.UTF-8", "LC_MESSAGES": "zh_CN.GBK"},
        {"LC_ALL": "C", "LANG": "", "PGDATA": "/nowhere", "PGHOSTADDR": "192.0.2.1"},
    ],
    ids=["unknown", "not installed", "C and PostgreSQL's own"],
)
def test_the_environment_decides_on_nothing(data_dir, monkeypatch, environment):
    """UTF-8, texts in the order of code points and capitals of every script, whatever locale the
    machine names or lacks."""
    for name, text in environment.items():
        monkeypatch.setenv(name, text)

    with EmbeddedPostgres(data_dir) as server:
        assert "UTF8" == value(server, "SHOW server_encoding")
        assert "C.UTF-8" == value(
            server, "SELECT datlocale FROM pg_database WHERE datname = current_database()"
        )
        in_order = "SELECT array_agg(t ORDER BY t) FROM unnest('{ä,Z,a,居,_}'::text[]) AS t"
        assert ["Z", "_", "a", "ä", "居"] == value(server, in_order)
        assert "ÄÖ" == value(server, "SELECT upper('äö')")


def test_a_slow_start_is_waited_for_while_something_moves(data_dir, wrapped, capfd):
    """Longer than nothing may move; initdb at work and a server that writes to its log."""
    wrapped("initdb", 'for i in 1 2 3 4 5 6; do sleep 0.5; done; exec "$real" "$@"')
    wrapped("postgres", 'for i in 1 2 3 4 5 6; do echo soon; sleep 0.5; done; exec "$real" "$@"')

    with EmbeddedPostgres(data_dir, stalled_s=1.5) as server:
        assert 1 == value(server, "SELECT 1")


def test_a_wait_says_what_for(data_dir, wrapped, capfd, monkeypatch):
    monkeypatch.setattr("permit_ledger.console.waiting.REPORT_AFTER_S", 0.5)
    wrapped("initdb", 'sleep 1.5; exec "$real" "$@"')

    with EmbeddedPostgres(data_dir):
        pass

    said = capfd.readouterr().err
    assert "permit-ledger: waiting for PostgreSQL: still making a new database (" in said


@pytest.mark.parametrize("program", ["initdb", "postgres"])
def test_a_start_without_progress_is_given_up(data_dir, wrapped, program):
    """It is ended, and leaves nothing that is in the way of the next one."""
    wrapped(program, "exec sleep 3600")
    with (
        pytest.raises(DatabaseNotStarted, match=r"not moved|nothing has moved"),
        EmbeddedPostgres(data_dir, stalled_s=1),
    ):
        pass
    assert [] == [
        p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "3600"]
    ]

    wrapped(program, 'exec "$real" "$@"')
    with EmbeddedPostgres(data_dir) as server:
        assert 1 == value(server, "SELECT 1")


def test_a_running_server_that_does_not_answer_is_named(data_dir):
    """With its process, which this start has not made and does not end."""
    with EmbeddedPostgres(data_dir):
        pid = int((data_dir / "postgresql" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGSTOP)
        try:
            with (
                pytest.raises(DatabaseNotStarted, match=f"process {pid}"),
                EmbeddedPostgres(data_dir, keep=True, stalled_s=1),
            ):
                pass
        finally:
            os.kill(pid, signal.SIGCONT)


def test_a_program_that_fails_is_quoted(data_dir, wrapped):
    """Its last lines, and what to do where they are known."""
    wrapped("initdb", "echo first; echo 'FATAL: No space left on device' >&2; exit 1")
    with pytest.raises(DatabaseNotStarted) as failed, EmbeddedPostgres(data_dir):
        pass
    assert "Free some space on its disk. It said last:\nfirst\nFATAL: No space" in str(failed.value)


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("FATAL:  could not map anonymous shared memory: Cannot allocate memory", "memory"),
        ("FATAL:  could not create semaphores: No space left on device", "semaphores"),
        ('FATAL:  data directory "/d" has wrong ownership', "chown"),
        ('FATAL:  could not open file "global/pg_control": Permission denied', "chown"),
        ("PANIC:  could not locate a valid checkpoint record", "backup"),
        ("FATAL:  database files are incompatible with server", "another version"),
        ("initdb: error: could not look up effective user ID 4711: user does not exist", "passwd"),
        ('FATAL:  configuration file "/d/postgresql.conf" contains errors', "postgresql.conf"),
    ],
)
def test_what_postgresql_complains_of_says_what_to_do(said, hint):
    assert hint in complaint("PostgreSQL does not start", said)


def refused(data_dir):
    with pytest.raises(CannotStart) as failed, EmbeddedPostgres(data_dir):
        pass
    return str(failed.value)


def test_a_database_of_another_version_is_left_alone(data_dir):
    folder = data_dir / "postgresql"
    folder.mkdir(parents=True)
    (folder / "PG_VERSION").write_text("15\n")

    assert "was made by PostgreSQL 15" in refused(data_dir)
    assert [folder / "PG_VERSION"] == list(folder.iterdir())


def test_a_folder_with_other_files_is_left_alone(data_dir):
    folder = data_dir / "postgresql"
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("mine")

    assert "holds files and no database" in refused(data_dir)
    assert "mine" == (folder / "thesis.txt").read_text()


@pytest.mark.parametrize("name", ["a\nb", "tab\there", "\x7f"])
def test_a_name_with_control_characters_is_refused(make_data_dir, name):
    assert "control character" in refused(make_data_dir() / name)


@pytest.mark.parametrize("name", ["a\\b", "what?", "*", "[a]"])
def test_a_name_that_statistics_can_not_be_kept_in_is_refused(make_data_dir, name):
    """At once, and not when the first of them are counted."""
    assert "choose another with --data-dir" in refused(make_data_dir() / name)


def test_a_file_is_no_folder(data_dir):
    data_dir.write_text("a file")
    assert "a file" in refused(data_dir)
    assert str(data_dir) in refused(data_dir)
    assert "a file" in refused(data_dir / "below")


def test_links_in_a_circle_are_refused(data_dir):
    data_dir.symlink_to(data_dir)
    assert "circle" in refused(data_dir)


def test_a_name_that_is_too_long_is_refused(make_data_dir):
    assert "File name too long" in refused(make_data_dir() / ("d" * 300))


@pytest.fixture
def mounted(make_data_dir):
    """``mounted("size=8m")``: a folder on a file system of its own."""
    folders = []

    def mounted(options):
        folder = make_data_dir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if (
            os.geteuid() != 0
            or subprocess.run(command, check=False, capture_output=True).returncode
        ):
            pytest.skip("nothing may be mounted here")
        folders.append(folder)
        return folder

    yield mounted
    for folder in folders:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_disk_that_can_only_be_read_is_refused(mounted):
    folder = mounted("ro")
    assert "Read-only file system" in refused(folder)
    assert "Read-only file system" in refused(folder / "below")


def test_a_disk_that_is_nearly_full_is_refused(mounted):
    """Before a database is begun that it has no room for."""
    assert "8 MiB left and 128 MiB are needed" in refused(mounted("size=8m"))


@pytest.fixture(scope="module")
def made(make_data_dir):
    """A data folder with a database."""
    data_dir = make_data_dir() / "data"
    with EmbeddedPostgres(data_dir):
        pass
    return data_dir


def test_a_copy_that_others_may_read_is_closed_to_them(made):
    """As ``cp -r`` makes it; PostgreSQL would refuse it."""
    (made / "postgresql").chmod(0o755)
    with EmbeddedPostgres(made) as server:
        assert 1 == value(server, "SELECT 1")


def test_a_copy_that_belongs_to_another_user_is_named(made):
    """With PostgreSQL's own words."""
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    control = made / "postgresql" / "global" / "pg_control"
    owner = control.owner()
    shutil.chown(control, "root")
    try:
        assert "Permission denied" in (said := refused(made))
        assert "chown" in said
    finally:
        shutil.chown(control, owner)


def test_a_setting_that_postgresql_does_not_know_is_quoted(made):
    main = made / "postgresql" / "postgresql.conf"
    text = main.read_text()
    main.write_text(f"{text}\nnonsense = on\n")
    try:
        assert 'unrecognized configuration parameter "nonsense"' in refused(made)
    finally:
        main.write_text(text)


def test_where_the_server_was_killed_while_its_dead_are_not_buried(made):
    """Its files of locks name a process that is a zombie."""
    killed = EmbeddedPostgres(made).__enter__()
    process = psutil.Process(int((made / "postgresql" / "postmaster.pid").read_text().split()[0]))
    process.kill()
    until(lambda: process.status() == psutil.STATUS_ZOMBIE, wait_s=WAIT_S)

    with EmbeddedPostgres(made) as server:
        assert 1 == value(server, "SELECT 1")
    killed.__exit__(None, None, None)


def test_a_refused_folder_leaves_no_files(make_data_dir):
    folder = make_data_dir()
    refused(folder / "a\nb")
    assert [] == list(Path(folder).iterdir())
