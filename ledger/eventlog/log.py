"""The event log: appends through the group commit, and reads of streams, holders and responses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, TypeVar, cast

from eventsourcing.persistence import Notification, StoredEvent
from psycopg.rows import AsyncRowFactory, args_row, scalar_row

from domain.aggregate import Aggregate, DomainEvent
from domain.personal import ERASED
from domain.stream_types import stream_type_of
from ledger.codec.mapper import EventMapper, SealedEvent, holders_of
from ledger.crypto.holder_keys import HolderKey, HolderKeys, Keys, WrappedKey
from ledger.database.named_sql import Queries
from ledger.errors import UnreadableEvent

from .append import Append, AppendCommits
from .idempotency import Answer
from .pages import Pages
from .reads import GroupRead, Pool, read_rows
from .registry import Holder, HolderRecord

VERSION_MAX = 2**31 - 1
ERASURE_REQUESTS_MAX = 5_000
"""The last requests to erase that are looked at; one that is repeated can't hide others soon."""

R = TypeVar("R")

_sql = Queries("ledger", "sql/queries.sql")


class EventLog:
    """Belongs to one event loop; owns neither the pool nor the group commit.

    Every method may raise ``Unavailable``.
    """

    def __init__(
        self, commits: AppendCommits, pool: Pool, mapper: EventMapper, keys: HolderKeys
    ) -> None:
        self._commits = commits
        self._pool = pool
        self._mapper = mapper
        self._keys = keys
        self._pages = Pages()
        self._streams = GroupRead(self._read_streams)
        self._wrapped = GroupRead(self._read_wrapped)

    async def append(self, append: Append) -> list[int]:
        """Write what one command decided; returns the positions of its events.

        Raises:
            VersionTaken, KeyTaken, HolderTaken, Unavailable: nothing was written.
            OutcomeUnknown: it may have been.
        """
        return [] if append.is_empty else await self._commits.append(append)

    # -- events --------------------------------------------------------------------------------

    async def load(self, stream: str) -> Aggregate | None:
        """The aggregate of a stream, folded from its events; ``None`` if there are none.

        Raises:
            UnreadableEvent
        """
        aggregate = await self._folded(stream)
        if aggregate and aggregate.identity is ERASED and not aggregate.erased:
            # The holder was erased between the two reads, of events and key: the last event, which
            # records it, is there by now.
            return await self._folded(stream)
        return aggregate

    async def _folded(self, stream: str) -> Aggregate | None:
        stored = await self._streams.get(stream) or ()
        fold = Fold()
        with self._pages.admitted(stored):
            await self._pages.each(await self.opened(stored), fold.add)
        return fold.aggregate

    async def opened(self, stored: Sequence[StoredEvent]) -> list[DomainEvent]:
        """Stored events as the domain's, decrypted.

        Raises:
            UnreadableEvent
        """
        sealed: list[SealedEvent] = []
        events: list[DomainEvent] = []
        await self._pages.each(stored, lambda page: sealed.extend(map(self._mapper.parse, page)))
        keys = await self.holder_keys(holders_of(sealed))
        await self._pages.each(sealed, lambda page: events.extend(self._mapper.open(page, keys)))
        return events

    async def stored(self, stream: str) -> list[StoredEvent]:
        """A stream's events, by version."""
        return await self._rows(_sql.select_streams, args_row(StoredEvent), streams=[stream])

    async def events(self, first: int, limit: int) -> list[Notification]:
        """The log's events from this position on, at most ``limit``."""
        return await self._rows(_sql.select_log, args_row(_notification), start=first, limit=limit)

    async def head(self) -> int:
        """The log's last position, 0 if it is empty."""
        return (await self._rows(_sql.head, _integer_row))[0]

    async def last_position(self, stream: str) -> int | None:
        """The position of the stream's last event."""
        found = await self._rows(_sql.last_position, _integer_row, stream=stream)
        return found[0] if found else None

    async def erasure_requests(self, limit: int) -> list[str]:
        """The streams whose erasure was asked for last, each once, whatever came of it."""
        return await self._rows(
            _sql.select_erasure_requests,
            _text_row,
            limit=limit,
            requests_max=ERASURE_REQUESTS_MAX,
        )

    # -- responses, holders, keys --------------------------------------------------------------

    async def answers(self, caller: str, keys: Sequence[str]) -> dict[str, tuple[bytes, Answer]]:
        """The idempotent responses under these keys, each with its request's fingerprint."""
        return dict(
            await self._rows(_sql.select_answers, args_row(_answer), caller=caller, keys=list(keys))
        )

    async def holders(self, citizen_indexes: Iterable[bytes]) -> dict[bytes, Holder]:
        """The holders on record under these blind indexes."""
        indexes = list(citizen_indexes)
        return dict(
            await self._rows(_sql.select_holders, args_row(_holder), citizen_indexes=indexes)
        )

    async def knows_holder(self, holder_id: str) -> bool:
        """Whether this holder was ever issued a permit."""
        return bool(await self._rows(_sql.holder_exists, _integer_row, holder_id=holder_id))

    async def holder(self, holder_id: str) -> HolderRecord | None:
        """What is on record of a holder."""
        found = await self._rows(_sql.select_holder, args_row(_record), holder_id=holder_id)
        return found[0] if found else None

    async def holder_keys(self, holder_ids: Sequence[str]) -> Keys:
        """The keys of those holders that have or had one."""
        keys, missing = self._keys.known(holder_ids)
        for holder_id in missing:
            if wrapped := await self._wrapped.get(holder_id):
                keys |= await self._keys.unwrap_async([wrapped])
        return keys

    async def new_holder_key(self, holder_id: str) -> tuple[HolderKey, WrappedKey]:
        """A key for a new holder, and its wrapped form for the database."""
        return await self._keys.new_async(holder_id)

    async def reload_keks(self) -> None:
        """Read again which key-encryption keys there are."""
        await asyncio.to_thread(self._keys.keyring.reload)

    # -- reading -------------------------------------------------------------------------------

    async def _read_wrapped(self, holder_ids: list[str]) -> Mapping[str, WrappedKey]:
        rows = await self._rows(
            _sql.select_holder_keys, args_row(WrappedKey), holder_ids=holder_ids
        )
        return {wrapped.holder_id: wrapped for wrapped in rows}

    async def _read_streams(self, streams: list[str]) -> Mapping[str, list[StoredEvent]]:
        events = await self._rows(_sql.select_streams, args_row(StoredEvent), streams=streams)
        return {
            stream: list(of_stream)
            for stream, of_stream in groupby(events, key=attrgetter("originator_id"))
        }

    async def _rows(
        self, query: str, row_factory: AsyncRowFactory[R], **parameters: object
    ) -> list[R]:
        return await read_rows(self._pool, query, parameters, row_factory)


