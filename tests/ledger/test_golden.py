"""What lies in the log is a promise: every event's stored bytes, kept as golden files.

A golden file is never changed. An event that must change gets a new version, with a new golden file
and an upcast from the old one.
"""

import shlex
from pathlib import Path

import pytest
from eventsourcing.persistence import StoredEvent

from domain.events import EVENTS
from ledger.mapper import EventMapper, OrjsonTranscoder
from tests.ledger.examples import EXAMPLES, PERMIT_NUMBER

GOLDEN = Path(__file__).parent / "golden"


def topic(event):
    return event.TOPIC


@pytest.fixture
def mapper():
    return EventMapper(OrjsonTranscoder())


@pytest.fixture
def golden():
    """``golden(event)``: the bytes promised for this example, without the file's line end."""

    def golden(event, state):
        file = GOLDEN / f"{event.TOPIC}.json"
        if not file.exists():
            pytest.fail(
                f"{file.name} is missing. If these bytes may stand in the log for twenty years:\n"
                f"printf '%s\\n' {shlex.quote(state.decode())} > {file}"
            )
        return file.read_bytes().removesuffix(b"\n")

    return golden


@pytest.mark.parametrize("example", EXAMPLES, ids=topic)
def test_an_event_is_stored_as_its_golden_bytes(mapper, golden, example):
    """Byte by byte, under its own topic, and without what the log's columns already say."""
    stored = mapper.to_stored_event(example)

    expected = golden(example, stored.state)
    assert expected == stored.state
    assert example.TOPIC == stored.topic
    assert (PERMIT_NUMBER, example.originator_version) == (
        stored.originator_id,
        stored.originator_version,
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=topic)
def test_the_golden_bytes_are_read_as_the_event(mapper, golden, example):
    """Equal in every field, and every field of the type that the domain works with."""
    state = golden(example, mapper.to_stored_event(example).state)

    read = mapper.to_domain_event(
        StoredEvent(PERMIT_NUMBER, example.originator_version, example.TOPIC, state)
    )

    assert example == read
    assert {name: type(value) for name, value in vars(example).items()} == {
        name: type(value) for name, value in vars(read).items()
    }


def test_every_event_has_one_example():
    """A new event needs an example, and the example a golden file."""
    assert list(EVENTS) == [type(example) for example in EXAMPLES]


def test_there_is_no_golden_file_without_an_event():
    """A topic that was ever stored stays readable: its event is not deleted."""
    assert {f"{event.TOPIC}.json" for event in EVENTS} == {file.name for file in GOLDEN.iterdir()}
