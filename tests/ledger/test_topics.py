"""Before a start does anything, the log's topics are compared with the readable ones."""

import re

import pytest
from eventsourcing.persistence import StoredEvent

from ledger.codec.topics import (
    UnreadableTopic,
    admit_topics,
    require_readable,
    unreadable_topics,
)
from ledger.database.named_sql import Queries
from ledger.errors import Corrupt, UnreadableTopics

KNOWN = {"test.happened.v1", "test.ended.v1"}
ROWS, TOPICS = 50_000, 14
RARE = "test.topic-99.v1"
STATE = "repeat('x', 300)::bytea"

_sql = Queries("ledger", "sql/queries.sql")


@pytest.fixture
def log(raw_log, admin):
    """``log("a.v1", "b.v1", …)``: one event each, in this order; the log takes them."""

    def log(*topics):
        admit_topics(admin, topics)
        raw_log.append_events(
            [StoredEvent("a", version, topic, b"{}") for version, topic in enumerate(topics, 1)]
        )

    return log


@pytest.fixture
def long_log(admin):
    """Many events of a few topics, and one of another."""
    admin.execute(
        "INSERT INTO ledger.events (position, stream, version, topic, state)"
        f" SELECT n, 'stream-' || n, 1, 'test.topic-' || n % {TOPICS} || '.v1', {STATE}"
        f" FROM generate_series(1, {ROWS}) AS n"
    )
    admin.execute(f"INSERT INTO ledger.events VALUES ({ROWS + 1}, 'a', 1, '{RARE}', {STATE})")
    admin.execute("ANALYZE ledger.events")


@pytest.fixture
def scans(admin):
    """``scans(query, …)``: how the query accesses the log: kind, index, rows read."""

    def nodes(plan):
        yield plan
        for below in plan.get("Plans", ()):
            yield from nodes(below)

    def scans(query, **parameters):
        [([explained],)] = admin.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", parameters
        ).fetchall()
        return [
            (
                node["Node Type"],
                node.get("Index Name"),
                round(
                    node["Actual Rows"] * node["Actual Loops"]
                ),  # reported is the mean of all loops
            )
            for node in nodes(explained["Plan"])
            if node.get("Relation Name") == "events"
        ]

    return scans


@pytest.mark.parametrize(
    "topics", [(), ("test.happened.v1",), ("test.ended.v1", "test.happened.v1", "test.ended.v1")]
)
def test_a_readable_log_is_accepted(log, admin, topics):
    """An empty one too; not every topic has to occur."""
    log(*topics)

    assert [] == unreadable_topics(admin, KNOWN)
    require_readable(admin, KNOWN)


def test_an_unknown_topic_is_named_counted_and_located(log, admin):
    """In the order of their names, wherever they are among the others."""
    log("test.happened.v1", "test.z.v1", "test.happened.v2", "test.ended.v1", "test.z.v1", "a")

    assert [
        UnreadableTopic("a", 1, 6),
        UnreadableTopic("test.happened.v2", 1, 3),
        UnreadableTopic("test.z.v1", 2, 2),
    ] == unreadable_topics(admin, KNOWN)


def test_the_refusal_says_what_to_do(log, admin):
    """All topics in one sentence, and another for the operator."""
    log("test.happened.v1", "test.z.v1", "test.happened.v2", "test.z.v1")

    expected = (
        "this version can't read what the log holds:"
        " test.happened.v2 (events: 1, first position: 3),"
        " test.z.v1 (events: 2, first position: 2)."
        " Run the version that wrote it, or a newer one."
    )
    with pytest.raises(UnreadableTopics, match=f"^{re.escape(expected)}$") as refused:
        require_readable(admin, KNOWN)
    assert isinstance(refused.value, Corrupt)


def test_if_no_topic_is_readable_all_are_named(log, admin):
    """The end of the list of topics is not one of them."""
    log("test.happened.v1")

    assert [UnreadableTopic("test.happened.v1", 1, 1)] == unreadable_topics(admin, ())


@pytest.mark.usefixtures("long_log")
def test_topics_are_found_without_reading_the_log(admin, scans):
    """Through the index alone, with as many entries as there are topics, however many events they
    have."""
    found = scans(_sql.topics)

    assert {("Index Only Scan", "events_topic")} == {(kind, index) for kind, index, _ in found}
    assert TOPICS + 1 == sum(rows for *_, rows in found)
    assert TOPICS + 1 == len(unreadable_topics(admin, ()))


@pytest.mark.usefixtures("long_log")
def test_a_rare_topic_is_counted_without_reading_the_log(admin, scans):
    """Only its own events are read."""
    found = scans(_sql.events_of_topic, topic=RARE)

    assert "Seq Scan" not in {kind for kind, *_ in found}
    assert sum(rows for *_, rows in found) <= 2
    assert UnreadableTopic(RARE, 1, ROWS + 1) == unreadable_topics(admin, ())[-1]
