"""The published kinds of streams, and the topics of each: one row per kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from consumers.errors import NoTopic
from domain.stream_types import ID_CARDS as APPLICATIONS
from domain.stream_types import PERMITS as RIGHTS
from ledger.codec.upcasting import STEPS

PARTITIONS = 12
"""Of every topic; never change it: a permit's records would move to another partition and lose
their order."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Streams whose events' types begin with ``prefix``.

    ``types`` are all event types, including old versions. ``state_topic`` has the current state of
    each stream, as the newest record of its key; ``None`` if states are not published.
    """

    prefix: str
    events_topic: str
    state_topic: str | None
    types: frozenset[str]
    has_permits: bool = False
    """Whether its streams fold to permits: :mod:`consumers.contract.states`."""

    def under(self, topic_prefix: str) -> Kind:
        """Return the kind with a prefix to its topics, for clusters that several ledgers share."""
        return replace(
            self,
            events_topic=topic_prefix + self.events_topic,
            state_topic=self.state_topic and topic_prefix + self.state_topic,
        )

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.events_topic, self.state_topic)))


def _types(topics: Iterable[str], prefix: str) -> frozenset[str]:
    old = (topic for topic in STEPS if topic.startswith(prefix))
    return frozenset(topics).union(old)


PERMITS = Kind(
    prefix="permit.",
    events_topic="permits.events.v1",
    state_topic="permits.state.v1",
    types=_types((event.TOPIC for event in RIGHTS.events), "permit."),
    has_permits=True,
)

ID_CARDS = Kind(
    prefix="id-card.",
    events_topic="id-cards.events.v1",
    state_topic=None,
    types=_types((event.TOPIC for event in APPLICATIONS.events), "id-card."),
)

KINDS: tuple[Kind, ...] = (PERMITS, ID_CARDS)


def kinds_under(topic_prefix: str) -> tuple[Kind, ...]:
    """Return all kinds, with this prefix to their topics."""
    return tuple(kind.under(topic_prefix) for kind in KINDS)


def kind_of(event_type: str, kinds: Iterable[Kind] = KINDS) -> Kind:
    """Return the kind of an event type.

    Raises:
        NoTopic: events of this type have no topic.
    """
    for kind in kinds:
        if event_type.startswith(kind.prefix):
            return kind
    raise NoTopic(f"No topic is known for events of type {event_type}. Nothing is sent.")
