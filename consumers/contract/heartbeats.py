"""Heartbeats: the relay's statement of where the log ended at an instant.

Without them a reader of the topics could not distinguish an idle ledger from a stopped relay. A
heartbeat is sent in the same transactions as the events, so a fenced or stopped relay sends none.
It is sent only after the event at its position: the topics then contain everything that was
recorded by its instant.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import orjson
from kafka.consumer.fetcher import ConsumerRecord

from domain.instants import instant_of

from .cloudevents import Header, Outgoing

TOPIC = "permit-ledger.heartbeats.v1"
"""One partition, compacted by ledger: only the newest heartbeat counts."""
PARTITION = 0
EVERY_S = 2.0
VALUE_BYTES_MAX = 1_000

_HEADERS: list[Header] = [("content-type", b"application/json")]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The log ended at ``position`` at ``at``, by the clock of its database."""

    position: int
    at: datetime

    def record(self, topic: str, source: str) -> Outgoing:
        """Return the record of this heartbeat of the ledger ``source``."""
        value = orjson.dumps({"position": self.position, "at": self.at})
        return Outgoing(topic, PARTITION, source.encode(), value, _HEADERS)


def heartbeat_in(record: ConsumerRecord, source: str) -> Heartbeat | None:
    """Return this ledger's heartbeat in a record; ``None`` for any other record."""
    value = record.value
    if record.key != source.encode() or not value or len(value) > VALUE_BYTES_MAX:
        return None
    try:
        members = orjson.loads(value)
        position, at = members["position"], instant_of(members["at"])
    except (KeyError, TypeError, ValueError):
        return None
    if type(position) is not int or position < 0:
        return None
    return Heartbeat(position, at)


class Pulse:
    """Schedules heartbeats; ``head`` reads the log's head."""

    def __init__(self, head: Callable[[], Heartbeat], every_s: float = EVERY_S) -> None:
        self._head = head
        self._every_s = every_s
        self._due_at = time.monotonic()
        self._next: Heartbeat | None = None

    def beat(self, position: int) -> Heartbeat | None:
        """Return the heartbeat to send with the event at ``position``, if one is due."""
        if self._next is None and time.monotonic() >= self._due_at:
            self._next = self._head()
        if self._next is None or self._next.position > position:
            return None
        due, self._next = self._next, None
        self._due_at = time.monotonic() + self._every_s
        return due
