"""SIGTERM and Ctrl-C end the whole service: exit code 0, nothing left behind, nothing lost."""

import signal

import httpx
import pytest

ENOUGH = 40


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_during_writes_leaves_nothing_behind_and_loses_nothing(
    battered, writing, eventually, gone, stop
):
    """Exit code 0, and no process of the roles or of the database remains. Started again, all that
    was acknowledged is there; other writes got no response, or 503."""
    processes = battered.processes()
    assert {"postgres"} < {process.name() for process in processes}

    with writing(battered) as writers:
        eventually(writers.have(ENOUGH))
        battered.process.send_signal(stop)
        assert 0 == battered.process.wait(60)

    eventually(lambda: gone(processes))
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{battered.url}/healthz")
    battered.start()
    eventually(battered.is_in_step)
    assert {} == writers.missing()
    assert battered.log_is_contiguous()
    assert {status for *_, status in writers.open} <= {None, 503}
