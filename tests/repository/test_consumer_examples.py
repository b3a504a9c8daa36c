"""Configuration in docs/consumers.md that can't be run here is at least whole."""

import json
import re
from pathlib import Path

import pytest

from consumers.contract.kinds import PERMITS

DOCUMENT = Path(__file__).parents[2] / "docs" / "consumers.md"
KAFKAS_OWN = {
    "org.apache.kafka.connect.storage.StringConverter",
    "org.apache.kafka.connect.json.JsonConverter",
    "org.apache.kafka.connect.transforms.Filter",
    "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone",
}
"""Looked up in the jars connect-api, connect-json and connect-transforms of 4.1.2."""


def _connectors() -> list[dict[str, str]]:
    text = DOCUMENT.read_text("utf-8")
    found = re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [json.loads(block)["config"] for block in found]


def test_there_are_two_connectors() -> None:
    assert [{"iceberg"}, {"clickhouse"}] == [
        {"iceberg", "clickhouse"} & set(each["connector.class"].split("."))
        for each in _connectors()
    ]


@pytest.mark.parametrize("config", _connectors(), ids=lambda c: c["connector.class"])
def test_a_connector_reads_what_there_is_as_it_has_to(config: dict[str, str]) -> None:
    """A topic that exists, committed records only, and classes that exist."""
    assert PERMITS.state_topic == config["topics"]
    assert "read_committed" == config["consumer.override.isolation.level"]
    named = {value for value in config.values() if value.startswith("org.apache.kafka.")}
    assert KAFKAS_OWN >= named
    assert all(isinstance(value, str) for value in config.values())


@pytest.mark.parametrize("config", _connectors(), ids=lambda c: c["connector.class"])
def test_every_transform_and_predicate_that_is_used_is_defined(config: dict[str, str]) -> None:
    for kind in ("transforms", "predicates"):
        for name in config[kind].split(","):
            assert f"{kind}.{name}.type" in config
    used = {value for name, value in config.items() if name.endswith(".predicate")}
    assert used == set(config["predicates"].split(","))


def test_flink_reads_the_events_committed() -> None:
    text = DOCUMENT.read_text("utf-8")
    [table, *_] = re.findall(r"^```sql\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    options = dict(re.findall(r"'([\w.-]+)' = '([^']*)'", table))
    assert (PERMITS.events_topic, "read_committed") == (
        options["topic"],
        options["properties.isolation.level"],
    )
    used = set(re.findall(r"headers\['(\w+)'\]", table))
    assert used <= {"ce_id", "ce_type", "ce_time"}
