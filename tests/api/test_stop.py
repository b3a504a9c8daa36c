"""SIGTERM and Ctrl-C end the whole service: exit code 0, nothing left behind, nothing lost."""

import signal

import httpx
import pytest

ENOUGH = 40


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_ends_and_leaves_nothing_behind(
    running, writing, eventually, gone, number
):
    """Amid writes: the code is 0 and no process is left, of the roles or of the database."""
    processes = running.processes()
    assert {"postgres"} < {process.name() for process in processes}

    with writing(running) as writers:
        eventually(writers.have(ENOUGH))
        running.process.send_signal(number)
        assert 0 == running.process.wait(60)

    eventually(lambda: gone(processes))
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{running.url}/healthz")


def test_what_was_acknowledged_before_the_end_is_there_after_it(running, writing, eventually):
    """Stopped amid writes and started again; other writes got no response, or 503."""
    with writing(running) as writers:
        eventually(writers.have(ENOUGH))
        assert 0 == running.stop()

    running.start()

    eventually(running.is_in_step)
    assert {} == writers.missing()
    assert running.log_is_contiguous()
    assert {status for *_, status in writers.open} <= {None, 503}
