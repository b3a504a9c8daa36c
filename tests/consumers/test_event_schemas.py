"""What readers rely on: a schema for every type, true of what is sent, and only added to."""

import copy
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import orjson
import pytest
import yaml

from consumers.contract.cloudevents import UNREADABLE_TYPE, headers
from consumers.contract.event_schemas import FOLDER, as_file, breaking, schemas, write
from consumers.contract.heartbeats import TOPIC as HEARTBEATS_TOPIC
from consumers.contract.kinds import KINDS, PERMITS
from consumers.contract.topics import HEARTBEATS, topics_of
from domain.events import EVENTS
from domain.personal import parts
from tests.ledger.golden_files import golden_bytes, topic_of
from tests.web.browsers import required

ROOT = Path(__file__).parents[2]
GOLDEN = sorted((ROOT / "tests" / "ledger" / "golden").glob("*.json"))
MODULES = ROOT / ".test-tools" / "node_modules"
STATE = "permit.state.v1"


def committed(topic):
    return orjson.loads((FOLDER / f"{topic}.json").read_bytes())


def test_every_type_has_a_schema_and_every_schema_a_type():
    types = frozenset().union(*(kind.types for kind in KINDS))
    assert {*types, UNREADABLE_TYPE, STATE} == {file.stem for file in FOLDER.glob("*.json")}


@pytest.mark.parametrize("topic", [event.TOPIC for event in EVENTS])
def test_the_committed_schema_is_the_events_own(topic):
    made = schemas()[topic]
    broken = list(breaking(committed(topic), made))
    assert [] == broken, f"{topic} has changed for its readers: make it a new version"
    assert as_file(made) == (FOLDER / f"{topic}.json").read_bytes(), (
        "run python -m consumers.contract.event_schemas"
    )


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_what_is_sent_is_what_the_schema_says(file):
    value = json.loads(golden_bytes(file))
    value.pop("sealed", None)
    schema = committed(topic_of(file))

    jsonschema.validate(value, schema, format_checker=jsonschema.FormatChecker())

    assert set() == value.keys() - schema["properties"].keys()


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.TOPIC)
def test_no_schema_has_a_place_for_what_is_personal(event):
    for path in parts(event).paths:
        inner = committed(event.TOPIC)
        for step in path.split("."):
            inner = inner["properties"].get(step, {"properties": {}})
        assert {"properties": {}} == inner


SCHEMA = {
    "type": "object",
    "properties": {
        "day": {"type": "string", "format": "date"},
        "why": {"type": "string", "enum": ["a", "b"]},
        "home": {"type": "object", "properties": {"division": {"type": "string"}}},
    },
    "required": ["day", "why"],
}


def changed(change):
    schema = copy.deepcopy(SCHEMA)
    change(schema)
    return schema


@pytest.mark.parametrize(
    "change",
    [
        lambda schema: schema["properties"].pop("day"),
        lambda schema: schema["required"].remove("day"),
        lambda schema: schema["required"].append("home"),
        lambda schema: schema["properties"]["day"].update(type="integer"),
        lambda schema: schema["properties"]["day"].pop("format"),
        lambda schema: schema["properties"]["why"]["enum"].append("c"),
        lambda schema: schema["properties"]["why"]["enum"].remove("b"),
        lambda schema: schema["properties"]["home"]["properties"].pop("division"),
        lambda schema: schema.update(additionalProperties=False),
    ],
)
def test_a_change_that_readers_would_feel_is_refused(change, tmp_path):
    write(tmp_path, {"x.v1": SCHEMA})
    before = (tmp_path / "x.v1.json").read_bytes()

    assert [] != write(tmp_path, {"x.v1": changed(change)})

    assert before == (tmp_path / "x.v1.json").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda schema: schema["properties"].update(late={"type": "boolean"}),
        lambda schema: schema["properties"]["home"]["properties"].update(town={"type": "string"}),
        lambda schema: schema.update(description="told better"),
    ],
)
def test_a_field_that_need_not_be_there_may_come(change, tmp_path):
    write(tmp_path, {"x.v1": SCHEMA})

    assert [] == write(tmp_path, {"x.v1": changed(change)})

    assert changed(change) == orjson.loads((tmp_path / "x.v1.json").read_bytes())


# -- asyncapi.yaml ---------------------------------------------------------------------------------


@dataclass
class Parsed:
    found: list
    channels: dict


@pytest.fixture(scope="module")
def parsed():
    required(shutil.which("node"), "node")
    required((MODULES / "@asyncapi" / "parser").exists(), "@asyncapi/parser")
    script = ROOT / "tests" / "kafka" / "asyncapi.mjs"
    done = subprocess.run(
        ["node", script, MODULES, ROOT / "asyncapi.yaml"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    answer = json.loads(done.stdout)
    return Parsed(answer["found"], {each["address"]: each for each in answer["channels"]})


@pytest.mark.foreign
def test_the_description_is_valid(parsed):
    """By AsyncAPI's own parser, to the last hint."""
    assert [] == parsed.found


@pytest.mark.foreign
def test_it_describes_every_topic_and_every_type(parsed):
    topics = {topic for kind in KINDS for topic in kind.topics}
    assert topics | {HEARTBEATS_TOPIC} == set(parsed.channels)
    for kind in KINDS:
        events = parsed.channels[kind.events_topic]
        assert {*kind.types, UNREADABLE_TYPE} == set(events["messages"])
        assert events["messages"] == events["payloads"]
    assert [STATE] == parsed.channels[PERMITS.state_topic]["messages"]


def test_it_says_how_the_topics_are_made_and_which_headers_there_are():
    """What the relay does, in the description's words."""
    described = yaml.safe_load((ROOT / "asyncapi.yaml").read_text())
    made = {**topics_of(KINDS), HEARTBEATS_TOPIC: HEARTBEATS}
    for channel in described["channels"].values():
        told, shape = channel["bindings"]["kafka"], made[channel["address"]]
        assert shape.partitions == told["partitions"]
        [policy] = told["topicConfiguration"]["cleanup.policy"]
        assert shape.settings["cleanup.policy"] == policy
    told = described["components"]["messageTraits"]["cloudEvent"]["headers"]
    sent = headers(
        position=7, event_type="t.v1", source="https://x/y", subject="S", version=1, time="2026"
    )
    assert {name for name, _ in sent} == set(told["properties"])
    assert {name for name, _ in sent} - {"ce_time", "content-type"} == set(told["required"])
    for name, value in sent:
        if pattern := told["properties"][name].get("pattern"):
            assert re.fullmatch(pattern, value.decode())
