"""Creates missing topics and checks the settings of existing ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAlreadyExistsError, for_code

from consumers.errors import Refused, TopicsUnfit

from .kinds import PARTITIONS, Kind

REPLICATION_DEFAULT = -1
"""The brokers' default."""
LIMIT = "max.message.bytes"
"""The largest batch as stored; the brokers' default is ``message.max.bytes``."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The required partitions and settings of a topic."""

    partitions: int
    settings: Mapping[str, str]


Topics = Mapping[str, Shape]

EVENTS = Shape(
    PARTITIONS, {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
)
STATE = Shape(PARTITIONS, {"cleanup.policy": "compact"})
HEARTBEATS = Shape(1, {"cleanup.policy": "compact"})


def topics_of(kinds: Iterable[Kind]) -> dict[str, Shape]:
    """Return the topics of the kinds' events and states."""
    topics = {}
    for kind in kinds:
        topics[kind.events_topic] = EVENTS
        if kind.state_topic:
            topics[kind.state_topic] = STATE
    return topics


def missing(admin: KafkaAdminClient, topics: Iterable[str]) -> list[str]:
    """Return the topics that do not exist."""
    existing = set(admin.list_topics())
    return [topic for topic in topics if topic not in existing]


def make(admin: KafkaAdminClient, topics: Topics, wanted: Sequence[str]) -> None:
    """Create the missing topics; another process may create them at the same time."""
    for topic in wanted:
        options = {
            "num_partitions": topics[topic].partitions,
            "replication_factor": REPLICATION_DEFAULT,
            "configs": topics[topic].settings,
        }
        try:
            admin.create_topics({topic: options}, wait_for_metadata=True)
        except TopicAlreadyExistsError:
            continue


def require_fit(admin: KafkaAdminClient, topics: Topics) -> dict[str, int]:
    """Check the topics; return topic → the largest batch of records in bytes.

    Raises:
        TopicsUnfit: a topic has other partitions or settings; the message names both.
        Refused, KafkaError: a topic cannot be described.
    """
    for found in admin.describe_topics(list(topics)):
        if error_code := found.get("error_code"):
            raise for_code(error_code)(f"the topic {found['name']} can't be described")
        partitions = topics[found["name"]].partitions
        if len(found["partitions"]) != partitions:
            raise TopicsUnfit(
                f"The topic {found['name']} has {len(found['partitions'])} partitions and must have"
                f" {partitions}: with another number the order of its records is lost."
                " Nothing is sent."
            )
    limits = {}
    for topic, settings in _settings(admin, list(topics)).items():
        if LIMIT not in settings:  # the client drops the error
            raise Refused(
                f"The brokers don't return the settings of the topic {topic}. Give the relay's user"
                " the right to DESCRIBE_CONFIGS; docs/kafka.md lists all."
            )
        limits[topic] = int(settings[LIMIT]["value"])
        for name, value in topics[topic].settings.items():
            if settings[name]["value"] != value:
                raise TopicsUnfit(
                    f"The topic {topic} has {name}={settings[name]['value']} and must have {value}:"
                    " set it, or records are lost for later readers. Nothing is sent."
                )
    return limits


def topic_id(admin: KafkaAdminClient, topic: str) -> str:
    """Return Kafka's id of a topic, which differs after it was deleted and created again (KIP-516).

    Raises:
        TopicsUnfit: the topic does not exist.
    """
    [found] = admin.describe_topics([topic])
    if found["error_code"]:
        raise TopicsUnfit(f"The topic {topic} is not there.")
    return str(found["topic_id"])


def _settings(admin: KafkaAdminClient, topics: list[str]) -> dict[str, Any]:
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
    found: dict[str, Any] = admin.describe_configs(asked, config_filter="all")["topic"]
    return found
