"""The faults after which the relay does not continue by itself: it sends nothing, and reports what
to do."""

import re
from contextlib import closing
from threading import Event
from types import SimpleNamespace

import pytest
from kafka import KafkaAdminClient, TopicPartition, errors
from kafka.admin import ConfigResource, ConfigResourceType

from consumers.contract.cloudevents import Outgoing
from consumers.contract.heartbeats import TOPIC as HEARTBEATS
from consumers.contract.kinds import PERMITS
from consumers.errors import LogForked, RelayStopped, TailUnknown, TopicLost
from consumers.kafka.brokers import Brokers
from consumers.kafka.client import connection
from consumers.relay.cursor import Cursor, RelayRow
from consumers.relay.refusals import refusal_in
from consumers.relay.relay import too_large
from consumers.relay.resume import TRANSACTION_EVENTS_MAX, last_sent
from consumers.relay.tail import Tail
from ledger.database.connections import as_service, connect
from tests.kafka.conftest import RelayedTo
from tests.kafka.growing import grow
from tests.kafka.reading import positions, read_events, what_is_wrong
from tests.waiting import until

WAIT_S = 180
EVENTS = TopicPartition(PERMITS.events_topic, 0)


@pytest.fixture
def stopped(relay_row):
    """Wait until the relay has stopped, and return its reason."""

    def stopped():
        until(lambda: relay_row().stopped, wait_s=WAIT_S)
        return relay_row().stopped

    return stopped


@pytest.fixture
def admin(kafka):
    with closing(KafkaAdminClient(**connection(Brokers(kafka)))) as admin:
        yield admin


def test_a_restored_database_stops_the_relay(
    ledger, policy, relaying, until_relayed, stopped, database_url, rewrite_log, kafka, prefix
):
    """The topics hold events that the log has lost."""
    first = grow(ledger, policy, 20)
    with relaying():
        until_relayed(first)
    rewrite_log("DELETE FROM ledger.events WHERE position > %s", [first - 10])
    with connect(database_url) as owner:
        owner.execute("UPDATE ledger.head SET position = %s", [first - 10])
        owner.execute("UPDATE ledger.relay SET position = %s", [first - 10])

    with relaying():
        reason = stopped()

    assert f"hold event {first}" in reason
    assert f"ends at position {first - 10}" in reason
    assert "restored from a backup" in reason
    assert list(range(1, first + 1)) == positions(read_events(kafka, prefix))


def test_a_restored_database_that_has_grown_since_stops_the_relay(
    ledger, policy, relaying, until_relayed, stopped, rewrite_log, kafka, prefix, database_url
):
    """Its head is beyond the topics' again, with another history below."""
    first = grow(ledger, policy, 20)
    with relaying():
        until_relayed(first)
    rewrite_log("DELETE FROM ledger.events WHERE position > %s", [first - 10])
    with connect(database_url) as owner:
        owner.execute("UPDATE ledger.head SET position = %s", [first - 10])
        owner.execute("UPDATE ledger.relay SET position = %s", [first - 10])
    assert grow(ledger, policy, 20) > first

    with relaying():
        reason = stopped()

    assert f"another event {first} than the log" in reason
    assert list(range(1, first + 1)) == positions(read_events(kafka, prefix))


def test_lost_topics_are_filled_again_only_on_the_operators_command(
    ledger, policy, relaying, until_relayed, stopped, database_url, kafka, prefix, admin, relay_row
):
    """The relay does not create them again by itself; on the command, it sends the log again
    without a restart."""
    head = grow(ledger, policy, 20)
    with relaying():
        until_relayed(head)
    topics = [prefix + topic for topic in PERMITS.topics]
    admin.delete_topics(topics)
    until(lambda: not set(topics) & set(admin.list_topics()), wait_s=WAIT_S)

    with relaying():
        assert "is not there. Nothing is sent." in stopped()
        assert set() == set(topics) & set(admin.list_topics())
        with connect(as_service(database_url)) as connection:
            assert RelayRow(connection).forget()
        until(lambda: (relay_row().position or 0) == head, wait_s=WAIT_S)

    assert [] == what_is_wrong(read_events(kafka, prefix), head)


def test_lost_records_stop_the_relay(
    ledger, policy, relaying, until_relayed, stopped, kafka, prefix, admin, database_url
):
    """The topics were restored by another program, without their newest records."""
    head = grow(ledger, policy, 20)
    with connect(database_url) as owner:
        owner.execute("UPDATE ledger.relay SET position = %s", [head + 5])

    with relaying():
        reason = stopped()

    assert f"Event {head + 5} was sent, and the topics are empty." in reason
    assert "permit-ledger relay --replay" in reason


