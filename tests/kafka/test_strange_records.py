"""Foreign records on the topic are kept as bad records, and do not hold up the others."""

import json
from contextlib import closing

import orjson
import pytest
from kafka import KafkaProducer

from consumers.contract.cloudevents import UNREADABLE_TYPE, headers
from consumers.contract.kinds import PERMITS
from consumers.kafka.brokers import Brokers
from consumers.kafka.client import connection as client_options
from consumers.relay.records import partition_of
from ledger.database.connections import connect
from projections.views.registry import all_views
from tests.kafka.growing import grow
from tests.kafka.remote import (
    SOURCE,
    WAIT_S,
    differences,
    fold,
    partitions,
    rows,
    until_in_step,
    working,
)

FAR_AHEAD = 10**15


@pytest.fixture
def producer(kafka):
    options = {**client_options(Brokers(kafka)), "max_request_size": 1_000_000}
    with closing(KafkaProducer(**options)) as producer:
        yield producer


@pytest.fixture
def put(producer, prefix):
    """``put(key, value, …)``: send a record that is not the relay's."""

    def put(key, value, with_headers=(), partition=None):
        topic = prefix + PERMITS.events_topic
        future = producer.send(
            topic, value, key=key.encode(), headers=list(with_headers), partition=partition
        )
        return future.get(WAIT_S).partition

    return put


@pytest.fixture
def forged():
    """The relay's headers, with some of them replaced."""

    def forged(number, **given):
        usual = {
            "position": FAR_AHEAD,
            "event_type": "permit.card-reported-lost.v2",
            "source": SOURCE,
            "subject": number,
            "version": 99,
            "time": "2026-11-01T00:00:00+00:00",
        }
        return headers(**{**usual, **given})

    return forged


@pytest.fixture
def remote(ledger, policy, relaying, until_relayed, kafka, prefix, remote_url):
    """A log of some permits on the topic, and a worker that has read it."""
    with relaying():
        until_relayed(grow(ledger, policy, 30))
        with working(remote_url, kafka, prefix):
            until_in_step(remote_url)
            yield remote_url


@pytest.fixture
def numbers(remote):
    return sorted(rows(remote, "physical_permits"))


def found(url):
    """The bad records that were recorded: reason → the quarantined permit, if any."""
    with connect(url) as connection:
        return dict(
            connection.execute("SELECT reason, permit_number FROM views.bad_records").fetchall()
        )


def bad_of_permits(url):
    with connect(url) as connection:
        query = "SELECT permit_number FROM views.bad_records WHERE permit_number IS NOT NULL"
        return {number for (number,) in connection.execute(query)}


def quarantined(url):
    with connect(url) as connection:
        return dict(
            connection.execute("SELECT permit_number, reason FROM views.quarantine").fetchall()
        )


def test_foreign_records_are_recorded_and_quarantine_no_permit(
    remote, numbers, put, forged, ledger, policy, until_relayed, database_url, blind_index
):
    one, other = numbers[0], next(n for n in numbers if partition_of(n) != partition_of(numbers[0]))
    put(one, b"\xff not JSON", [("who", b"me")])
    put("王小明 990000199001010017", b"{}", forged(one))
    put(one, b"{}", forged(other))
    put(one, b"{}", forged(one, source="https://elsewhere"))
    put(one, b"{}", forged(one), partition=(partition_of(one) + 1) % 12)
    put("no-permit", b"{}", forged("no-permit"))
    put(one, b"x" * 900_000)

    until_relayed(grow(ledger, policy, 30))
    until_in_step(remote)

    reasons = found(remote)
    assert {None} == set(reasons.values())
    assert {
        "it is no CloudEvent 1.0 in binary mode",
        "the key is not the subject",
        "it is not this ledger's",
        "it lies in another partition than its key's",
        "its subject is no permit number",
    } == reasons.keys()
    assert 7 == sum(row["bad_records"] for row in partitions(remote))
    assert {} == quarantined(remote)
    assert [] == differences(ledger, database_url, remote, all_views(blind_index))
    with connect(remote) as connection:
        kept = json.dumps(
            connection.execute("SELECT * FROM views.bad_records").fetchall(), default=str
        )
    assert "990000" not in kept and "小明" not in kept  # noqa: PT018  nothing of what they hold


BAD_EVENTS = [
    (b"{", {}, "its value is no JSON object"),
    (None, {}, "it has no value"),
    (b"[]", {}, "its value is no JSON object"),
    (b"{}" + b" " * 300_000, {}, "its value is too long"),
    (b"{}", {"event_type": "permit.sold.v1"}, "its type is unknown"),
    (b"{}", {"event_type": UNREADABLE_TYPE}, "the ledger itself can't read this event"),
    (b"{}", {"time": "yesterday"}, "ce_time is missing or no instant"),
    (b'{"surprise": 1}', {}, "unknown fields: surprise"),
    (orjson.dumps({"timestamp": "x"}), {}, "can't be read"),
]


def test_a_bad_event_quarantines_the_permit_that_it_claims(
    remote, numbers, put, forged, ledger, policy, until_relayed
):
    """It claims to be the ledger's, under the permit's own key; its content is unknown."""
    stopped = dict(zip(numbers, BAD_EVENTS, strict=False))
    before = rows(remote, "physical_permits")
    for number, (value, changes, _) in stopped.items():
        put(number, value, forged(number, version=before[number]["version"] + 1, **changes))
    head = grow(ledger, policy, 10)
    until_relayed(head)
    until_in_step(remote)

    reasons = quarantined(remote)
    assert stopped.keys() == reasons.keys()
    assert [] == [n for n, (_, _, reason) in stopped.items() if reason not in reasons[n]]
    assert stopped.keys() == bad_of_permits(remote)
    after = rows(remote, "physical_permits")
    assert {n: before[n] for n in stopped} == {n: after[n] for n in stopped}
    assert len(after) > len(before)
    assert all(row["position"] <= head for row in partitions(remote))


def test_a_forged_position_beyond_the_log_delays_no_permit(
    remote, numbers, put, forged, ledger, context, until_relayed, database_url, blind_index
):
    """A forged event with a high position makes all later ones appear old: versions decide."""
    one = numbers[0]
    beside = [n for n in numbers if partition_of(n) == partition_of(one)]
    version = rows(remote, "physical_permits")[one]["version"]
    [mine] = [
        e
        for e in ledger.events(1, 10_000)
        if str(e.originator_id) == one and e.originator_version == 1
    ]
    put(one, b"{}", forged(one, version=version))
    put(one, b"{}", forged(one, version=1, position=mine.id))

    policy = context.policy
    until_relayed(grow(ledger, policy, 60))
    until_in_step(remote)

    assert len(beside) >= 1
    assert [one] == list(quarantined(remote))
    fold(ledger, database_url, all_views(blind_index))
    here, there = (rows(url, "physical_permits") for url in (database_url, remote))
    assert [] == [n for n in here if here[n]["version"] != there[n]["version"] and n != one]
