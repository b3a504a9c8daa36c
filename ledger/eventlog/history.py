"""The whole history of one stream, event by event, for those who investigate it.

Other readers stop at the first event that can't be read. Here it is told as such, and everything
around it as well; only what a permit *was* is not made of guesses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, cast

import orjson
from eventsourcing.domain import CanInitAggregate
from eventsourcing.persistence import StoredEvent
from psycopg.rows import tuple_row

from domain.aggregate import DomainEvent
from domain.events import PermitEvent, PermitIssued
from domain.personal import ERASED
from domain.stream_types import ERASURES, of_topic
from domain.validity import History
from ledger.codec.mapper import EventMapper, SealedEvent, holders_of
from ledger.crypto.holder_keys import HolderKeys, Keys, wrapped_keys_in
from ledger.database.named_sql import Queries
from ledger.errors import Corrupt, KeyUnusable, UnknownPermit, UnreadableEvent

from .reads import Pool, read_rows

EVENTS_MAX = 10_000
"""Of one stream; a permit has two or three a year."""

_sql = Queries("ledger", "sql/audit.sql")
_log_sql = Queries("ledger", "sql/queries.sql")


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """One event as it lies in the log, and what is in it; ``event`` is ``None`` where it can't be
    read, ``reason`` says why, without a value of it.

    ``stored`` are the bytes that are proved; ``plain`` is what they say in the clear, as far as
    they are JSON.
    """

    position: int
    stored: StoredEvent
    plain: Mapping[str, Any]
    event: DomainEvent | None
    reason: str | None

    @property
    def version(self) -> int:
        return self.stored.originator_version

    @property
    def recorded_at(self) -> datetime | None:
        """When, by the ledger's clock, as far as that can be read."""
        if self.event is not None:
            return self.event.timestamp
        try:
            return datetime.fromisoformat(self.plain["timestamp"]).astimezone(UTC)
        except (KeyError, TypeError, ValueError, OverflowError):
            return None


@dataclass(frozen=True)
class StreamHistory:
    """All of a stream's events by version; ``head`` is the log's position in the same instant."""

    head: int
    events: tuple[RecordedEvent, ...]

    @property
    def missing_versions(self) -> list[int]:
        """Versions between the first and the last that are not there."""
        there = {recorded.version for recorded in self.events}
        return sorted(set(range(1, max(there, default=0) + 1)) - there)

    @property
    def holder_id(self) -> str:
        """Whose permit it is.

        Raises:
            UnreadableEvent: the issue can't be read.
        """
        issued = self.sound[0] if self.sound else None
        if not isinstance(issued, PermitIssued):
            raise UnreadableEvent("nobody knows whose permit it is: its issue can't be read")
        return issued.holder_id

    @cached_property
    def sound_history(self) -> History:
        """The permit's, of those."""
        return History(self.sound)

    @cached_property
    def sound(self) -> list[PermitEvent]:
        """The permit's events as far as each can be read and none is missing."""
        return [event for event in self.sound_life if isinstance(event, PermitEvent)]

    @cached_property
    def sound_life(self) -> list[DomainEvent]:
        """The events of any lifecycle, as far as each can be read, none is missing, and all are of
        the one that the first of them begins."""
        found: list[DomainEvent] = []
        expected: type[DomainEvent] = DomainEvent
        for n, recorded in enumerate(self.events, start=1):
            event = recorded.event
            begins = isinstance(event, CanInitAggregate)
            if recorded.version != n or begins != (n == 1) or not isinstance(event, expected):
                break
            if n == 1 and (stream_type := of_topic(event.TOPIC)):
                expected = stream_type.event
            found.append(event)
        return found

    def known_by(self, instant: datetime | None) -> tuple[History, int]:
        """The permit's history, and how many of its events were recorded by then; ``None``: by now,
        which is all of them, whatever the clock of this process says.

        Raises:
            UnknownPermit: there was none by then.
            UnreadableEvent: one that was recorded by then, or may have been, can't be read.
        """
        sound, history = self.sound, self.sound_history
        known = len(sound) if instant is None else history.known_by(instant)
        if known == len(sound) < len(self.events):
            broken = self.events[known]
            recorded_at = broken.recorded_at
            if instant is None or recorded_at is None or recorded_at <= instant:
                raise UnreadableEvent(
                    f"what is known of {broken.stored.originator_id} ends before position"
                    f" {broken.position}: {broken.reason or 'an event before it is missing'}"
                )
        if not known:
            raise UnknownPermit
        return history, known