def test_a_topic_with_other_settings_stops_the_relay(
    ledger, policy, relaying, stopped, kafka, prefix, admin
):
    topic = prefix + PERMITS.events_topic
    admin.create_topics({topic: {"num_partitions": 3, "replication_factor": 1}})

    with relaying():
        assert "has 3 partitions and must have 12" in stopped()


@pytest.fixture
def set_limit(admin, prefix):
    """``set_limit(topic, bytes)``: what a batch of records may have."""

    def set_limit(topic, limit_bytes):
        resource = ConfigResource(
            ConfigResourceType.TOPIC, prefix + topic, {"max.message.bytes": str(limit_bytes)}
        )
        admin.alter_configs([resource])

    return set_limit


@pytest.mark.parametrize(
    ("topic", "what"),
    [
        (PERMITS.events_topic, r"The event at position (\d+) is a record of (\d+) bytes"),
        (PERMITS.state_topic, r"A permit's state, as of position (\d+) of the log, is a record"),
    ],
)
def test_a_record_larger_than_its_topic_accepts_stops_the_relay(
    ledger,
    policy,
    relaying,
    until_relayed,
    stopped,
    relay_row,
    kafka,
    prefix,
    set_limit,
    topic,
    what,
):
    """The reason names its position and size, and the setting to change; after the change, the
    relay continues by itself."""
    first = grow(ledger, policy, 10)
    with relaying():
        until_relayed(first)
    set_limit(topic, 150)
    head = grow(ledger, policy, 10)

    with relaying():
        reason = stopped()
        found = re.search(what, reason)
        assert first < int(found[1]) <= head
        assert f"the topic {prefix + topic} does not take it (max.message.bytes=150)" in reason
        size = int(re.search(r"record of (\d+) bytes", reason)[1])
        advised = int(re.search(r"to at least (\d+)", reason)[1])
        assert 150 < size < advised
        starts, seen = relay_row().starts, read_events(kafka, prefix)
        for _ in range(10):  # it checks every 0.2 s
            Event().wait(0.1)
            assert RelayedTo(first, reason, starts) == relay_row()
        assert first == len(seen) == len(read_events(kafka, prefix))

        set_limit(topic, advised)
        until_relayed(head)
        assert relay_row().stopped is None

    assert [] == what_is_wrong(read_events(kafka, prefix), head)


def test_the_record_that_is_too_large_is_told_from_those_dropped_with_it():
    """By the topics' limits; if none is larger, a limit is out of date, and is not waited for."""
    event = Outgoing("events", 0, b"key", b"x" * 500, [("ce_id", b"39")])
    state = Outgoing("states", 0, b"key", b"x" * 400, [])
    batch = SimpleNamespace(position=40)

    found = too_large([event, state], batch, {"events": 1_000_000, "states": 150})
    assert ("states", 150) == (found.topic, found.limit_bytes)
    assert "as of position 40" in str(found)
    lowered = too_large([event, state], batch, {"events": 1_000_000, "states": 1_000_000})
    assert lowered.limit_bytes is None


def test_a_limit_lowered_at_run_time_stops_the_relay(
    ledger, policy, relaying, until_relayed, relay_row, kafka, prefix, set_limit
):
    """The limits that the relay read when it started no longer apply."""
    with relaying():
        until_relayed(grow(ledger, policy, 10))
        set_limit(PERMITS.events_topic, 150)
        head = grow(ledger, policy, 10)
        until(lambda: "max.message.bytes=150" in (relay_row().stopped or ""), wait_s=WAIT_S)
        set_limit(PERMITS.events_topic, 1_000_000)
        until_relayed(head)

    assert [] == what_is_wrong(read_events(kafka, prefix), head)


def test_batches_are_no_larger_than_a_topic_accepts(
    ledger, policy, relaying, until_relayed, relay_row, kafka, prefix, set_limit
):
    """Only a single record can be too large."""
    with relaying():
        until_relayed(grow(ledger, policy, 10))
    for topic in PERMITS.topics:
        set_limit(topic, 4_000)
    head = grow(ledger, policy, 200)

    with relaying():
        until_relayed(head)

    assert relay_row().stopped is None
    assert [] == what_is_wrong(read_events(kafka, prefix), head)


