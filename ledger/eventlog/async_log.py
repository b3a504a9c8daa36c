"""The log for coroutines: appends through the group commit, permits through group reads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import cast

from eventsourcing.persistence import StoredEvent
from psycopg.rows import tuple_row

from domain.aggregate import Aggregate
from ledger.codec.mapper import EventMapper, holders_of
from ledger.crypto.holder_keys import HolderKey, HolderKeys, Keys, WrappedKey, wrapped_keys_in
from ledger.database.named_sql import Queries

from .append import Append
from .async_append import AsyncAppends
from .async_reads import Pool, read_rows
from .group_commit import GroupCommit
from .group_read import GroupRead
from .idempotency import Answer
from .log_access import folded, was_erased_meanwhile
from .recorder import answers_in, holder_in, holders_in
from .registry import Holder, HolderRecord

_sql = Queries("ledger", "sql/queries.sql")


class AsyncLog:
    """Belongs to one event loop; owns neither the pool nor the group commit."""

    def __init__(
        self, commits: GroupCommit, pool: Pool, mapper: EventMapper, keys: HolderKeys
    ) -> None:
        self._appends = AsyncAppends(commits)
        self._pool = pool
        self._mapper = mapper
        self._keys = keys
        self._streams = GroupRead(self._read_streams)
        self._wrapped = GroupRead(self._read_wrapped)

    async def append(self, append: Append) -> list[int]:
        return [] if append.is_empty else await self._appends.append(append)

    async def load(self, stream: str) -> Aggregate | None:
        aggregate = await self._folded(stream)
        return await self._folded(stream) if was_erased_meanwhile(aggregate) else aggregate

    async def _folded(self, stream: str) -> Aggregate | None:
        stored = await self._streams.get(stream) or ()
        sealed = [self._mapper.parse(event) for event in stored]
        return folded(self._mapper.open(sealed, await self.holder_keys(holders_of(sealed))))

    async def answers(self, caller: str, keys: Sequence[str]) -> dict[str, tuple[bytes, Answer]]:
        return answers_in(await self._rows(_sql.select_answers, caller=caller, keys=list(keys)))

    async def holders(self, citizen_indexes: Iterable[bytes]) -> dict[bytes, Holder]:
        return holders_in(
            await self._rows(_sql.select_holders, citizen_indexes=list(citizen_indexes))
        )

    async def knows_holder(self, holder_id: str) -> bool:
        return bool(await self._rows(_sql.holder_exists, holder_id=holder_id))

    async def last_position(self, stream: str) -> int | None:
        rows = await self._rows(_sql.last_position, stream=stream)
        return cast("int", rows[0][0]) if rows else None

    async def holder(self, holder_id: str) -> HolderRecord | None:
        return holder_in(await self._rows(_sql.select_holder, holder_id=holder_id))

    async def holder_keys(self, holder_ids: Sequence[str]) -> Keys:
        keys, missing = self._keys.known(holder_ids)
        for holder_id in missing:
            if wrapped := await self._wrapped.get(holder_id):
                keys |= await self._keys.unwrap_async([wrapped])
        return keys

    async def new_holder_key(self, holder_id: str) -> tuple[HolderKey, WrappedKey]:
        return await self._keys.new_async(holder_id)

    async def look_for_keks(self) -> None:
        await asyncio.to_thread(self._keys.keyring.reload)

    async def _read_wrapped(self, holder_ids: list[str]) -> Mapping[str, WrappedKey]:
        rows = await self._rows(_sql.select_holder_keys, holder_ids=holder_ids)
        return {wrapped.holder_id: wrapped for wrapped in wrapped_keys_in(rows)}

    async def _read_streams(self, streams: list[str]) -> Mapping[str, list[StoredEvent]]:
        rows = await self._rows(_sql.select_streams, streams=streams)
        events = [StoredEvent(*cast("tuple[str, int, str, bytes]", row)) for row in rows]
        return {
            stream: list(of_stream)
            for stream, of_stream in groupby(events, key=attrgetter("originator_id"))
        }

    async def _rows(self, query: str, **parameters: object) -> list[tuple[object, ...]]:
        return await read_rows(self._pool, query, parameters, tuple_row)
