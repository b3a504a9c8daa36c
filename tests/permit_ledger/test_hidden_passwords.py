"""The database's password is in no list of processes: every user of the machine can read that."""

import os
import socket
import subprocess
import sys

import psutil
import pytest
from psycopg.conninfo import make_conninfo

from permit_ledger.cli.commandline import settings_of

PASSWORD = "kept-from-other-users"


@pytest.fixture
def started(empty_database, tmp_path):
    """``up``, ready, with the password in its environment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = make_conninfo(empty_database, password=PASSWORD)
    process = subprocess.Popen(
        [sys.executable, "-m", "permit_ledger", "up", "--empty", "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PERMIT_LEDGER_DATABASE_URL": address},
    )
    assert process.stdout.readline().startswith("ready")
    yield psutil.Process(process.pid)
    process.terminate()
    assert 0 == process.wait(60)


def test_no_command_line_of_the_service_holds_the_password(started):
    """Of none of its processes: roles, and what they start."""
    processes = [started, *started.children(recursive=True)]

    assert len(processes) > 4
    assert not [one.cmdline() for one in processes if PASSWORD in " ".join(one.cmdline())]


@pytest.mark.parametrize(
    ("address", "warned"),
    [
        ("postgresql://permits:secret@db/permits", True),
        ("host=db user=permits password=secret", True),
        ("postgresql://permits@db/permits", False),
        ("no address", False),
        (None, False),
    ],
)
def test_an_option_with_a_password_is_warned_of(capsys, address, warned):
    """It can't be hidden any more; the message names two ways that can."""
    settings_of(database_url=address)

    said = capsys.readouterr().err
    assert warned == ("PGPASSFILE" in said)
    assert "secret" not in said


def test_a_password_in_the_environment_is_not_warned_of(capsys, monkeypatch):
    """It is where it should be."""
    monkeypatch.setenv("PERMIT_LEDGER_DATABASE_URL", "postgresql://permits:secret@db/permits")

    settings_of()

    assert "" == capsys.readouterr().err