@pytest.mark.parametrize(
    "error",
    [
        errors.TopicAuthorizationFailedError(["t"]),
        errors.TransactionalIdAuthorizationFailedError(),
        errors.ClusterAuthorizationFailedError(),
        errors.UnsupportedVersionError(),
        errors.IncompatibleBrokerVersion("no InitProducerId"),
        errors.InvalidTopicError(),
        errors.InvalidRecordError(),
        errors.CorruptRecordError(),
        errors.PolicyViolationError("no"),
        errors.InvalidConfigurationError(),
        errors.InvalidTransactionTimeoutError(),
        errors.UnsupportedForMessageFormatError(),
        errors.MessageSizeTooLargeError(),
        errors.RecordListTooLargeError(),
        errors.KafkaError(errors.PolicyViolationError()),
        errors.KafkaError(f"in an error state: {errors.InvalidTopicError()}"),
    ],
    ids=repr,
)
def test_permanent_errors_stop_the_relay(error):
    """However the client has wrapped them."""
    assert isinstance(refusal_in(error), RelayStopped)


@pytest.mark.parametrize(
    "error",
    [
        errors.KafkaTimeoutError("no answer"),
        errors.KafkaConnectionError("closed"),
        errors.NotLeaderForPartitionError(),
        errors.CoordinatorNotAvailableError(),
        errors.NotEnoughReplicasError(),
        errors.InvalidReplicationFactorError("a broker is down"),
        errors.ProducerFencedError(),
        errors.OutOfOrderSequenceNumberError(),
        errors.UnknownTopicOrPartitionError(),
        errors.KafkaError("Cannot execute transactional method"),
        TimeoutError(),
    ],
    ids=repr,
)
def test_transient_errors_are_retried(error):
    assert refusal_in(error) is None


def tail(position=None, ends=None, *, began_later=False):
    return Tail(position, None, {EVENTS: 0} if ends is None else ends, began_later)


def sent(position, **ends):
    return Cursor(position, {EVENTS.topic: {"0": ends["end"]}} if ends else {})


@pytest.mark.parametrize(
    ("found", "cursor", "goes_on_after"),
    [
        (tail(), sent(None), 0),
        (tail(), sent(0), 0),
        (tail(7), sent(7), 7),
        (tail(7), sent(5), 7),
        (tail(7), sent(None), 7),
        (tail(began_later=True), sent(7), 7),
        (tail(7, {EVENTS: 9}), sent(7, end=9), 7),
    ],
)
def test_where_it_resumes(found, cursor, goes_on_after):
    assert goes_on_after == last_sent(found, cursor, 10, is_of_log=True)


@pytest.mark.parametrize(
    ("found", "cursor", "is_of_log", "error"),
    [
        (tail(11), sent(7), True, LogForked),
        (tail(7), sent(7), False, LogForked),
        (tail(6), sent(7), True, TopicLost),
        (tail(), sent(7), True, TopicLost),
        (tail(began_later=True), sent(None), True, TailUnknown),
        (tail(7, {EVENTS: 8}), sent(7, end=9), True, TopicLost),
    ],
)
def test_where_it_does_not_resume(found, cursor, is_of_log, error):
    with pytest.raises(error) as raised:
        last_sent(found, cursor, 10, is_of_log=is_of_log)
    assert isinstance(raised.value, RelayStopped)


def test_topics_ahead_by_more_than_one_transaction_are_refused():
    head = TRANSACTION_EVENTS_MAX + 100
    assert TRANSACTION_EVENTS_MAX + 7 == last_sent(
        tail(TRANSACTION_EVENTS_MAX + 7), sent(7), head, is_of_log=True
    )
    with pytest.raises(LogForked):
        last_sent(tail(TRANSACTION_EVENTS_MAX + 8), sent(7), head, is_of_log=True)


def test_a_lost_heartbeat_topic_does_not_stop_the_relay(
    ledger, policy, relaying, until_relayed, relay_row, admin, prefix
):
    """It held no events of the log: the topic is created again."""
    with relaying():
        until_relayed(grow(ledger, policy, 10))
    topic = prefix + HEARTBEATS
    admin.delete_topics([topic])
    until(lambda: topic not in admin.list_topics(), wait_s=WAIT_S)

    with relaying():
        until_relayed(grow(ledger, policy, 10))
        assert relay_row().stopped is None
        assert topic in admin.list_topics()
