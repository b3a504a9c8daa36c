"""The topics: made where they are missing, looked at where they are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAlreadyExistsError

from .errors import TopicsUnfit
from .kinds import PARTITIONS, Kind

REPLICATION_DEFAULT = -1
"""As the brokers have it."""

_EVENTS = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
_STATE = {"cleanup.policy": "compact"}


def missing(admin: KafkaAdminClient, kinds: Iterable[Kind]) -> list[str]:
    """Which of the topics are not there."""
    there = set(admin.list_topics())
    return [topic for kind in kinds for topic in kind.topics if topic not in there]


def make(admin: KafkaAdminClient, kinds: Iterable[Kind], topics: Sequence[str]) -> None:
    """Make these topics; somebody may be doing the same."""
    wanted = _wanted(kinds)
    for topic in topics:
        options = {
            "num_partitions": PARTITIONS,
            "replication_factor": REPLICATION_DEFAULT,
            "configs": wanted[topic],
        }
        try:
            admin.create_topics({topic: options}, wait_for_metadata=True)
        except TopicAlreadyExistsError:
            continue


def require_fit(admin: KafkaAdminClient, kinds: Iterable[Kind]) -> None:
    """
    Raises:
        TopicsUnfit: naming the topic and what it should be.
    """
    wanted = _wanted(kinds)
    for found in admin.describe_topics(list(wanted)):
        if len(found["partitions"]) != PARTITIONS:
            raise TopicsUnfit(
                f"The topic {found['name']} has {len(found['partitions'])} partitions and must have"
                f" {PARTITIONS}: with another number the order of a permit's events is lost."
                " Nothing is sent."
            )
    for topic, settings in _settings(admin, list(wanted)).items():
        for name, value in wanted[topic].items():
            if settings[name]["value"] != value:
                raise TopicsUnfit(
                    f"The topic {topic} has {name}={settings[name]['value']} and must have {value}:"
                    " set it, or records are lost for those who come later. Nothing is sent."
                )


def topic_id(admin: KafkaAdminClient, topic: str) -> str:
    """What Kafka calls a topic, however often one of that name is made (KIP-516).

    Raises:
        TopicsUnfit: there is none.
    """
    [found] = admin.describe_topics([topic])
    if found["error_code"]:
        raise TopicsUnfit(f"The topic {topic} is not there.")
    return str(found["topic_id"])


def _wanted(kinds: Iterable[Kind]) -> dict[str, dict[str, str]]:
    wanted = {}
    for kind in kinds:
        wanted[kind.events_topic] = _EVENTS
        if kind.state_topic:
            wanted[kind.state_topic] = _STATE
    return wanted


def _settings(admin: KafkaAdminClient, topics: list[str]) -> dict[str, Any]:
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
    found: dict[str, Any] = admin.describe_configs(asked, config_filter="all")["topic"]
    return found
