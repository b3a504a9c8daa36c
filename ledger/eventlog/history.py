"""The history of one stream, event by event, for investigators: whole, or in pages.

Other readers stop at the first event that can't be read. Here it is reported as unreadable, with
all events around it; but the state of a permit is never guessed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal, NamedTuple

import orjson
from eventsourcing.domain import CanInitAggregate
from eventsourcing.persistence import StoredEvent
from psycopg.rows import args_row, scalar_row

from domain.aggregate import DomainEvent
from domain.events import PermitEvent, PermitIssued
from domain.personal import ERASED
from domain.stream_types import ERASURES, of_topic
from domain.validity import History
from ledger.codec.mapper import EventMapper, SealedEvent, holders_of
from ledger.crypto.disclosures import Disclosure
from ledger.crypto.envelope import place_of
from ledger.crypto.holder_keys import HolderKeys, Keys, WrappedKey
from ledger.database.named_sql import Queries
from ledger.errors import Corrupt, KeyUnusable, Unavailable, UnknownPermit, UnreadableEvent

from .pages import Pages
from .reads import Pool, read_rows

EVENTS_MAX = 100_000
"""The most that are held at once, some 300 MB; a permit has two or three a year. A longer history
is read in pages."""
PAGE_EVENTS = 1_000
"""Read and decrypted at once; between two pages other requests have their turn."""

Protection = Literal["erased", "restricted"] | None
"""Why a holder's data is not shown."""

_sql = Queries("ledger", "sql/audit.sql")
_log_sql = Queries("ledger", "sql/queries.sql")


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """One event as it is stored, and as it is read; ``event`` is ``None`` if it can't be read, and
    ``reason`` says why, without quoting it.

    ``stored`` has the bytes that proofs are about; ``plain`` is their part in the clear, if they
    are JSON.
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
        """When, by the ledger's clock; ``None`` if that can't be read."""
        if self.event is not None:
            return self.event.timestamp
        try:
            return datetime.fromisoformat(self.plain["timestamp"]).astimezone(UTC)
        except (KeyError, TypeError, ValueError, OverflowError):
            return None


@dataclass(frozen=True)
class StreamHistory:
    """All of a stream's events by version; ``head`` is the log's head in the same snapshot."""

    head: int
    events: tuple[RecordedEvent, ...]

    @property
    def missing_versions(self) -> list[int]:
        """Versions up to the last that have no event."""
        there = {recorded.version for recorded in self.events}
        return sorted(set(range(1, max(there, default=0) + 1)) - there)

    @property
    def holder_id(self) -> str:
        """The permit's holder.

        Raises:
            UnreadableEvent: its issue can't be read.
        """
        issued = self.sound[0] if self.sound else None
        if not isinstance(issued, PermitIssued):
            raise UnreadableEvent("the permit's holder is unknown: its issue can't be read")
        return issued.holder_id

    @cached_property
    def sound_history(self) -> History:
        """The permit's history, of the sound events."""
        return History(self.sound)

    @cached_property
    def sound(self) -> list[PermitEvent]:
        """The permit's events, up to the first that can't be read or is missing."""
        return [event for event in self.sound_events if isinstance(event, PermitEvent)]

    @cached_property
    def sound_events(self) -> list[DomainEvent]:
        """The events of any stream type, up to the first that can't be read, is missing, or is of
        another stream type."""
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
        """The permit's history, and how many of its events were recorded by then.

        ``None`` means now: all of them, whatever this process's clock is.

        Raises:
            UnknownPermit: there was none by then.
            UnreadableEvent: an event that was, or may have been, recorded by then can't be read.
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
        self._turns = Pages()

    async def of(self, stream: str) -> StreamHistory:
        """A stream's history, decrypted; without events if there is no such stream.

        Raises:
            Unavailable: also where it has more than :data:`EVENTS_MAX` events.
        """
        history = await self._read(stream)
        if _was_erased_meanwhile(history):
            return await self._read(stream)
        return history

    async def disclosures(self, events: Sequence[RecordedEvent]) -> list[list[Disclosure] | None]:
        """What proves each personal field of each event, by itself; ``None`` for an event with
        personal fields and without such proofs, from before there were any, and for one that can't
        be read. None of an erased holder.

        Raises:
            Unavailable
        """
        parsed = [_parse(self._mapper, recorded.stored) for recorded in events]
        keys = await self._keys_of(_holders([(0, each) for each in parsed]))
        found: list[list[Disclosure] | None] = []

        def open_some(part: Sequence[SealedEvent | _Unparsed]) -> None:
            found.extend(_disclosures(each, keys) for each in part)

        await self._turns.each(parsed, open_some)
        return found

    async def pages(self, stream: str) -> AsyncIterator[HistoryPage]:
        """A stream's history in pages, decrypted; one page without events if there is none.

        Each page is of its own snapshot, and has the head of that.

        Raises:
            Unavailable
        """
        async for head, parsed in self._pages(stream):
            keys = await self._keys_of(_holders(parsed))
            yield HistoryPage(head, await self._all_opened(parsed, keys))

    async def missing_versions(self, stream: str, limit: int) -> list[int]:
        """The first versions up to the stream's last one that have no event.

        Raises:
            Unavailable
        """
        parameters = {"stream": stream, "limit": limit}
        return await read_rows(self._pool, _sql.missing_versions, parameters, scalar_row)

    async def protection(self, stream: str) -> Protection:
        """Why the data of the stream's holder is not shown now, by the log's own topics.

        Raises:
            Unavailable
        """
        parameters = {"stream": stream}
        topics = await read_rows(self._pool, _sql.last_protection, parameters, scalar_row)
        kind = topics[0].split(".")[1] if topics else ""
        if kind == "holder-erased":
            return "erased"
        return "restricted" if kind == "holder-restricted" else None

    async def _read(self, stream: str) -> StreamHistory:
        head, found = 0, list[_Found]()
        with ExitStack() as stack:
            async for page_head, page in self._pages(stream):
                if not found:
                    stack.enter_context(self._turns.admitted(page))
                head = page_head
                found += page
                if len(found) > EVENTS_MAX:
                    raise Unavailable(
                        f"{stream} has more than {EVENTS_MAX:,} events: read them in pages."
                    )
            # After all pages, so that one key opens all events, or none of them.
            keys = await self._keys_of(_holders(found))
            return StreamHistory(head, await self._all_opened(found, keys))

    async def _pages(self, stream: str) -> AsyncIterator[tuple[int, list[_Found]]]:
        """The log's head and the events, in pages, not yet decrypted; at least one page."""
        after = 0
        while True:
            parameters = {"stream": stream, "after": after, "limit": PAGE_EVENTS}
            rows = await read_rows(self._pool, _sql.history, parameters, args_row(_Row))
            page: list[_Found] = []

            def parse(part: Sequence[_Row], page: list[_Found] = page) -> None:
                page.extend(
                    (row.position, _parse(self._mapper, StoredEvent(*row[2:])))
                    for row in part
                    if row.position is not None
                )

            await self._turns.each(rows, parse)
            yield rows[0].head, page
            if len(page) < PAGE_EVENTS:
                return
            after = page[-1][1].stored.originator_version

    async def _all_opened(self, found: Sequence[_Found], keys: Keys) -> tuple[RecordedEvent, ...]:
        events: list[RecordedEvent] = []

        def open_some(part: Sequence[_Found]) -> None:
            events.extend(self._opened(position, parsed, keys) for position, parsed in part)

        await self._turns.each(found, open_some)
        return tuple(events)

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
        """The keys as the database has them now, so that no erased data is shown.

        A key that can't be used is left out; the events that are sealed with it can't be read then.
        """
        rows = await read_rows(
            self._pool,
            _log_sql.select_holder_keys,
            {"holder_ids": holder_ids},
            args_row(WrappedKey),
        )
        keys: Keys = {}
        for wrapped in rows:
            try:
                keys |= await self._keys.unwrap_async([wrapped])
            except KeyUnusable:
                continue
        return keys


