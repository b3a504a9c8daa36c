"""Another client locks rows that an append needs, in a transaction that it never ends."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.errors import OutcomeUnknown, Unavailable
from tests.chaos.workload import Acknowledgement, Request

BOUND_S = 6

HEAD = "SELECT FROM ledger.head FOR UPDATE"
HOLDERS = "SELECT FROM ledger.holders FOR UPDATE"
LOG = "LOCK TABLE ledger.events"
LOCKS = pytest.mark.parametrize(
    ("lock", "change"),
    [
        (HEAD, {}),
        (HOLDERS, {"ends": True}),
        (LOG, {}),
    ],
    ids=["the head", "a holder", "the log"],
)


@pytest.fixture
def impatient(monkeypatch):
    """Every wait for a lock is a second."""
    monkeypatch.setattr("ledger.database.connections.APPEND_LOCK_WAIT_S", 1)
    monkeypatch.setattr("ledger.database.connections.LOCK_WAIT_S", 1)


@LOCKS
def test_a_wait_for_a_locked_row_ends_in_bounded_time(
    form, impatient, permits, stranger, services, lock, change, problems
):
    """Nothing is written; afterwards the same command succeeds."""
    [permit] = permits(1)
    request = Request("w1-1", permit.number if change else None, **change)
    service = services(form)
    stranger.execute(lock)

    with ThreadPoolExecutor(1) as threads:
        outcome = threads.submit(service.run, request)
        try:
            error = outcome.exception(BOUND_S)
        finally:
            stranger.rollback()

    assert isinstance(error, Unavailable)
    assert not isinstance(error, OutcomeUnknown)
    assert {} == problems([permit])
    confirmed = Acknowledgement.of(request, service.run(request))
    assert (2, False) == (confirmed.position, confirmed.replayed)
    assert {} == problems([permit, confirmed], done=["w1-1"])


@LOCKS
def test_a_row_that_is_unlocked_in_time_is_waited_for(
    form, permits, stranger, services, lock, change, waiting, until, problems
):
    """The command succeeds as usual."""
    [permit] = permits(1)
    request = Request("w1-1", permit.number if change else None, **change)
    service = services(form)
    stranger.execute(lock)

    with ThreadPoolExecutor(1) as threads:
        outcome = threads.submit(service.run, request)
        try:
            until(waiting)
        finally:
            stranger.rollback()
        confirmed = Acknowledgement.of(request, outcome.result(BOUND_S))

    assert (2, False) == (confirmed.position, confirmed.replayed)
    assert {} == problems([permit, confirmed], done=["w1-1"])


def test_a_read_of_a_locked_row_ends_in_bounded_time(
    form, impatient, permits, stranger, services, problems
):
    """A command that has to read a permit first does not wait without a limit either."""
    [permit] = permits(1)
    service = services(form)
    stranger.execute(LOG)

    with ThreadPoolExecutor(1) as threads:
        outcome = threads.submit(service.run, Request("w1-1", permit.number))
        try:
            error = outcome.exception(BOUND_S)
        finally:
            stranger.rollback()

    assert isinstance(error, Unavailable)
    assert {} == problems([permit])
