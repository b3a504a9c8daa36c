"""The log's own rows: positions, windows, and a batch that is written whole or not at all."""

import pytest

from ledger.errors import HolderTaken, KeyTaken, VersionTaken
from ledger.holders import Holder, Release, Take
from ledger.idempotency import IdempotencyKey, PendingAnswer
from ledger.portraits import Portrait
from ledger.recorder import Append

NASTY = bytes(range(256)) + '"\\.\t\n居住证'.encode()
KEY = IdempotencyKey("officer-1", "key-1", b"fingerprint")
ANSWER = PendingAnswer(KEY, accepted=True, body=b"body", version=1)
PICTURE = Portrait.of(b"\xff\xd8\xff a face \xff\xd9")


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


@pytest.fixture
def five(recorder, stored):
    """Five events of two streams in the log: a1 b1 a2 a3 b2."""
    for stream, version in [("a", 1), ("b", 1), ("a", 2), ("a", 3), ("b", 2)]:
        topic = f"test.{stream}.v1"
        recorder.insert_events([stored(stream, version, f"{stream}{version}".encode(), topic)])
    return recorder


def test_positions_count_from_one_in_commit_order(five):
    """1, 2, 3 … as the appends committed."""
    log = five.select_notifications(None, 10)

    assert [1, 2, 3, 4, 5] == [event.id for event in log]
    assert [b"a1", b"b1", b"a2", b"a3", b"b2"] == [event.state for event in log]


@pytest.mark.parametrize(
    ("window", "versions"),
    [
        ({}, [1, 2, 3]),
        ({"gt": 1}, [2, 3]),
        ({"lte": 2}, [1, 2]),
        ({"gt": 1, "lte": 2}, [2]),
        ({"desc": True}, [3, 2, 1]),
        ({"desc": True, "limit": 1}, [3]),
        ({"limit": 2}, [1, 2]),
        ({"gt": 3}, []),
    ],
)
def test_a_window_of_a_stream(five, window, versions):
    """Versions above ``gt`` and up to ``lte``, ``limit`` at most, and of this stream only."""
    read = five.select_events("a", **window)

    assert versions == [event.originator_version for event in read]
    assert [f"a{version}".encode() for version in versions] == [event.state for event in read]


@pytest.mark.parametrize(
    ("window", "positions"),
    [
        ({"start": None, "limit": 10}, [1, 2, 3, 4, 5]),
        ({"start": 1, "limit": 2}, [1, 2]),
        ({"start": 4, "limit": 10}, [4, 5]),
        ({"start": 4, "limit": 10, "inclusive_of_start": False}, [5]),
        ({"start": 2, "limit": 10, "stop": 3}, [2, 3]),
        ({"start": None, "limit": 10, "topics": ["test.b.v1"]}, [2, 5]),
        ({"start": 3, "limit": 1, "topics": ["test.b.v1", "test.a.v1"]}, [3]),
        ({"start": 6, "limit": 10}, []),
    ],
)
def test_a_window_of_the_log(five, window, positions):
    """Positions from ``start`` to ``stop``, ``limit`` at most, of these topics."""
    assert positions == [event.id for event in five.select_notifications(**window)]


def test_the_head_of_an_empty_log(recorder):
    """None for the library, 0 for us, and no stream has a last position."""
    assert recorder.max_notification_id() is None
    assert recorder.head() == 0
    assert recorder.last_position("a") is None


def test_the_head_of_a_log(five):
    """The last position, of the log and of each stream."""
    assert five.max_notification_id() == 5
    assert five.head() == 5
    assert (4, 5) == (five.last_position("a"), five.last_position("b"))


def test_nothing_to_write_takes_no_position(recorder, rows):
    """Not even a round trip's worth."""
    assert [] == recorder.append([])
    assert [] == recorder.append([Append([])])
    assert (0, 0, 0, 0, 0) == rows()


