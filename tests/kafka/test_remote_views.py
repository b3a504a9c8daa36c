"""Remote views: fed from the topic, each event exactly once, by one worker or several."""

import os
import random
import signal
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from secrets import randbelow

import pytest
from kafka import KafkaAdminClient

from consumers.contract.heartbeats import Heartbeat
from consumers.contract.kinds import PARTITIONS, PERMITS
from consumers.kafka.brokers import Brokers
from consumers.kafka.client import connection as client_options
from consumers.remote_views import group, worker
from consumers.remote_views.group import true_as_of
from ledger.database.connections import as_service, connect
from projections.remote.source import (
    CLOCKS_APART_MAX_S,
    Fenced,
    NoRemoteSource,
    begin,
    claim,
    require_own_log,
)
from projections.views.registry import all_views
from tests.kafka.conftest import own_broker
from tests.kafka.growing import Growth, grow
from tests.kafka.reading import read_events, what_is_wrong
from tests.kafka.remote import (
    FED,
    FEED,
    WAIT_S,
    differences,
    newest,
    partitions,
    rows,
    taken_of,
    until_in_step,
    worker_process,
    working,
)
from tests.waiting import until

OLD_S = 4


@pytest.fixture
def seed():
    return int(os.environ.get("PERMIT_LEDGER_TEST_SEED") or randbelow(2**32))


@pytest.fixture
def views(blind_index):
    return all_views(blind_index)


@pytest.fixture
def taken(ledger, policy):
    """A permit's first event, as a record at offset 7."""
    grow(ledger, policy, 1)
    [stored] = ledger.events(1, 1)
    return taken_of(stored, offset=7)


@pytest.fixture
def all_equal(ledger, database_url, remote_url, views):
    def all_equal():
        assert [] == differences(ledger, database_url, remote_url, views)

    return all_equal


def test_remote_views_equal_the_views_of_the_log(
    ledger, policy, relaying, until_relayed, kafka, prefix, remote_url, all_equal
):
    """For events from before the worker began, and for those that come while it runs."""
    first = grow(ledger, policy)
    with relaying():
        until_relayed(first)
        with working(remote_url, kafka, prefix):
            until(lambda: newest(remote_url) == first, wait_s=WAIT_S)
            until_relayed(grow(ledger, policy))
            until_in_step(remote_url)

    all_equal()
    with connect(remote_url) as connection:
        nothing_personal = """
            SELECT bool_and(face IS NULL AND portrait_version IS NULL AND devices = '{}'),
                   (SELECT count(*) FROM views.permit_search)
            FROM views.permits
        """
        assert (True, 0) == connection.execute(nothing_personal).fetchone()


@pytest.mark.parametrize("fault", ["first_stops_reading", "first_has_no_partitions"])
def test_a_worker_replaces_a_client_that_reads_nothing(
    ledger, policy, relaying, kafka, prefix, remote_url, monkeypatch, request, fault
):
    """One that has stopped reading; and one without partitions that no other member reads, as if
    the topic had been made while the group assigned its partitions."""
    made = request.getfixturevalue(fault)(worker)
    monkeypatch.setattr(group, "STUCK_S", 1)
    with relaying():
        grow(ledger, policy, permits=5)
        with working(remote_url, kafka, prefix):
            until(lambda: newest(remote_url) == ledger.head(), wait_s=WAIT_S)
    assert len(made) > 1


def test_the_views_catch_up_after_a_broker_was_killed(
    ledger, policy, relaying, until_relayed, prefix, remote_url, all_equal
):
    """Meanwhile no heartbeat arrives, so the views become stale; afterwards they catch up."""
    with (
        own_broker() as broker,
        relaying(broker.address),
        working(remote_url, broker.address, prefix),
    ):
        until_relayed(grow(ledger, policy))
        until_in_step(remote_url)
        broker.kill()
        until(lambda: _age_s(remote_url) > OLD_S, wait_s=WAIT_S)
        broker.start()
        until_relayed(grow(ledger, policy))
        until_in_step(remote_url)
        assert _age_s(remote_url) < WAIT_S

    all_equal()


def test_without_a_relay_the_views_become_stale(
    ledger, policy, relaying, until_relayed, kafka, prefix, remote_url
):
    """The topic holds no more events than the views do, but the ledger does."""
    with working(remote_url, kafka, prefix):
        with relaying():
            until_relayed(grow(ledger, policy))
            until_in_step(remote_url)
        grow(ledger, policy)
        until(lambda: _age_s(remote_url) > OLD_S, wait_s=WAIT_S)
        with relaying():
            until_in_step(remote_url)
        assert ledger.head() == newest(remote_url)


def test_a_relay_with_a_backlog_sends_no_heartbeat_beyond_it(
    ledger, policy, relaying, kafka, prefix, remote_url
):
    """No view is in step before every event that the log held at the relay's start is on the
    topics."""
    head = grow(ledger, policy, 200)
    with working(remote_url, kafka, prefix), relaying(heartbeat_s=0):
        until(lambda: any(row["in_step_at"] for row in partitions(remote_url)), wait_s=WAIT_S)
        assert [] == what_is_wrong(read_events(kafka, prefix), head)


def test_a_clock_that_is_ahead_does_not_make_the_views_fresh():
    now = datetime(2026, 11, 26, tzinfo=UTC)

    def true_at(ahead_s):
        return true_as_of(Heartbeat(1, now + timedelta(seconds=ahead_s)), now)

    assert now - timedelta(seconds=7) == true_at(-7)
    assert now == true_at(CLOCKS_APART_MAX_S)
    assert true_at(CLOCKS_APART_MAX_S + 1) is None
    assert true_as_of(None, now) is None


