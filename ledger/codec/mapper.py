"""Events to stored bytes and back: personal fields encrypted, field types checked when reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, NamedTuple, cast

import orjson
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent, Transcoder
from pydantic import ConfigDict, TypeAdapter, ValidationError

from domain.aggregate import DomainEvent
from domain.personal import ERASED, Parts, parts
from domain.stream_types import EVENTS
from ledger.crypto import envelope
from ledger.crypto.envelope import Envelope, place_of
from ledger.crypto.holder_keys import HolderKey, Keys, require
from ledger.errors import Corrupt, KeyUnusable, UnreadableEvent

from .upcasting import STEPS, State, Step, Upcasting

_NOT_IN_STATE = ("originator_id", "originator_version")
_HOLDER = "holder_id"
"""The holder is in the clear, and in the envelope, where it can't be changed unnoticed."""


class OrjsonTranscoder(Transcoder):
    """JSON with dates and instants in ISO 8601; reading gives plain JSON values."""

    def encode(self, obj: Any) -> bytes:
        return orjson.dumps(obj)

    def decode(self, data: bytes) -> Any:
        return orjson.loads(data)


class SealedEvent(NamedTuple):
    """A stored event, its envelope still encrypted; without one it has no personal fields."""

    stored: StoredEvent
    state: State
    envelope: Envelope | None

    @property
    def where(self) -> str:
        return f"version {self.stored.originator_version} of {self.stored.originator_id}"


def holders_of(events: Iterable[SealedEvent]) -> list[str]:
    """The holders whose keys decrypt these events, each once."""
    return list(dict.fromkeys(event.envelope.holder for event in events if event.envelope))


