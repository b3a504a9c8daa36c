"""Followers are notified after a commit, and no commit waits for that."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import psutil
import psycopg
import pytest
from psycopg.pq import TransactionStatus

from ledger.database.connections import CHANNEL, connect
from ledger.eventlog import notifier as notifier_module
from ledger.eventlog.notifier import LogNotifier
from tests.ledger.appends import on

WAIT_S = 30
RINGS = 100
NOTIFIER = "test notifier"


@pytest.fixture
def connections():
    """Those that a notifier has made."""
    return []


@pytest.fixture
def make_notifier(database_url, connections):
    """``make_notifier(failures)``: one that cannot connect the first times."""
    with ExitStack() as stack:

        def make_notifier(*failures):
            coming = list(failures)

            def connect_notifier():
                if coming:
                    raise coming.pop(0)
                connections.append(connect(database_url, application_name=NOTIFIER))
                return connections[-1]

            notifier = LogNotifier(connect_notifier)
            stack.callback(notifier.close)
            return notifier

        yield make_notifier


@pytest.fixture
def notifier(make_notifier):
    return make_notifier()


@pytest.fixture
def listener(database_url):
    with connect(database_url) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        yield listener


@pytest.fixture
def heard(listener):
    """``heard()``: wait for a notification."""
    return lambda: list(listener.notifies(timeout=WAIT_S, stop_after=1))


@pytest.fixture
def heard_so_far(listener, admin):
    """``heard_so_far()``: the number of notifications since the last call."""

    def heard_so_far():
        admin.execute("SELECT pg_notify(%s, 'and no more')", [CHANNEL])
        for rings, notify in enumerate(listener.notifies(timeout=WAIT_S)):
            if notify.payload:
                return rings
        raise AssertionError("nothing was heard")

    return heard_so_far


@pytest.fixture
def stuck(notifier, connections, heard, until, admin):
    """``with stuck():`` the notifier is sending, and the suspended server does not answer."""

    @contextmanager
    def stuck():
        notifier.notify()
        assert heard()
        connection = connections[-1].pgconn
        until(lambda: connection.transaction_status == TransactionStatus.IDLE)  # heard before it
        sql = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
        server = psutil.Process(admin.execute(sql, [NOTIFIER]).fetchone()[0])
        os.kill(server.pid, signal.SIGSTOP)
        try:
            until(lambda: server.status() == psutil.STATUS_STOPPED)
            notifier.notify()
            until(lambda: connection.transaction_status == TransactionStatus.ACTIVE)
            yield
        finally:
            os.kill(server.pid, signal.SIGCONT)

    return stuck


def within_bounds(act):
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(act).result(WAIT_S)


def test_a_notification_arrives(notifier, heard):
    """Each time, at every listener."""
    for _ in range(3):
        notifier.notify()
        assert heard()


def test_a_commit_is_notified(ledger, issue, heard, heard_so_far, command):
    """A command's, and a batch's; a read is not."""
    number = issue()
    assert heard()
    ledger.append_all([on("a")])
    assert heard()

    ledger.permit(number)

    assert 0 == heard_so_far()


def test_nothing_is_connected_before_the_first_notification(notifier, admin, heard):
    """A process that only reads has no notifier."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
    assert (0,) == admin.execute(sql, [NOTIFIER]).fetchone()

    notifier.notify()

    assert heard()
    assert (1,) == admin.execute(sql, [NOTIFIER]).fetchone()


def test_commits_during_a_notification_share_the_next(notifier, stuck, heard_so_far, until):
    """While one is being sent, all commits share the next one; no caller waits for it."""
    with stuck():
        within_bounds(lambda: [notifier.notify() for _ in range(RINGS)])

    until(lambda: not notifier.is_pending)
    notifier.close()
    assert 2 <= heard_so_far() <= 3  # the stuck one, all of them, and one for the closing


def test_the_last_notification_is_sent_while_closing(notifier, stuck, heard_so_far, until):
    """The commit came after the one under way: followers would miss it."""
    with ThreadPoolExecutor(1) as thread:
        with stuck():
            notifier.notify()
            closing = thread.submit(notifier.close)
            until(lambda: notifier.is_closed)
        closing.result(WAIT_S)

    assert 2 <= heard_so_far()


def test_without_a_database_a_notification_is_lost_and_the_next_one_is_not(
    make_notifier, connections, heard, until
):
    """Followers poll; the notifier connects again for the next commit."""
    failures = [psycopg.OperationalError("no route to host")] * 3
    notifier = make_notifier(*failures)

    for _ in failures:
        within_bounds(notifier.notify)
        until(lambda: not notifier.is_pending)
    until(lambda: notifier.notify() or connections)

    assert heard()


def test_a_lost_connection_is_made_again(notifier, connections, heard, until, kill):
    """The notification on the lost one is not received; the next is."""
    notifier.notify()
    assert heard()
    [lost] = connections
    assert 1 == kill(NOTIFIER)

    until(lambda: notifier.notify() or connections[-1] is not lost)

    assert heard()


def test_closing_ends_its_thread_and_its_connection(notifier, heard, until, admin):
    """A later notification starts nothing."""
    notifier.notify()
    assert heard()

    within_bounds(notifier.close)
    notifier.notify()

    assert not notifier.is_running
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
    until(lambda: admin.execute(sql, [NOTIFIER]).fetchone() == (0,))


def test_a_notifier_that_was_never_used_has_nothing_to_close(notifier):
    """It sends nothing afterwards."""
    notifier.close()
    notifier.notify()

    assert not notifier.is_running


def test_closing_does_not_wait_for_a_connection_that_is_stuck(notifier, stuck, until, monkeypatch):
    """A service has to be able to stop; followers poll."""
    monkeypatch.setattr(notifier_module, "CLOSE_WAIT_S", 0.1)
    with ThreadPoolExecutor(1) as thread, stuck():
        thread.submit(notifier.close).result(10)

    until(lambda: not notifier.is_running)