def test_killing_one_of_two_workers_loses_nothing(
    ledger, policy, relaying, until_relayed, kafka, prefix, remote_url, all_equal, tmp_path, seed
):
    """``kill -9`` under load, repeatedly: nothing is lost, doubled or out of order."""
    chance = random.Random(seed)  # noqa: S311  chances, no secrets
    with relaying(), worker_process(remote_url, kafka, prefix, tmp_path), Growth(ledger, policy):
        for _ in range(3):
            before = _claims(remote_url)
            with worker_process(remote_url, kafka, prefix, tmp_path) as killed:
                until(lambda before=before: _claims(remote_url) > before, wait_s=WAIT_S)
                time.sleep(chance.uniform(0, 1))
                killed.send_signal(signal.SIGKILL)
                killed.wait()
    head = ledger.head()
    with relaying(), worker_process(remote_url, kafka, prefix, tmp_path):
        until_relayed(head)
        until_in_step(remote_url)

    all_equal()
    with connect(remote_url) as connection:
        assert [] == connection.execute("SELECT * FROM views.quarantine").fetchall()
        assert [] == connection.execute("SELECT * FROM views.bad_records").fetchall()


def test_a_worker_that_lost_a_partition_no_longer_writes(remote_url, taken):
    """Its records are valid, but the partition belongs to another worker by now."""
    with connect(as_service(remote_url)) as connection:
        begin(connection, FEED, PARTITIONS)
        [first] = claim(connection, [taken.partition])
        claim(connection, [taken.partition])
        with pytest.raises(Fenced):
            FED.apply(connection, {first.partition: first.epoch}, [taken])

    assert {} == rows(remote_url, "physical_permits")
    assert 0 == newest(remote_url)


def test_a_record_is_written_once(remote_url, taken):
    with connect(as_service(remote_url)) as connection:
        begin(connection, FEED, PARTITIONS)
        for _ in range(2):
            [mine] = claim(connection, [taken.partition])
            FED.apply(connection, {mine.partition: mine.epoch}, [taken, replace(taken, offset=8)])

    assert [1] == [row["version"] for row in rows(remote_url, "physical_permits").values()]
    assert 9 == partitions(remote_url)[taken.partition]["next_offset"]


def test_a_frozen_worker_finds_its_partitions_taken(
    ledger, policy, relaying, until_relayed, kafka, prefix, remote_url, all_equal, tmp_path
):
    """It resumes with records that it has read, after another worker has continued from there."""
    with relaying(), ExitStack() as stack:
        frozen = stack.enter_context(worker_process(remote_url, kafka, prefix, tmp_path))
        first = grow(ledger, policy)
        until(lambda: newest(remote_url) == first, wait_s=WAIT_S)
        frozen.send_signal(signal.SIGSTOP)
        second = grow(ledger, policy)
        stack.enter_context(worker_process(remote_url, kafka, prefix, tmp_path))
        until(lambda: newest(remote_url) == second, wait_s=WAIT_S)
        frozen.send_signal(signal.SIGCONT)
        until_relayed(grow(ledger, policy))
        until_in_step(remote_url)

    all_equal()


def test_the_views_follow_a_topic_that_was_created_again(
    ledger, policy, relaying, until_relayed, kafka, prefix, remote_url, all_equal, database_url
):
    """Its offsets start again at 0; events whose positions are known are skipped, all others are
    applied."""
    first = grow(ledger, policy)
    with relaying():
        until_relayed(first)
        with working(remote_url, kafka, prefix):
            until(lambda: newest(remote_url) == first, wait_s=WAIT_S)
    topics = [prefix + topic for topic in PERMITS.topics]
    with closing(KafkaAdminClient(**client_options(Brokers(kafka)))) as admin:
        admin.delete_topics(topics)
        until(lambda: not set(topics) & set(admin.list_topics()), wait_s=WAIT_S)
    with connect(database_url) as owner:
        owner.execute("UPDATE ledger.relay SET position = NULL, ends = '{}'")
    second = grow(ledger, policy)

    with relaying():
        until_relayed(second)
        with working(remote_url, kafka, prefix):
            until_in_step(remote_url)

    all_equal()


def test_a_database_with_a_log_of_its_own_is_not_fed(ledger, policy, database_url):
    grow(ledger, policy, 3)
    with (
        connect(as_service(database_url)) as connection,
        pytest.raises(NoRemoteSource, match="of its own"),
    ):
        begin(connection, FEED, PARTITIONS)


def test_a_database_follows_one_ledger(remote_url):
    with connect(as_service(remote_url)) as connection:
        begin(connection, FEED, PARTITIONS)
        with pytest.raises(NoRemoteSource, match=r"follows https://localhost/permit-ledger"):
            begin(connection, replace(FEED, source="https://elsewhere"), PARTITIONS)
        with pytest.raises(NoRemoteSource, match="--source kafka"):
            require_own_log(connection)


def _age_s(url):
    with connect(url) as connection:
        query = """SELECT extract(epoch FROM clock_timestamp() - min(in_step_at))
                   FROM views.feed_partitions"""
        return float(connection.execute(query).fetchone()[0])


def _claims(url):
    """How often partitions were taken over."""
    return sum(row["epoch"] for row in partitions(url))
