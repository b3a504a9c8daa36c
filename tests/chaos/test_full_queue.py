"""More commands than the database can take: the rest is refused at once, memory stays bounded."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.errors import OutcomeUnknown, Unavailable
from ledger.eventlog import group_commit
from ledger.eventlog.append import Append
from ledger.eventlog.group_commit import QUEUE_BYTES_MAX
from ledger.eventlog.idempotency import IdempotencyKey, PendingAnswer
from tests.chaos.workload import Acknowledgement, Request

AT_ONCE_S = 1.0
LARGE_BYTES = QUEUE_BYTES_MAX // 8
WAIT_S = 60
PATIENCE_S = 60.0
FEW_APPENDS = 200
"""Instead of thousands, which take longer to start on a busy machine than a command waits."""


@pytest.fixture
def stuck(stranger, waiting, until):
    """``stuck(start)``: the commands started wait for another client's lock, and the writer too."""

    def stuck(start):
        stranger.execute("SELECT FROM ledger.head FOR UPDATE")
        started = start()
        until(waiting)
        return started

    return stuck


def refused_at_once(act):
    started = time.monotonic()
    with pytest.raises(Unavailable, match="Too many commands are waiting") as caught:
        act()
    assert time.monotonic() - started < AT_ONCE_S
    assert not isinstance(caught.value, OutcomeUnknown)


def test_too_many_commands_are_refused(
    services, stuck, stranger, queued, until, problems, monkeypatch
):
    """Waiting commands are executed when the database is free again; a refused one is not."""
    monkeypatch.setattr(group_commit, "QUEUE_APPENDS_MAX", FEW_APPENDS)
    service = services("task", wait_s=PATIENCE_S)
    first = stuck(lambda: service.start(Request("w1-0")))
    requests = [Request(f"w1-{n}") for n in range(1, FEW_APPENDS + 1)]
    started = [service.start(request) for request in requests]
    until(lambda: queued(service) == FEW_APPENDS)

    refused = Request("w2-1")
    refused_at_once(lambda: service.run(refused))
    stranger.rollback()

    acknowledged = [Acknowledgement.of(Request("w1-0"), first.result(WAIT_S))]
    acknowledged += [
        Acknowledgement.of(request, future.result(WAIT_S))
        for request, future in zip(requests, started, strict=True)
    ]
    assert {} == problems(acknowledged)
    assert FEW_APPENDS + 1 == service.ledger.head()
    again = Acknowledgement.of(refused, service.run(refused))
    assert (FEW_APPENDS + 2, False) == (again.position, again.replayed)


def test_too_many_bytes_are_refused(services, stuck, stranger, queued, until):
    """A few large commands exceed the limit as well."""
    service = services()
    log = service.ledger.log

    def large(n):
        key = IdempotencyKey("chaos", f"large-{n}", b"")
        answer = PendingAnswer(key, accepted=True, body=bytes(LARGE_BYTES), version=None)
        return log.append(Append([], answer=answer))

    with ThreadPoolExecutor(9) as threads:
        first = stuck(lambda: threads.submit(large, 0))
        others = [threads.submit(large, n) for n in range(1, 9)]
        until(lambda: queued(service) == len(others))
        refused_at_once(lambda: large(9))
        stranger.rollback()
        assert [[]] * 9 == [future.result(WAIT_S) for future in [first, *others]]

    kept = log.answers("chaos", [f"large-{n}" for n in range(10)])
    assert {f"large-{n}" for n in range(9)} == set(kept)


def test_a_cancelled_command_is_not_sent(services, stuck, stranger, queued, until, problems):
    """A cancelled command that was not sent yet is removed from its batch."""
    service = services("task")
    first = stuck(lambda: service.start(Request("w1-1")))
    cancelled, behind = service.start(Request("w1-2")), service.start(Request("w1-3"))
    until(lambda: queued(service) == 2)

    cancelled.cancel()
    until(lambda: queued(service) == 1)
    stranger.rollback()

    acknowledged = [
        Acknowledgement.of(Request(key), future.result(WAIT_S))
        for key, future in (("w1-1", first), ("w1-3", behind))
    ]
    assert [1, 2] == [answer.position for answer in acknowledged]
    assert 2 == service.ledger.head()
    assert {} == problems(acknowledged)
