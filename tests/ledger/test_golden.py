"""Stored bytes never change: every event's bytes are kept as golden files.

Personal data in them is encrypted, as in the log, with a key and a nonce that never change. A
golden file is never changed. An event that must change gets a new version, with a new golden file
and an upcast from the old one.
"""

import shlex
from pathlib import Path

import pytest
from eventsourcing.persistence import StoredEvent

from domain.stream_types import EVENTS
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.codec.upcasting import STEPS
from tests.ledger.alternatives import alternatives, held
from tests.ledger.examples import EXAMPLES, GOLDEN_EXAMPLES, PERMIT_NUMBER
from tests.ledger.golden_files import (
    BEFORE_DIGESTS,
    golden_bytes,
    golden_problems,
    shown_without_key,
    topic_of,
    version_of,
)
from tests.ledger.sealing import KEY, NO_KEYS, read, same_nonce

GOLDEN = Path(__file__).parent / "golden"
EACH_EXAMPLE = pytest.mark.parametrize(
    ("name", "example"), GOLDEN_EXAMPLES.items(), ids=GOLDEN_EXAMPLES
)


@pytest.fixture
def mapper():
    return EventMapper(OrjsonTranscoder())


@pytest.fixture
def stored(mapper):
    """``stored(example)``: as it would be stored, were there but one key and one nonce."""

    def stored(example):
        with same_nonce():
            return mapper.to_stored_event(example, KEY)

    return stored


@pytest.fixture
def golden():
    """``golden(name, state)``: the bytes promised for this example, whose state is this today."""

    def golden(name, state):
        file = GOLDEN / f"{name}.json"
        if not file.exists():
            pytest.fail(
                f"{file.name} is missing. If these bytes may stand in the log for twenty years:\n"
                f"printf '%s\\n' {shlex.quote(state.decode())} > {file}"
            )
        return golden_bytes(file)

    return golden


@EACH_EXAMPLE
def test_an_event_is_stored_as_its_golden_bytes(stored, golden, name, example):
    """Byte by byte, under its own topic, and without what the log's columns already say."""
    written = stored(example)

    expected = golden(name, written.state)
    assert expected == written.state
    assert example.TOPIC == written.topic
    assert (PERMIT_NUMBER, example.originator_version) == (
        written.originator_id,
        written.originator_version,
    )


@EACH_EXAMPLE
def test_the_golden_bytes_are_read_as_the_event(mapper, stored, golden, name, example):
    """Equal in every field, and every field of the type that the domain works with."""
    state = golden(name, stored(example).state)

    [event] = read(
        mapper, StoredEvent(PERMIT_NUMBER, example.originator_version, example.TOPIC, state)
    )

    assert example == event
    assert {name: type(value) for name, value in vars(example).items()} == {
        name: type(value) for name, value in vars(event).items()
    }


def test_every_example_has_the_place_of_its_golden_file():
    """Otherwise its ciphertext would not open there."""
    for example in GOLDEN_EXAMPLES.values():
        assert version_of(example.TOPIC) == example.originator_version


def test_the_golden_files_have_no_problems():
    """One for every readable topic, old ones too, and each is read and written as before;
    ``test_golden_files.py`` shows what would be found."""
    assert [] == golden_problems(GOLDEN, events=EVENTS, steps=STEPS)


def test_events_from_before_digests_are_read_as_those_with_them(mapper):
    """Equal in every field; only, nothing of them can be disclosed by itself."""
    files = sorted((GOLDEN / BEFORE_DIGESTS).iterdir())
    assert files
    for file in files:
        topic = topic_of(file)
        before, now = (
            StoredEvent(PERMIT_NUMBER, version_of(topic), topic, golden_bytes(each))
            for each in (file, GOLDEN / file.name)
        )
        [old], [new] = read(mapper, before), read(mapper, now)
        assert new == old
        [blank], [blank_now] = (read(mapper, each, keys=NO_KEYS) for each in (before, now))
        assert blank_now == blank
        assert shown_without_key(before, old, blank) is None


def test_every_event_has_one_example():
    """A new event needs an example, and the example a golden file."""
    assert list(EVENTS) == [type(example) for example in EXAMPLES]


def test_every_alternative_has_an_example():
    """Optional fields are present and missing, and every member of an enumeration occurs: adding
    one is a new version, and one that was removed could no longer be read."""
    allowed = {alternative for event in EVENTS for alternative in alternatives(event)}
    shown = {alternative for example in GOLDEN_EXAMPLES.values() for alternative in held(example)}
    assert allowed
    assert set() == allowed - shown


def test_every_golden_file_of_a_current_version_has_an_example():
    """The examples explain the file."""
    written = {event.TOPIC for event in EVENTS}
    files = {file.stem for file in GOLDEN.iterdir() if topic_of(file) in written}
    assert set(GOLDEN_EXAMPLES) == files