@pytest.mark.parametrize("copy_from_events", [1, 10_000], ids=["COPY", "INSERT"])
def test_both_ways_in_store_what_they_were_given(recorder, stored, monkeypatch, copy_from_events):
    """Byte by byte, whatever the bytes are."""
    monkeypatch.setattr("ledger.recorder.COPY_FROM_EVENTS", copy_from_events)
    given = [
        stored("居住证", 1, NASTY),
        stored("居住证", 2, b""),
        stored("tab\tquote'\"\\N", 2**31 - 1, b"\\N", "\\."),
    ]

    assert [1, 2, 3] == recorder.insert_events(given)

    found = recorder.select_notifications(None, 10)
    assert [(e.originator_id, e.originator_version, e.topic, e.state) for e in given] == [
        (e.originator_id, e.originator_version, e.topic, e.state) for e in found
    ]


@pytest.mark.parametrize("events", [63, 64, 65])
def test_there_is_no_seam_between_the_two_ways_in(recorder, stored, events):
    """From 64 events on an append is a COPY; nobody can tell."""
    recorder.insert_events([stored("a", n, b"%d" % n) for n in range(1, events + 1)])

    assert [(n, b"%d" % n) for n in range(1, events + 1)] == [
        (event.id, event.state) for event in recorder.select_notifications(None, 100)
    ]


def test_appends_of_one_batch_stand_in_its_order(recorder, stored):
    """Each append's answer names its own last position."""
    first = PendingAnswer(KEY, accepted=True, body=b"1", version=2)
    second_key = IdempotencyKey("officer-1", "key-2", b"fingerprint")
    second = PendingAnswer(second_key, accepted=True, body=b"2", version=1)

    positions = recorder.append(
        [
            Append([stored("a", 1), stored("a", 2)], answer=first),
            Append([stored("b", 1)]),
            Append([stored("c", 1)], answer=second),
        ]
    )

    assert [1, 2, 3, 4] == positions
    log = recorder.select_notifications(None, 10)
    assert ["a", "a", "b", "c"] == [event.originator_id for event in log]
    assert (2, 4) == tuple(recorder.answer(key)[1].position for key in (KEY, second_key))


def test_an_answer_without_events_is_kept_and_takes_no_position(recorder, rows):
    """A refusal, or a wish that was true already."""
    assert [] == recorder.append([Append([], answer=ANSWER)])

    fingerprint, answer = recorder.answer(KEY)
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
        ({"version": 1}, VersionTaken),
        ({"answer": ANSWER}, KeyTaken),
        ({"holder_changes": [Take(b"person", "holder-2", "c")]}, HolderTaken),
        ({"holder_changes": [Take(b"another", "holder-1", "c")]}, HolderTaken),
        ({"holder_changes": [Take(b"another", "holder-2", "a")]}, HolderTaken),
    ],
    ids=["version", "key", "person holds a permit", "holder id", "permit number"],
)
def test_a_batch_is_written_whole_or_not_at_all(recorder, stored, rows, losing, conflict):
    """One append's lost race takes its neighbours along, and leaves no gap."""
    take = Take(b"person", "holder-1", "a")
    recorder.append([Append([stored("a", 1)], [take], ANSWER)])
    before = rows()
    version = losing.pop("version", 2)

    with pytest.raises(conflict):
        recorder.append(
            [
                Append([stored("b", 1)], [Take(b"b", "holder-b", "b")], portrait=PICTURE),
                Append([stored("a", version)], **losing),
            ]
        )

    assert before == rows()
    assert [2] == recorder.insert_events([stored("b", 1)])


def test_the_holder_of_a_permit_is_found_until_it_is_released(recorder, stored):
    """By the blind index; the holder id stays when the permit is gone."""
    recorder.append([Append([stored("a", 1)], [Take(b"person", "holder-1", "a")])])
    assert {b"person": Holder("holder-1", "a")} == recorder.holders([b"person", b"nobody"])

    recorder.append([Append([stored("a", 2)], [Release("a")])])
    assert {b"person": Holder("holder-1", None)} == recorder.holders([b"person"])
    assert (True, False) == (recorder.knows_holder("holder-1"), recorder.knows_holder("holder-2"))