class Fold:
    """The aggregate that a stream's events make; ``None`` as long as there are none."""

    def __init__(self) -> None:
        self.aggregate: Aggregate | None = None
        self._expected: type[DomainEvent] = DomainEvent

    def add(self, events: Iterable[DomainEvent]) -> None:
        """
        Raises:
            UnreadableEvent: they are not all of one stream type, or one is missing.
        """
        for event in events:
            if not isinstance(event, self._expected):
                raise UnreadableEvent(
                    f"version {event.originator_version} of {event.originator_id} is of another"
                    " stream type than those before it"
                )
            following = self.aggregate.version + 1 if self.aggregate else 1
            if event.originator_version != following:
                raise UnreadableEvent(f"version {following} of {event.originator_id} is missing")
            if self.aggregate is None:
                self.aggregate = cast("Aggregate", event.mutate(None))
                self._expected = stream_type_of(self.aggregate).event
            else:
                event.mutate(cast("Any", self.aggregate))


def folded(events: Iterable[DomainEvent]) -> Aggregate | None:
    """The aggregate that these events make; ``None`` if there are none.

    Raises:
        UnreadableEvent: they are not all of one stream type, or one is missing.
    """
    fold = Fold()
    fold.add(events)
    return fold.aggregate


_integer_row: AsyncRowFactory[int] = scalar_row
_text_row: AsyncRowFactory[str] = scalar_row


def _notification(
    position: int, stream: str, version: int, topic: str, state: bytes
) -> Notification:
    return Notification(stream, version, topic, state, id=position)


def _answer(
    key: str,
    fingerprint: bytes,
    accepted: bool,
    body: bytes,
    version: int | None,
    position: int | None,
) -> tuple[str, tuple[bytes, Answer]]:
    return key, (fingerprint, Answer(accepted, body, version, position, replayed=True))


def _holder(
    index: bytes, holder_id: str, number: str | None, restricted: bool, formerly: bool
) -> tuple[bytes, Holder]:
    return index, Holder(holder_id, number, restricted, formerly)


def _record(holder_id: str, citizen_index: bytes | None, numbers: list[str]) -> HolderRecord:
    return HolderRecord(holder_id, citizen_index, tuple(numbers))
