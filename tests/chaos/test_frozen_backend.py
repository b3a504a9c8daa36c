"""A frozen server process that appends: callers get an unknown outcome in bounded time."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event

import pytest

from ledger.errors import OutcomeUnknown, Unavailable
from ledger.eventlog import append_work
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
    sending, write = Event(), append_work.write

    def noted(connection, appends):
        sending.set()
        return write(connection, appends)

    monkeypatch.setattr(append_work, "write", noted)
    return sending


@pytest.mark.parametrize(
    ("end", "persisted"),
    [(signal.SIGCONT, True), (signal.SIGKILL, False)],
    ids=["goes on", "is killed"],
)
def test_it_ends_one_way_or_the_other(
    form, services, patience, appender, freeze, sending, end, persisted, sent_until_done, problems
):
    """Sent again, the command gets its first answer, or is done for the first time."""
    patience(PATIENCE_S)
    service = services(form)
    confirmed = [Acknowledgement.of(Request("w1-1"), service.run(Request("w1-1")))]
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

    confirmed += [sent_until_done(service, request) for request in (FROZEN, BEHIND)]
    assert [False, persisted, False] == [answer.replayed for answer in confirmed]
    assert [1, 2, 3] == [answer.position for answer in confirmed]
    assert {} == problems(confirmed, done=["w1-1", "w1-2", "w1-3"])


def test_it_wakes_too_late(
    services,
    patience,
    stranger,
    waiting,
    freeze,
    database_url,
    until,
    sent_until_done,
    problems,
    monkeypatch,
):
    """Its statement had only a second: it is not carried out, and the retry is the first."""
    monkeypatch.setattr("ledger.database.connections.APPEND_STATEMENT_S", 1)
    patience(PATIENCE_S)
    service = services()
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

    confirmed = sent_until_done(service, FROZEN)
    assert (1, False) == (confirmed.position, confirmed.replayed)
    assert {} == problems([confirmed], done=["w1-2"])
