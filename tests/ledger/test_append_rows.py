"""The rows of the log: positions, and a batch that is written completely or not at all."""

from dataclasses import replace

import pytest

from ledger.crypto.portraits import SealedPortrait
from ledger.errors import HolderTaken, KeyTaken, VersionTaken
from ledger.eventlog.append import Append
from ledger.eventlog.idempotency import IdempotencyKey, PendingAnswer
from ledger.eventlog.registry import ClaimHolder, Holder, ReleaseHolder
from tests.ledger.appends import on

NASTY = bytes(range(256)) + '"\\.\t\n居住证'.encode()
KEY = IdempotencyKey("officer-1", "key-1", b"fingerprint")
ANSWER = PendingAnswer(KEY, accepted=True, body=b"body", version=1)
PICTURE = SealedPortrait("b", 1, b"sealed")


@pytest.fixture
def rows(admin):
    """``rows()``: how many rows lie in each table that an append writes."""

    def rows():
        return admin.execute(
            "SELECT (SELECT count(*) FROM ledger.events), (SELECT count(*) FROM ledger.answers),"
            " (SELECT count(*) FROM ledger.holders), (SELECT count(*) FROM ledger.portraits),"
            " (SELECT position FROM ledger.head)"
        ).fetchone()

    return rows


def test_positions_count_from_one_in_commit_order(raw_log, stored):
    """1, 2, 3 … as the appends committed; the last one is the head, and its stream's last."""
    for stream, version in [("a", 1), ("b", 1), ("a", 2)]:
        raw_log.append_events([stored(stream, version, f"{stream}{version}".encode())])

    log = raw_log.events(1, 10)
    assert [(1, b"a1"), (2, b"b1"), (3, b"a2")] == [(event.id, event.state) for event in log]
    assert 3 == raw_log.head()
    assert (3, 2) == (raw_log.last_position("a"), raw_log.last_position("b"))


def test_the_head_of_an_empty_log(raw_log):
    """It is 0, and no stream has a last position."""
    assert raw_log.head() == 0
    assert raw_log.last_position("a") is None


def test_a_part_of_the_log_and_a_stream(raw_log, stored):
    """From a position on, so many; or one stream's by version."""
    for stream, version in [("a", 1), ("b", 1), ("a", 2), ("a", 3), ("b", 2)]:
        raw_log.append_events([stored(stream, version)])

    assert [1, 2] == [event.id for event in raw_log.events(1, 2)]
    assert [4, 5] == [event.id for event in raw_log.events(4, 10)]
    assert [] == raw_log.events(6, 10)
    assert [("a", 1), ("a", 2), ("a", 3)] == [
        (event.originator_id, event.originator_version) for event in raw_log.stored("a")
    ]


def test_an_empty_append_takes_no_position(raw_log, rows):
    """Nor a round trip."""
    assert [] == raw_log.append_all([])
    assert [] == raw_log.append_all([Append([])])
    assert (0, 0, 0, 0, 0) == rows()


def test_stored_bytes_equal_the_given_bytes(raw_log, stored):
    """Whatever they are."""
    given = [
        stored("居住证", 1, NASTY),
        stored("居住证", 2, b""),
        stored("tab\tquote'\"\\N", 1, b"\\N", "\\."),
    ]

    assert [1, 2, 3] == raw_log.append_events(given)

    found = raw_log.events(1, 10)
    assert [(e.originator_id, e.originator_version, e.topic, e.state) for e in given] == [
        (e.originator_id, e.originator_version, e.topic, e.state) for e in found
    ]


def test_appends_of_one_batch_are_stored_in_its_order(raw_log, stored):
    """Each append's response has its own last position."""
    first = PendingAnswer(KEY, accepted=True, body=b"1", version=2)
    second_key = IdempotencyKey("officer-1", "key-2", b"fingerprint")
    second = PendingAnswer(second_key, accepted=True, body=b"2", version=1)

    positions = raw_log.append_all(
        [
            Append([stored("a", 1), stored("a", 2)], answer=first),
            Append([stored("b", 1)]),
            Append([stored("c", 1)], answer=second),
        ]
    )

    assert [1, 2, 3, 4] == positions
    log = raw_log.events(1, 10)
    assert ["a", "a", "b", "c"] == [event.originator_id for event in log]
    kept = raw_log.answers("officer-1", ["key-1", "key-2", "key-3"])
    assert {"key-1": 2, "key-2": 4} == {key: answer.position for key, (_, answer) in kept.items()}


def test_a_response_without_events_is_stored_without_a_position(raw_log, rows):
    """A refusal, or a command without an effect."""
    assert [] == raw_log.append_all([Append([], answer=ANSWER)])

    fingerprint, answer = raw_log.answers("officer-1", ["key-1"])["key-1"]
    assert b"fingerprint" == fingerprint
    assert (True, b"body", 1, None, True) == (
        answer.accepted,
        answer.body,
        answer.version,
        answer.position,
        answer.replayed,
    )
    assert (0, 1, 0, 0, 0) == rows()


@pytest.mark.parametrize(
    ("losing", "conflict"),
    [
        (on("a"), VersionTaken),
        (replace(on("a", version=2), answer=ANSWER), KeyTaken),
        (on("c", ClaimHolder(b"person", "holder-2", "c")), HolderTaken),
        (on("c", ClaimHolder(b"another", "holder-1", "c")), HolderTaken),
    ],
    ids=["version", "key", "person holds a permit", "holder id"],
)
def test_a_batch_is_written_completely_or_not_at_all(raw_log, stored, rows, losing, conflict):
    """A conflict of one append fails the others too, and leaves no gap."""
    first = on("a", ClaimHolder(b"person", "holder-1", "a"))
    raw_log.append_all([replace(first, answer=ANSWER)])
    before = rows()

    with pytest.raises(conflict):
        raw_log.append_all([on("b", ClaimHolder(b"b", "holder-b", "b"), portrait=PICTURE), losing])

    assert before == rows()
    assert [2] == raw_log.append_events([stored("b", 1)])


def test_the_holder_of_a_permit_is_found_until_it_is_released(raw_log):
    """By the blind index; the holder id stays when the permit is gone."""
    raw_log.append_all([on("a", ClaimHolder(b"person", "holder-1", "a"))])
    assert {b"person": Holder("holder-1", "a")} == raw_log.holders([b"person", b"nobody"])

    raw_log.append_all([on("a", ReleaseHolder(b"person", "a"), version=2)])
    assert {b"person": Holder("holder-1", None)} == raw_log.holders([b"person"])
    assert (True, False) == (raw_log.knows_holder("holder-1"), raw_log.knows_holder("holder-2"))
