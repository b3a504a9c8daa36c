"""Events to bytes and back: orjson, with each event's own field types checked on the way in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, cast

import orjson
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent, Transcoder
from pydantic import ConfigDict, TypeAdapter, ValidationError

from domain.events import EVENTS, PermitEvent

from .errors import UnreadableEvent
from .upcasting import STEPS, State, Step, Upcasting

_NOT_IN_STATE = frozenset({"originator_id", "originator_version"})


class OrjsonTranscoder(Transcoder):
    """JSON with dates and instants in ISO 8601; reading gives plain JSON values."""

    def encode(self, obj: Any) -> bytes:
        return orjson.dumps(obj)

    def decode(self, data: bytes) -> Any:
        return orjson.loads(data)


class EventMapper(Mapper[str]):
    """Finds an event's class by its topic alone, never by a Python path."""

    def __init__(
        self,
        transcoder: Transcoder,
        *,
        events: Iterable[type[PermitEvent]] = EVENTS,
        steps: Mapping[str, Step] = STEPS,
    ) -> None:
        """
        Raises:
            ValueError: the steps do not lead from old versions to these events.
        """
        super().__init__(transcoder)
        self._by_topic = {event.TOPIC: event for event in events}
        self._upcasting = Upcasting(steps, self._by_topic)
        self.topics = frozenset(self._by_topic).union(steps)
        """All that can be read, those of old versions too."""

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        state = vars(domain_event).copy()
        for name in _NOT_IN_STATE:
            del state[name]
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=cast("PermitEvent", domain_event).TOPIC,
            state=self.transcoder.encode(state),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> PermitEvent:
        """The event, of an old version as the newest one.

        Raises:
            UnreadableEvent: an unknown topic, or a state that is not this topic's. The message
                names where it is and which fields are at fault, never what they hold.
        """
        where = f"version {stored_event.originator_version} of {stored_event.originator_id}"
        event_class = self._by_topic.get(stored_event.topic)
        if event_class is None and stored_event.topic not in self.topics:
            raise UnreadableEvent(f"{where} has the unknown topic {stored_event.topic}")
        state = self._state(stored_event, where)
        if event_class is None:
            topic, state = self._upcasting.upcast(stored_event.topic, state, where)
            where = f"{where} (as {topic}, from {stored_event.topic})"
            event_class = self._by_topic[topic]
        if unknown := state.keys() - _state_fields(event_class):
            raise UnreadableEvent(f"{where} has unknown fields: {', '.join(sorted(unknown))}")
        state["originator_id"] = stored_event.originator_id
        state["originator_version"] = stored_event.originator_version
        try:
            return _reader(event_class).validate_python([state])[0]
        except ValidationError as error:
            at_fault = {".".join(map(str, line["loc"][1:])) for line in error.errors()}
            raise UnreadableEvent(f"{where} can't be read: {', '.join(sorted(at_fault))}") from None

    def _state(self, stored_event: StoredEvent, where: str) -> State:
        try:
            state = self.transcoder.decode(stored_event.state)
        except orjson.JSONDecodeError:
            state = None
        if not isinstance(state, dict):
            raise UnreadableEvent(f"{where} does not hold a JSON object")
        return state


@cache
def _state_fields(event_class: type[PermitEvent]) -> frozenset[str]:
    return frozenset(field.name for field in fields(cast("Any", event_class))) - _NOT_IN_STATE


@cache
def _reader(event_class: type[PermitEvent]) -> TypeAdapter[list[PermitEvent]]:
    """Reads a list of one: pydantic lets a list say that nothing unknown may be left out, down to
    the values that the event holds; of a dataclass alone it would not."""
    return TypeAdapter(list[event_class], config=ConfigDict(extra="forbid"))  # type: ignore[valid-type]
