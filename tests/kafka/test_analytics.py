"""Statistics read from a real topic count each event once, whatever else is on the topic."""

import random
from collections import Counter
from contextlib import closing
from threading import Event

import pytest
from kafka import KafkaProducer, TopicPartition

from consumers.analytics import kafka_source
from consumers.analytics.errors import OtherHistory
from consumers.analytics.kafka_source import KafkaSource, consumer_group
from consumers.analytics.sink import EVENTS, Sink
from consumers.contract.cloudevents import headers
from consumers.contract.kinds import PARTITIONS, PERMITS
from consumers.kafka.brokers import Brokers
from consumers.kafka.client import committed_reader, connection
from tests.analytics.consumer import Consumer
from tests.kafka.growing import Growth, grow
from tests.waiting import until

KILLS, BATCHES_MAX, WAIT_S = 3, 8, 60
AT = "2026-11-01T02:00:00+00:00"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "analytics"


@pytest.fixture
def source(kafka, prefix, folder):
    return KafkaSource(Brokers(kafka), [PERMITS.under(prefix)], consumer_group(folder))


@pytest.fixture
def read_upto(source):
    """``read_upto(sink, records)``: read until the sink holds so many records, counted or
    parked."""

    def read_upto(sink, records):
        stop = Event()
        with closing(source.batches(sink.marks(EVENTS), stop)) as batches:
            while (
                sum(len(sink.rows(f"SELECT 1 FROM {table}")) for table in ("events", "parked"))
                < records
            ):
                sink.write(next(batches))

    return read_upto


def stored(sink):
    rows = sink.rows("SELECT position, subject, version, type FROM events ORDER BY position")
    return [tuple(row.values()) for row in rows]


def in_log(ledger):
    return [
        (event.id, event.originator_id, event.originator_version, event.topic)
        for event in ledger.events(1, 100_000)
    ]


def test_a_consumer_killed_repeatedly_counts_each_position_once(
    ledger, policy, relaying, database_url, kafka, prefix, folder
):
    """It is killed at random points, while the log grows and is relayed."""
    chance = random.Random(12)  # noqa: S311  chance, not secrecy
    consumer = Consumer(database_url, folder, kafka, prefix)
    try:
        with relaying():
            with Growth(ledger, policy):
                for _ in range(KILLS):
                    consumer.start()
                    consumer.has_written(chance.randrange(1, BATCHES_MAX))
                    consumer.kill()
            head = ledger.head()
            consumer.start()
            stats = folder / "published" / "live.json"
            until(
                lambda: stats.exists() and f'"events":{head},' in stats.read_text(), wait_s=WAIT_S
            )
    finally:
        consumer.kill()

    with closing(Sink(folder, f"topic {prefix}permits.events.v1")) as sink:
        assert in_log(ledger) == stored(sink)
        assert head == max(mark.position for mark in sink.marks(EVENTS).values())
        assert len(sink.marks(EVENTS)) == PARTITIONS


def test_a_client_that_has_stopped_reading_is_replaced(
    ledger,
    policy,
    relaying,
    until_relayed,
    kafka,
    folder,
    source,
    read_upto,
    monkeypatch,
    first_stops_reading,
):
    """It polls as before, and returns nothing of what is there."""
    grow(ledger, policy, permits=5)
    head = ledger.head()
    with relaying():
        until_relayed(head)
    made = first_stops_reading(kafka_source)
    monkeypatch.setattr(kafka_source, "SILENCE_S_MAX", 0.5)
    with closing(Sink(folder, source.name)) as sink:
        read_upto(sink, head)
        assert in_log(ledger) == stored(sink)
    assert len(made) == 2


