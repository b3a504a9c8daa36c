"""Stopping on a signal, at any moment of the main thread."""

import signal
import subprocess
import sys

import pytest

WAIT_S = 180
BUSY_WITH_ITS_LOCK = """
import os, signal
from permit_ledger.roles.stopping import stop_on
stop = stop_on(signal.SIGTERM)
with stop._cond:
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(1000):
        pass
print(stop.wait(20))
"""
ASKED_TWICE = """
import os, signal
from permit_ledger.roles.stopping import stop_on
stop = stop_on(signal.SIGTERM, signal.SIGINT)
os.kill(os.getpid(), {number})
os.kill(os.getpid(), {number})
print(stop.wait(20))
"""


def output(script):
    """The output of a program that succeeds."""
    command = [sys.executable, "-c", script]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=WAIT_S
    ).stdout


def test_a_signal_while_the_events_lock_is_held_sets_the_event():
    """The handler waits for nothing that the interrupted code holds."""
    assert "True\n" == output(BUSY_WITH_ITS_LOCK)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_signals_asked_for_stop(number):
    """Each of them, and more than once."""
    assert "True\n" == output(ASKED_TWICE.format(number=int(number)))
