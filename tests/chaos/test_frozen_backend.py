"""A frozen server process that appends: callers get an unknown outcome in bounded time."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event

import pytest

from ledger.errors import OutcomeUnknown, Unavailable
from ledger.eventlog.append import AppendWriter
from tests.chaos.backends import append_backends
from tests.chaos.workload import Acknowledgement, Request

PATIENCE_S = 2.0
BOUND_S = 4.0
FROZEN, BEHIND = Request("w1-2"), Request("w1-3")


@pytest.fixture
def freeze():
    """``freeze(pid)``: SIGSTOP; goes on at the latest when the test ends."""
    frozen = []

    def freeze(pid):
        frozen.append(pid)
        os.kill(pid, signal.SIGSTOP)

    yield freeze
    for pid in frozen:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@pytest.fixture
def sending(monkeypatch):
    """Set when the writer begins to send a batch."""
    sending, write = Event(), AppendWriter.write

    def noted(self, connection, appends):
        sending.set()
        return write(self, connection, appends)

    monkeypatch.setattr(AppendWriter, "write", noted)
    return sending


@pytest.mark.parametrize(
    ("end", "persisted"),
    [(signal.SIGCONT, True), (signal.SIGKILL, False)],
    ids=["goes on", "is killed"],
)
def test_a_retry_gets_the_first_response_or_the_first_execution(
    form, services, appender, freeze, sending, end, persisted, sent_until_done, problems
):
    """Sent again, the command gets its first response, or is executed for the first time."""
    service = services(form, wait_s=PATIENCE_S)
    acknowledged = [Acknowledgement.of(Request("w1-1"), service.run(Request("w1-1")))]
    backend = appender()
    freeze(backend)
    sending.clear()

    started = time.monotonic()
    with ThreadPoolExecutor(2) as threads:
        frozen = threads.submit(service.run, FROZEN)
        assert sending.wait(BOUND_S)
        behind = threads.submit(service.run, BEHIND)
        assert isinstance(frozen.exception(BOUND_S), OutcomeUnknown)
        assert isinstance(error := behind.exception(BOUND_S), Unavailable)
        assert not isinstance(error, OutcomeUnknown)
    assert time.monotonic() - started < BOUND_S
    os.kill(backend, end)

    lost = set()  # a busy machine may lose a retry's answer too: the next one gets that answer
    acknowledged += [sent_until_done(service, request, lost=lost) for request in (FROZEN, BEHIND)]
    for answer, expected in zip(acknowledged, [False, persisted, False], strict=True):
        assert expected == answer.replayed or answer.key in lost
    assert [1, 2, 3] == [answer.position for answer in acknowledged]
    assert {} == problems(acknowledged, done=["w1-1", "w1-2", "w1-3"])


def test_a_statement_resumed_after_its_deadline_is_not_executed(
    services,
    stranger,
    waiting,
    freeze,
    database_url,
    until,
    sent_until_done,
    problems,
    monkeypatch,
):
    """It was allowed one second; the retry is the first execution."""
    monkeypatch.setattr("ledger.database.connections.APPEND_STATEMENT_S", 1)
    service = services(wait_s=PATIENCE_S)
    stranger.execute("SELECT FROM ledger.head FOR UPDATE")

    with ThreadPoolExecutor(1) as threads:
        outcome = threads.submit(service.run, FROZEN)
        try:
            until(waiting)
            [backend] = append_backends(database_url)
            freeze(backend)
        finally:
            stranger.rollback()
        assert isinstance(outcome.exception(BOUND_S), OutcomeUnknown)
    os.kill(backend, signal.SIGCONT)

    acknowledged = sent_until_done(service, FROZEN)
    assert (1, False) == (acknowledged.position, acknowledged.replayed)
    assert {} == problems([acknowledged], done=["w1-2"])
