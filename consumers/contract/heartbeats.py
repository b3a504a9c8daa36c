"""Heartbeats: where the log ended at an instant, told once all of that is on the topics.

From the topics alone nobody can tell a ledger in which nothing happens from a relay that has
stopped. A heartbeat goes into the same transactions as the events, so a relay that was fenced, or
stands still, tells none. It waits until the position it names has been sent: behind one, everything
that was recorded by its instant lies before the topics' ends.
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
"""One partition, compacted by ledger: the newest is what counts."""
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
        """For the ledger that is called ``source``."""
        value = orjson.dumps({"position": self.position, "at": self.at})
        return Outgoing(topic, PARTITION, source.encode(), value, _HEADERS)


def heartbeat_in(record: ConsumerRecord, source: str) -> Heartbeat | None:
    """What a record tells of this ledger; ``None`` for anything else that may lie there."""
    value = record.value
    if record.key != source.encode() or not value or len(value) > VALUE_BYTES_MAX:
        return None
    try:
        told = orjson.loads(value)
        position, at = told["position"], instant_of(told["at"])
    except (KeyError, TypeError, ValueError):
        return None
    if type(position) is not int or position < 0:
        return None
    return Heartbeat(position, at)


class Pulse:
    """Says when the next heartbeat is due; ``look`` asks where the log ends now."""

    def __init__(self, look: Callable[[], Heartbeat], every_s: float = EVERY_S) -> None:
        self._look = look
        self._every_s = every_s
        self._due_at = time.monotonic()
        self._next: Heartbeat | None = None

    def beat(self, position: int) -> Heartbeat | None:
        """The one that may be told together with the event at ``position``, or after it."""
        if self._next is None and time.monotonic() >= self._due_at:
            self._next = self._look()
        if self._next is None or self._next.position > position:
            return None
        told, self._next = self._next, None
        self._due_at = time.monotonic() + self._every_s
        return told