class EventMapper(Mapper[str]):
    """Finds an event's class by its topic alone, never by a Python path."""

    def __init__(
        self,
        transcoder: Transcoder,
        *,
        events: Iterable[type[DomainEvent]] = EVENTS,
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
        """All topics that can be read, also those of old versions."""

    # -- to bytes ------------------------------------------------------------------------------

    def to_stored_event(
        self, domain_event: DomainEventProtocol[str], key: HolderKey | None = None
    ) -> StoredEvent:
        """Encode an event; ``key`` is the holder's, needed if :func:`is_personal`.

        Raises:
            KeyUnusable: it is needed, and there is none.
        """
        event = cast("DomainEvent", domain_event)
        divided = _stored_parts(type(event))
        state, personal = envelope.divide(vars(event), divided)
        if personal:
            if key is None:
                raise KeyUnusable(f"{event.TOPIC} is sealed with its holder's key: there is none")
            place = (event.originator_id, str(event.originator_version), event.TOPIC)
            state[envelope.FIELD] = envelope.seal_disclosable(personal, key, place)
        return StoredEvent(
            originator_id=event.originator_id,
            originator_version=event.originator_version,
            topic=event.TOPIC,
            state=self.transcoder.encode(state),
        )

    # -- and back ------------------------------------------------------------------------------

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEvent:
        """Read one event without personal fields; :meth:`open` reads all others."""
        return self.open([self.parse(stored_event)], {})[0]

    def parse(self, stored_event: StoredEvent) -> SealedEvent:
        """Read what needs no key.

        Raises:
            UnreadableEvent: an unknown topic, no JSON object, a personal field in the clear, or
                another holder there than in the seal. The message names where it is and which
                fields are at fault, never what they hold.
        """
        event = SealedEvent(stored_event, {}, None)
        topic = stored_event.topic
        if topic not in self.topics:
            raise UnreadableEvent(f"{event.where} has the unknown topic {topic}")
        try:
            state = self.transcoder.decode(stored_event.state)
        except orjson.JSONDecodeError:
            state = None
        if not isinstance(state, dict):
            raise UnreadableEvent(f"{event.where} does not hold a JSON object")
        if not (paths := self._personal(topic)):
            return event._replace(state=state)
        if field := envelope.clear_field(state, paths):
            raise UnreadableEvent(f"{event.where} holds {field} in the clear")
        if envelope.FIELD not in state:
            raise UnreadableEvent(f"{event.where} has no sealed part")
        try:
            sealed = Envelope.of(state.pop(envelope.FIELD))
        except Corrupt as error:
            raise UnreadableEvent(f"{event.where}: {error.detail}") from None
        if state.get(_HOLDER, sealed.holder) != sealed.holder:
            raise UnreadableEvent(f"{event.where} is one holder's and sealed for another")
        return SealedEvent(stored_event, state, sealed)

    def open(self, events: Sequence[SealedEvent], keys: Keys) -> list[DomainEvent]:
        """Decrypt and upcast events; ``keys`` has those of all their holders (:func:`holders_of`).

        The personal fields of a holder whose key is destroyed are ``ERASED``.

        Raises:
            UnreadableEvent: an envelope can't be decrypted, or a state does not fit its topic.
        """
        return [self._open(event, keys) for event in events]

    def plain(self, event: SealedEvent) -> DomainEvent:
        """Read an event without any key: its personal fields are ``ERASED``.

        Raises:
            UnreadableEvent: the state does not fit its topic.
        """
        return self._open(event, {event.envelope.holder: ERASED} if event.envelope else {})

    def from_plain(self, stored: StoredEvent, state: State) -> DomainEvent:
        """Read an event from its plain fields alone; ``state`` is consumed.

        Raises:
            UnreadableEvent: as :meth:`plain`; or an unknown topic.
        """
        if stored.topic not in self.topics:
            raise UnreadableEvent(f"it has the unknown topic {stored.topic}")
        empty = Envelope("", "", "") if self._personal(stored.topic) else None
        return self.plain(SealedEvent(stored, state, empty))

    def _open(self, event: SealedEvent, keys: Keys) -> DomainEvent:
        stored, where = event.stored, event.where
        topic, state = stored.topic, event.state
        if event.envelope:
            self._unseal(event, event.envelope, keys)
        event_class = self._by_topic.get(topic)
        if event_class is None:
            topic, state = self._upcasting.upcast(topic, state, where)
            where = f"{where} (as {topic}, from {stored.topic})"
            event_class = self._by_topic[topic]
        if not state.keys() <= (known := _state_fields(event_class)):
            unknown = state.keys() - known
            raise UnreadableEvent(f"{where} has unknown fields: {', '.join(sorted(unknown))}")
        state["originator_id"] = stored.originator_id
        state["originator_version"] = stored.originator_version
        try:
            return _reader(event_class).validate_python([state])[0]
        except ValidationError as error:
            at_fault = {_field_at(line["loc"][1:], event_class) for line in error.errors()}
            raise UnreadableEvent(f"{where} can't be read: {', '.join(sorted(at_fault))}") from None

    def _unseal(self, event: SealedEvent, sealed: Envelope, keys: Keys) -> None:
        try:
            key = require(keys, sealed.holder)
            if key is ERASED:
                envelope.blank(event.state, self._personal(event.stored.topic))
            else:
                envelope.join(event.state, sealed.open(key, place_of(event.stored)))
        except Corrupt as error:
            raise UnreadableEvent(f"{event.where} can't be opened: {error.detail}") from None

    def _personal(self, topic: str) -> tuple[str, ...]:
        if event_class := self._by_topic.get(topic):
            return parts(event_class).paths
        return self._upcasting.personal(topic)


def is_personal(event: DomainEventProtocol[str]) -> bool:
    """Whether the event has personal fields."""
    return bool(parts(type(event)).paths)


def _field_at(location: tuple[int | str, ...], event_class: type[DomainEvent]) -> str:
    """The field, dotted; a personal field is named as a whole. Without a location, the fields do
    not agree."""
    if not location:
        return "its fields contradict each other"
    found = ".".join(map(str, location))
    personal = parts(event_class).paths
    return next((path for path in personal if f"{found}.".startswith(f"{path}.")), found)


@cache
def _stored_parts(event_class: type[DomainEvent]) -> Parts:
    """Without the fields that are columns of the log."""
    return parts(event_class).without(_NOT_IN_STATE)


@cache
def _state_fields(event_class: type[DomainEvent]) -> frozenset[str]:
    names = frozenset(field.name for field in fields(cast("Any", event_class)))
    return names.difference(_NOT_IN_STATE)


@cache
def _reader(event_class: type[DomainEvent]) -> TypeAdapter[list[DomainEvent]]:
    """Reads a list of one event: for a list, unlike for a dataclass, pydantic can forbid unknown
    fields down to the values that the event has."""
    return TypeAdapter(list[event_class], config=ConfigDict(extra="forbid"))  # type: ignore[valid-type]
