"""SIGTERM and Ctrl-C end the whole service: exit code 0, nothing left behind, nothing lost."""

import signal

import httpx
import pytest

ENOUGH = 40


def test_ctrl_c_during_writes_leaves_no_process_behind(running, writing, eventually, gone):
    """Exit code 0, and no process of the roles or of the database remains."""
    processes = running.processes()
    assert {"postgres"} < {process.name() for process in processes}

    with writing(running) as writers:
        eventually(writers.have(ENOUGH))
        running.process.send_signal(signal.SIGINT)
        assert 0 == running.process.wait(60)

    eventually(lambda: gone(processes))
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{running.url}/healthz")


def test_acknowledged_writes_survive_a_stop(running, writing, eventually):
    """Stopped during writes and started again; other writes got no response, or 503."""
    with writing(running) as writers:
        eventually(writers.have(ENOUGH))
        assert 0 == running.stop()

    running.start()

    eventually(running.is_in_step)
    assert {} == writers.missing()
    assert running.log_is_contiguous()
    assert {status for *_, status in writers.open} <= {None, 503}
