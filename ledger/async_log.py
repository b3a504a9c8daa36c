"""The log for coroutines: appends through the group commit, permits through group reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import cast

from eventsourcing.application import project_aggregate
from eventsourcing.persistence import Mapper, StoredEvent
from psycopg.rows import tuple_row

from domain.permit import Permit

from .append import Append
from .async_append import AsyncAppends
from .async_reads import Pool, read_rows
from .errors import UnknownPermit
from .group_commit import GroupCommit
from .group_read import GroupRead
from .holders import Holder
from .idempotency import Answer
from .named_sql import Queries
from .recorder import answers_in, holders_in

_sql = Queries("ledger", "sql/queries.sql")


class AsyncLog:
    """Belongs to one event loop; owns neither the pool nor the group commit."""

    def __init__(self, commits: GroupCommit, pool: Pool, mapper: Mapper[str]) -> None:
        self._appends = AsyncAppends(commits)
        self._pool = pool
        self._mapper = mapper
        self._streams = GroupRead(self._read_streams)

    async def append(self, append: Append) -> list[int]:
        return [] if append.is_empty else await self._appends.append(append)

    async def permit(self, number: str) -> Permit:
        events = map(self._mapper.to_domain_event, await self._streams.get(number) or ())
        permit: Permit | None = project_aggregate(None, events)
        if permit is None:
            raise UnknownPermit
        return permit

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

    async def _read_streams(self, streams: list[str]) -> Mapping[str, list[StoredEvent]]:
        rows = await self._rows(_sql.select_streams, streams=streams)
        events = [StoredEvent(*cast("tuple[str, int, str, bytes]", row)) for row in rows]
        return {
            stream: list(of_stream)
            for stream, of_stream in groupby(events, key=attrgetter("originator_id"))
        }

    async def _rows(self, query: str, **parameters: object) -> list[tuple[object, ...]]:
        return await read_rows(self._pool, query, parameters, tuple_row)