def strangers_records(position):
    """Records that cannot be counted, each with its own subject; and how often each reason is
    expected."""
    good = {
        "event_type": "permit.card-delivered.v1",
        "source": "somewhere",
        "version": 1,
        "time": AT,
    }
    value = b'{"delivered_on": "2026-11-01", "card_serial": 1}'
    secret = b"somebody's name"

    def headers_of(subject, **other):
        return headers(**{**good, "position": position, "subject": subject, **other})

    return [
        (b"S1", secret, []),
        (b"S2", secret, headers_of("S2")),
        (b"S3", b"[1]", headers_of("S3")),
        (b"S4", value, headers_of("S4", event_type="permit.enchanted.v1")),
        (b"S5", b'{"x": "' + b"x" * 900_000 + b'"}', headers_of("S5")),
        (secret, value, headers_of("S6")),
        (b"S7", None, headers_of("S7")),
        (b"S8", b'{"delivered_on": "some day", "card_serial": 1}', headers_of("S8")),
        (b"S9", b'{"delivered_on": "2026-11-01"}', headers_of("S9")),
    ]


def test_foreign_records_are_parked_and_all_others_counted(
    ledger, policy, relaying, until_relayed, kafka, prefix, folder, source, read_upto
):
    """Not JSON, an unknown type, too large, under another key, without a fact: each is recorded by
    its offset, with a reason and none of its content. Read again, it is still recorded once."""
    grow(ledger, policy)
    head = ledger.head()
    with relaying():
        until_relayed(head // 2)
        bad = strangers_records(head + 1000)
        with closing(KafkaProducer(**connection(Brokers(kafka)))) as producer:
            topic = f"{prefix}permits.events.v1"
            for n, (key, value, sent) in enumerate(bad):
                producer.send(topic, value, key=key, headers=sent, partition=n % PARTITIONS).get(30)
        until_relayed(head)

    with closing(Sink(folder, source.name)) as sink:
        read_upto(sink, head // 3)
        read_upto(sink, head + len(bad))
        parked = sink.rows("SELECT * FROM parked")

        assert in_log(ledger) == stored(sink)
        assert len(bad) == len({(row["part"], row["part_offset"]) for row in parked}) == len(parked)
        assert Counter(row["reason"] for row in parked) == Counter(
            [
                "it is no CloudEvent 1.0 in binary mode",
                *["its value is no JSON object"] * 2,
                "its type is unknown",
                "its value is too long",
                "the key is not the subject",
                "it has no value",
                "delivered_on is no date",
                "it lacks its card_serial",
            ]
        )
        assert "somebody" not in str(parked)
        assert len(bad) == sink.vitals()["parked"]


def test_a_replaced_topic_is_detected(
    ledger, policy, relaying, until_relayed, kafka, prefix, folder, source, read_upto
):
    """By the last event of a partition, which is read again at every start."""
    grow(ledger, policy)
    head = ledger.head()
    with relaying():
        until_relayed(head)
    with closing(Sink(folder, source.name)) as sink:
        read_upto(sink, head)
        marks = sink.marks(EVENTS)
        part = next(iter(marks))
        others = {
            "another event": marks[part]._replace(seen="1 ANOTHER 1 permit.issued.v1"),
            "a shorter topic": marks[part]._replace(position_offset=10**6, next_offset=10**6 + 1),
            "only strangers": marks[part]._replace(position_offset=None, next_offset=10**6),
        }
        for mark in others.values():
            with (
                pytest.raises(OtherHistory),
                closing(source.batches({**marks, part: mark}, Event())) as batches,
            ):
                next(batches)


def test_the_offsets_of_the_group_are_committed(
    ledger, policy, relaying, until_relayed, kafka, prefix, folder, source, read_upto
):
    """So that Kafka's own tools show the group's lag."""
    grow(ledger, policy)
    head = ledger.head()
    with relaying():
        until_relayed(head)
    stop = Event()
    with closing(Sink(folder, source.name)) as sink, closing(source.batches({}, stop)) as batches:
        topic = f"{prefix}permits.events.v1"
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]

        def committed():
            with closing(
                committed_reader(Brokers(kafka), group_id=consumer_group(folder))
            ) as watcher:
                offsets = [watcher.committed(partition) for partition in partitions]
            marks = sink.marks(EVENTS)
            return (
                len(marks) == PARTITIONS
                and [m.next_offset for _, m in sorted(marks.items())] == offsets
            )

        while sink.vitals()["events"] < head:
            sink.write(next(batches))
        stop.set()
        assert [] == list(batches)
        until(committed, wait_s=WAIT_S)
