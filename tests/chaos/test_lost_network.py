"""Invariant 2: the network drops packets, for a while or for good, without an error."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.errors import OutcomeUnknown
from tests.chaos.workload import Acknowledgement, Request

PATIENCE_S = 2.0
BOUND_S = 4.0
RECOVERY_S = 3.0
SILENT_S = 1.5
REQUEST = Request("w1-1")


@pytest.mark.parametrize(
    ("form", "persisted"), [("thread", False), ("task", True)], ids=["not persisted", "persisted"]
)
def test_a_silent_connection_is_closed(
    form, services, proxy, persisted, sent_until_done, problems, monkeypatch
):
    """The caller gets an unknown outcome in bounded time; later ones get another connection."""
    monkeypatch.setattr("ledger.eventlog.group_commit.SILENT_S", SILENT_S)
    service = services(form, url=proxy.url, wait_s=PATIENCE_S)
    proxy.strike(REQUEST.marker, reaches=persisted, cut=False)

    started = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        service.run(REQUEST)
    assert time.monotonic() - started < BOUND_S
    try:
        acknowledged = sent_until_done(service, REQUEST, wait_s=RECOVERY_S)
    finally:
        proxy.break_off()

    assert (1, persisted) == (acknowledged.position, acknowledged.replayed)
    assert {} == problems([acknowledged], done=[REQUEST.key])


def test_a_statement_that_may_still_arrive_has_an_unknown_outcome(
    form, services, proxy, stranger, until, monkeypatch, problems
):
    """A connection broke with the statement in the network. Its outcome was looked up and not
    found, and sending it again was refused. While it may still arrive, the outcome is unknown and
    is not reported as unwritten. Sent again, it gets the response of the one that arrived."""
    monkeypatch.setattr("ledger.database.connections.APPEND_LOCK_WAIT_S", 1)
    service = services(form, url=proxy.url)
    proxy.strike(REQUEST.marker, reaches=False, cut=True)
    proxy.strike(REQUEST.marker, reaches=False, cut=False)

    with ThreadPoolExecutor(1) as threads:
        outcome = threads.submit(service.run, REQUEST)
        until(lambda: proxy.sendings == 2)
        stranger.execute("SELECT FROM ledger.head FOR UPDATE")
        proxy.let_go(1)
        try:
            error = outcome.exception(BOUND_S)
        finally:
            stranger.rollback()
    proxy.let_go(0)
    until(lambda: service.ledger.head() == 1)

    assert isinstance(error, OutcomeUnknown)
    acknowledged = Acknowledgement.of(REQUEST, service.run(REQUEST))
    assert (1, True) == (acknowledged.position, acknowledged.replayed)
    assert {} == problems([acknowledged], done=[REQUEST.key])
