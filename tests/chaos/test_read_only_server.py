"""Invariant 2: a broken connection is followed by one to a read-only server.

As after a fail-over, when the address leads to a standby for a while. Sessions opened then stay
read-only, as on a standby that is never promoted.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg.sql import SQL, Identifier

from ledger.errors import Unavailable
from tests.chaos.backends import append_backends
from tests.chaos.workload import Acknowledgement, Request

PATIENCE_S = 2.0
BOUND_S = 8
FIRST, NEXT = Request("w1-1"), Request("w1-2")


@pytest.fixture
def only_reading(admin):
    """``only_reading(True)``: sessions that begin from now on may not write."""

    def only_reading(on):
        database = Identifier(admin.info.dbname)
        value = SQL("on" if on else "off")
        admin.execute(
            SQL("ALTER DATABASE {} SET default_transaction_read_only = {}").format(database, value)
        )

    return only_reading


def test_the_outcome_of_an_append_is_looked_up_until_it_is_known(
    form, services, proxy, only_reading, appender, until, database_url, problems
):
    """It was committed; the next server does not have it yet, and the one after it does."""
    service = services(form, url=proxy.url)
    acknowledged = [Acknowledgement.of(FIRST, service.run(FIRST))]
    before = appender()
    only_reading(True)
    proxy.strike(NEXT.marker, reaches=True, cut=True)

    with ThreadPoolExecutor(1) as threads:
        outcome = threads.submit(service.run, NEXT)
        until(lambda: outcome.done() or append_backends(database_url) not in ([], [before]))
        only_reading(False)
        acknowledged.append(Acknowledgement.of(NEXT, outcome.result(BOUND_S)))

    assert [(1, False), (2, False)] == [
        (answer.position, answer.replayed) for answer in acknowledged
    ]
    assert {} == problems(acknowledged, done=[FIRST.key, NEXT.key])


def test_a_read_only_server_is_left(
    form, services, only_reading, admin, appender, sent_until_done, problems
):
    """Commands are unavailable at first, and succeed once there is a writable server."""
    service = services(form, wait_s=PATIENCE_S)
    acknowledged = [Acknowledgement.of(FIRST, service.run(FIRST))]
    only_reading(True)
    admin.execute("SELECT pg_terminate_backend(%s, 5000)", [appender()])
    with pytest.raises(Unavailable):
        service.run(NEXT)
    only_reading(False)

    acknowledged.append(sent_until_done(service, NEXT, wait_s=BOUND_S / 2))

    assert [1, 2] == [answer.position for answer in acknowledged]
    assert {} == problems(acknowledged, done=[FIRST.key, NEXT.key])
