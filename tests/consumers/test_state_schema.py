"""What a permit now is, as the schema promises it: after each event that there is."""

from pathlib import Path

import jsonschema
import orjson
import pytest
from eventsourcing.persistence import StoredEvent

from consumers.contract.event_schemas import FOLDER
from consumers.contract.states import EventRow, PermitStates
from domain.events import HolderErased
from domain.standing import ElectronicStatus, PermitStatus, PhysicalStatus
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from tests.ledger.golden_files import golden_bytes, topic_of, version_of

GOLDEN = Path(__file__).parents[1] / "ledger" / "golden"
FILES = sorted(GOLDEN.glob("permit.*.json"))
ISSUED = GOLDEN / "permit.issued.v1.json"
CLAIMED = GOLDEN / "permit.electronic-claimed.v1.json"
PERMIT_NUMBER = "7Q2M9K4T8XW5"
SCHEMA = orjson.loads((FOLDER / "permit.state.v1.json").read_bytes())
DETERMINED, UNDETERMINED = SCHEMA["oneOf"]


def told(file, version):
    mapper = EventMapper(OrjsonTranscoder())
    stored = StoredEvent(PERMIT_NUMBER, version, topic_of(file), golden_bytes(file))
    return EventRow(version, PERMIT_NUMBER, version, mapper.plain(mapper.parse(stored)))


def state_after(*page):
    [value] = PermitStates(lambda _streams, _position: []).after(list(page)).values()
    return value


def fits(state, schema=SCHEMA):
    validator = jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker())
    return validator.is_valid(state)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_permit_after_each_event(file):
    """The electronic permit is claimed before, so that there is a phone to revoke."""
    if version_of(topic_of(file)) == 1:
        value = state_after(told(file, 1))
    else:
        value = state_after(told(ISSUED, 1), told(CLAIMED, 2), told(file, 3))

    if topic_of(file) == HolderErased.TOPIC:
        assert value is None
        return
    state = orjson.loads(value)
    assert fits(state)
    assert DETERMINED["properties"].keys() == state.keys()
    for name in state:
        assert not fits({key: state[key] for key in state if key != name}), name
        assert not fits({**state, name: ["of another type"]}), name


def test_a_permit_that_can_not_be_folded():
    state = orjson.loads(state_after(told(ISSUED, 1), EventRow(2, PERMIT_NUMBER, 2, None)))
    assert fits(state)
    assert fits(state, UNDETERMINED)


def test_every_status_that_there_is_has_a_place():
    properties = DETERMINED["properties"]
    tracks = (properties[track]["properties"]["status"] for track in ("physical", "electronic"))
    listed = [status["enum"] for status in (properties["status"], *tracks)]
    assert [list(PermitStatus), list(PhysicalStatus), list(ElectronicStatus)] == listed
