"""Options that all Kafka clients of this project share."""

from __future__ import annotations

from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from .brokers import Brokers

BOOTSTRAP_TIMEOUT_MS = 10_000
REQUEST_TIMEOUT_MS = 10_000
RECONNECT_MAX_MS = 2_000
FETCH_WAIT_MS = 100
METADATA_AGE_MS_MAX = 5_000
"""How soon a reader finds a topic that was created after its subscription; by default the library
takes five minutes, in which a group has no partitions."""


class StoppedReading(KafkaError):  # type: ignore[misc]  # the library has no types
    """The client returns nothing, although there is something to read, or is in no group. It is not
    trusted to notice that its group or its connections are stuck."""


def connection(brokers: Brokers) -> dict[str, Any]:
    """Return the options of producers, consumers and admin clients; every wait is bounded."""
    return {
        **brokers.options,
        "client_id": "permit-ledger",
        "bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "reconnect_backoff_max_ms": RECONNECT_MAX_MS,
    }


def committed_reader(brokers: Brokers, **options: Any) -> KafkaConsumer:
    """Return a consumer of committed records, by default without a group; the caller closes it."""
    return KafkaConsumer(
        **{
            **connection(brokers),
            "isolation_level": "read_committed",
            "group_id": None,
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "fetch_max_wait_ms": FETCH_WAIT_MS,
            "metadata_max_age_ms": METADATA_AGE_MS_MAX,
            **options,
        }
    )


def partitions(topic: str, count: int) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in range(count)]
