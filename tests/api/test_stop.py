"""SIGTERM and Ctrl-C end the whole service: exit code 0, nothing left behind."""

import signal

import httpx
import pytest

ENOUGH = 40


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_asked_to_stop_it_ends_and_leaves_nothing_behind(
    running, writers, eventually, gone, number
):
    """Amid writes: the code is 0 and no process is left, of the roles or of the database."""
    processes = running.processes()
    assert {"postgres"} < {process.name() for process in processes}

    with writers:
        eventually(writers.have(ENOUGH))
        running.process.send_signal(number)
        assert 0 == running.process.wait(60)

    eventually(lambda: gone(processes))
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{running.url}/healthz")


def test_what_was_acknowledged_before_the_end_is_there_after_it(
    running, writers, eventually, assert_nothing_lost
):
    """Stopped amid writes and started again."""
    with writers:
        eventually(writers.have(ENOUGH))
        assert 0 == running.stop()

    running.start()

    assert_nothing_lost(writers)
    assert {status for *_, status in writers.open} <= {None, 503}
