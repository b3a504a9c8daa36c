"""The kinds of streams that leave the ledger, and the topics each goes to: one row a kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from domain.events import EVENTS
from ledger.upcasting import STEPS

PARTITIONS = 12
"""Of every topic, for ever: with another number a permit's records would change partition, and
their order would be gone."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Streams whose events' types begin with ``prefix``.

    ``types`` are all that may come, those of old versions too. ``state_topic`` has what each stream
    now is, where that is told at all.
    """

    prefix: str
    events_topic: str
    state_topic: str | None
    types: frozenset[str]

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
    types=_types((event.TOPIC for event in EVENTS), "permit."),
)

KINDS: tuple[Kind, ...] = (PERMITS,)


def kind_of(event_type: str, kinds: Iterable[Kind] = KINDS) -> Kind:
    """
    Raises:
        LookupError: nobody has said where events of this type go.
    """
    for kind in kinds:
        if event_type.startswith(kind.prefix):
            return kind
    raise LookupError(f"no topic is known for events of type {event_type}")
