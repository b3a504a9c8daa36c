"""All roles on this machine: kept running, and ended together."""

import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
from structlog.testing import capture_logs

from permit_ledger.roles import supervisor as module
from permit_ledger.roles.supervisor import (
    RESTARTS_MAX,
    TIE_VARIABLE,
    RoleFailed,
    Supervisor,
    tie_to_supervisor,
)

PYTHON = sys.executable
WAIT_S = 180
POLL_S = 0.01

# What stands for "python -m permit_ledger ROLE": it notes its pid and does what its role is called.
ROLE = """#!{python}
import os, signal, sys
from permit_ledger.roles.supervisor import tie_to_supervisor

role = sys.argv[-1]
if role == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if role == "tied":
    tie_to_supervisor()
with open({notes!r}, "a") as notes:
    notes.write(f"{{role}} {{os.getpid()}} {{os.environ['GREETING']}}\\n")
while role != "short-lived":
    signal.pause()
"""


def until(condition):
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(POLL_S)


@pytest.fixture
def notes(tmp_path, monkeypatch):
    """``notes(count)``: the roles started so far, at least so many: name, pid, what they see."""
    file, program = tmp_path / "notes", tmp_path / "role"
    file.touch()
    program.write_text(ROLE.format(python=PYTHON, notes=str(file)))
    program.chmod(0o755)
    monkeypatch.setattr(module.sys, "executable", str(program))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))

    def notes(count):
        until(lambda: file.read_text().count("\n") >= count)
        lines = [line.split() for line in file.read_text().splitlines()]
        return [(role, int(pid), greeting) for role, pid, greeting in lines]

    return notes


@pytest.fixture
def supervise(notes):
    """``supervise("role", …)``: a supervisor that was started; it ends with the test."""
    supervisors = []

    def supervise(*roles):
        supervisors.append(Supervisor(list(roles), {**os.environ, "GREETING": "hello"}))
        supervisors[-1].start()
        return supervisors[-1]

    yield supervise
    for supervisor in supervisors:
        supervisor.stop()


def is_alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def pids(notes):
    return {role: pid for role, pid, _ in notes}


def test_every_role_is_a_process_with_the_environment(supervise, notes):
    """Started by its name, as the command line does."""
    supervise("one", "two")

    found = notes(2)

    assert {("one", "hello"), ("two", "hello")} == {(role, seen) for role, _, seen in found}
    assert all(is_alive(pid) for pid in pids(found).values())


def test_a_role_that_has_ended_is_started_again(supervise, notes):
    """The others are left alone, and so is one that runs."""
    supervisor = supervise("one", "two")
    first = pids(notes(2))
    os.kill(first["one"], signal.SIGKILL)
    until(lambda: not is_alive(first["one"]))

    with capture_logs() as logs:
        for _ in range(3):
            supervisor.tend()

    later = pids(notes(3))
    assert first["one"] != later["one"]
    assert first["two"] == later["two"]
    assert [("role ended", "one", -signal.SIGKILL)] == [
        (line["event"], line["role"], line["exit_code"]) for line in logs
    ]


def test_a_role_that_does_not_stay_up_is_given_up(supervise, notes):
    """After a bounded number of starts, by its name."""
    supervisor = supervise("one", "short-lived")

    def tend_until_it_fails():
        def tended():
            supervisor.tend()
            return False

        until(tended)

    with pytest.raises(RoleFailed, match="permit-ledger short-lived"):
        tend_until_it_fails()

    started = [role for role, *_ in notes(1 + RESTARTS_MAX)]
    assert started.count("short-lived") == RESTARTS_MAX


def test_starts_of_long_ago_do_not_count(supervise, notes, monkeypatch):
    """Occasional ends are allowed for ever."""
    monkeypatch.setattr(module, "RESTART_WINDOW_S", 0)
    supervisor = supervise("short-lived")

    for starts in range(1, RESTARTS_MAX + 3):
        (*_, (_, pid, _)) = notes(starts)
        until(lambda pid=pid: not is_alive(pid))
        supervisor.tend()

    assert len(notes(RESTARTS_MAX + 3)) == RESTARTS_MAX + 3


def test_while_the_service_starts_every_end_counts(supervise, notes, monkeypatch):
    """On a machine so busy that five of them take longer than a minute."""
    monkeypatch.setattr(module, "RESTART_WINDOW_S", 0)
    supervisor = supervise("short-lived")

    def tend_until_it_fails():
        def tended():
            supervisor.tend(is_starting=True)
            return False

        until(tended)

    with pytest.raises(RoleFailed, match="permit-ledger short-lived"):
        tend_until_it_fails()


def test_all_roles_end_together(supervise, notes, monkeypatch):
    """Terminate, then kill; one that has ended already is no error."""
    monkeypatch.setattr(module, "STOP_TIMEOUT_S", 0.2)
    supervisor = supervise("one", "deaf", "short-lived")
    found = pids(notes(3))
    until(lambda: not is_alive(found["short-lived"]))

    supervisor.stop()

    assert not any(is_alive(pid) for pid in found.values())


def test_roles_do_not_outlive_a_supervisor_that_was_killed(notes):
    """Without a signal: the pipe that ties them has closed."""
    code = (
        "import os, signal, sys\n"
        "from permit_ledger.roles.supervisor import Supervisor\n"
        f"sys.executable = {sys.executable!r}\n"
        "Supervisor(['tied', 'tied'], {**os.environ, 'GREETING': 'hello'}).start()\n"
        "signal.pause()\n"
    )
    supervisor = subprocess.Popen([PYTHON, "-c", code])
    roles = [pid for _, pid, _ in notes(2)]

    supervisor.kill()
    supervisor.wait()

    until(lambda: not any(is_alive(pid) for pid in roles))


def test_without_a_supervisor_nothing_is_tied(monkeypatch):
    """A role that an operator starts by hand."""
    monkeypatch.delenv(TIE_VARIABLE, raising=False)
    before = threading.active_count()

    tie_to_supervisor()

    assert before == threading.active_count()