class StreamHistories:
    """Borrows a connection for each read."""

    def __init__(self, pool: Pool, mapper: EventMapper, keys: HolderKeys) -> None:
        self._pool = pool
        self._mapper = mapper
        self._keys = keys

    async def of(self, stream: str) -> StreamHistory:
        """A stream's history, opened; empty where there is none.

        Raises:
            Unavailable
            Corrupt: more than 10,000 events, which no permit has.
        """
        history = await self._read(stream)
        if _was_erased_meanwhile(history):
            return await self._read(stream)
        return history

    async def _read(self, stream: str) -> StreamHistory:
        rows = await self._rows(_sql.history, stream=stream, limit=EVENTS_MAX + 1)
        if len(rows) > EVENTS_MAX:
            raise Corrupt(f"{stream} has more than {EVENTS_MAX:,} events")
        head = cast("int", rows[0][0])
        found = [(position, _parse(self._mapper, stored)) for position, stored in _stored(rows)]
        sealed = [parsed for _, parsed in found if isinstance(parsed, SealedEvent)]
        keys = await self._keys_of(holders_of(sealed))
        events = [self._opened(position, parsed, keys) for position, parsed in found]
        return StreamHistory(head, tuple(events))

    def _opened(self, position: int, parsed: SealedEvent | _Unparsed, keys: Keys) -> RecordedEvent:
        plain = _plain(parsed.stored)
        if isinstance(parsed, _Unparsed):
            return RecordedEvent(position, parsed.stored, plain, None, parsed.reason)
        try:
            [event] = self._mapper.open([parsed], keys)
        except UnreadableEvent as error:
            return RecordedEvent(position, parsed.stored, plain, None, error.detail)
        return RecordedEvent(position, parsed.stored, plain, event, None)

    async def _keys_of(self, holder_ids: list[str]) -> Keys:
        """As the database has them now, so that nobody is shown after an erasure. One that can't
        be used is left out: the events that are sealed with it say so."""
        rows = await self._rows(_log_sql.select_holder_keys, holder_ids=holder_ids)
        keys: Keys = {}
        for wrapped in wrapped_keys_in(rows):
            try:
                keys |= await self._keys.unwrap_async([wrapped])
            except KeyUnusable:
                continue
        return keys

    async def _rows(self, query: str, **parameters: object) -> list[tuple[object, ...]]:
        return await read_rows(self._pool, query, parameters, tuple_row)


@dataclass(frozen=True, slots=True)
class _Unparsed:
    stored: StoredEvent
    reason: str


def _parse(mapper: EventMapper, stored: StoredEvent) -> SealedEvent | _Unparsed:
    try:
        return mapper.parse(stored)
    except UnreadableEvent as error:
        return _Unparsed(stored, error.detail)


def _stored(rows: Sequence[tuple[object, ...]]) -> Iterator[tuple[int, StoredEvent]]:
    for _, position, *event in rows:
        if position is not None:
            yield cast("int", position), StoredEvent(*cast("tuple[str, int, str, bytes]", event))


def _plain(stored: StoredEvent) -> Mapping[str, Any]:
    try:
        state = orjson.loads(stored.state)
    except orjson.JSONDecodeError:
        return {}
    return state if isinstance(state, dict) else {}


def _was_erased_meanwhile(history: StreamHistory) -> bool:
    """Whether the holder was erased after the events were read and before the key was: the last
    event, which says so, is there by now."""
    events = [recorded.event for recorded in history.events if recorded.event]
    first = next((event for event in events if isinstance(event, CanInitAggregate)), None)
    is_told = any(isinstance(event, ERASURES) for event in events)
    return getattr(first, "identity", None) is ERASED and not is_told