def _disclosures(parsed: SealedEvent | _Unparsed, keys: Keys) -> list[Disclosure] | None:
    if isinstance(parsed, _Unparsed):
        return None
    if (sealed := parsed.envelope) is None:
        return []
    key = keys.get(sealed.holder, ERASED)
    if key is ERASED:
        return []
    if sealed.digests is None:
        return None
    with suppress(Corrupt):
        return sealed.disclosures(key, place_of(parsed.stored))
    return None


class HistoryPage(NamedTuple):
    """Some of a stream's events by version; ``head`` is the log's head in the same snapshot."""

    head: int
    events: tuple[RecordedEvent, ...]


class _Row(NamedTuple):
    """The log's head, with an event if there is one."""

    head: int
    position: int | None
    stream: str
    version: int
    topic: str
    state: bytes


@dataclass(frozen=True, slots=True)
class _Unparsed:
    stored: StoredEvent
    reason: str


_Found = tuple[int, SealedEvent | _Unparsed]
"""An event and its position."""


def _holders(found: Sequence[_Found]) -> list[str]:
    return holders_of([parsed for _, parsed in found if isinstance(parsed, SealedEvent)])


def _parse(mapper: EventMapper, stored: StoredEvent) -> SealedEvent | _Unparsed:
    try:
        return mapper.parse(stored)
    except UnreadableEvent as error:
        return _Unparsed(stored, error.detail)


def _plain(stored: StoredEvent) -> Mapping[str, Any]:
    try:
        state = orjson.loads(stored.state)
    except orjson.JSONDecodeError:
        return {}
    return state if isinstance(state, dict) else {}


def _was_erased_meanwhile(history: StreamHistory) -> bool:
    """Whether the holder was erased between the two reads, of events and key: the last event, which
    records it, is there by now."""
    events = [recorded.event for recorded in history.events if recorded.event]
    first = next((event for event in events if isinstance(event, CanInitAggregate)), None)
    is_recorded = any(isinstance(event, ERASURES) for event in events)
    return getattr(first, "identity", None) is ERASED and not is_recorded
