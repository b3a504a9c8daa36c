"""Whether the register of holders still says what the log says.

The register finds a person's record by a blind index, and no tree covers it: a person who can write
to the database could give one person's index another person's record. So a record is used again
only if the person that its last stream names, sealed in the log, has this index; and the whole
register can be made from the log and compared.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from eventsourcing.persistence import StoredEvent
from psycopg.rows import args_row

from domain.aggregate import Aggregate, DomainEvent
from domain.permit import Permit
from domain.personal import ERASED
from ledger.codec.mapper import EventMapper, SealedEvent, holders_of
from ledger.crypto.blind_index import BlindIndex
from ledger.crypto.holder_keys import HolderKeys, Keys, wrapped_keys_in
from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.database.rows import rows, scalars
from ledger.errors import Corrupt, RegisterDiffers

from .log import EventLog, folded

PAGE_HOLDERS = 200
UNREGISTERED_MAX = 20

_sql = Queries("ledger", "sql/register.sql")
_log_sql = Queries("ledger", "sql/queries.sql")


async def require_same_person(
    log: EventLog, holder_id: str, index: bytes, index_of: Callable[[Aggregate], bytes]
) -> None:
    """Before a record is used again: the person whom its last stream names has this index.

    Raises:
        RegisterDiffers: it is another person's record, or nothing says whose it is.
    """
    record = await log.holder(holder_id)
    last = await log.load(record.permit_numbers[-1]) if record and record.permit_numbers else None
    if (
        last is None
        or last.holder_id != holder_id
        or last.identity is ERASED
        or not secrets.compare_digest(index_of(last), index)
    ):
        raise RegisterDiffers


class Difference(NamedTuple):
    """A row of the register that is not what the log makes of it. ``what`` names columns, and no
    value."""

    holder_id: str
    what: str

    def __str__(self) -> str:
        return f"holder {self.holder_id}: {self.what}"


@dataclass(frozen=True, slots=True)
class _Row:
    """A holder on record."""

    holder_id: str
    citizen_index: bytes | None
    permit_number: str | None
    permit_numbers: list[str]
    restricted: bool
    has_key: bool


_Former = dict[str, dict[bytes, tuple[str, int]]]
"""By holder: the indexes that were the holder's before a correction, and the last event (stream and
version) that replaced each."""


@dataclass(frozen=True, slots=True)
class _Bars:
    """The former numbers on record: those of each holder; and of the numbers that corrections have
    replaced those that any row of the register has, as its present or former one."""

    of_holder: Mapping[str, set[bytes]]
    taken: set[bytes]

    def is_missing(
        self, connection: Connection, index: bytes, replaced_by: tuple[str, int]
    ) -> bool:
        """Whether the log says that this number is barred, and no row does.

        The bar is gone for a good reason if the number was given to another person since; of one
        who was erased the log does not say any more which number that was.
        """
        if index in self.taken:
            return False
        stream, version = replaced_by
        found = scalars(connection, _sql.bar_is_due, {"stream": stream, "version": version})
        return bool(found[0])


class RegisterCheck:
    """Compares rows of the register with what the log makes of them. Use it in one thread at a
    time, in a transaction of one snapshot."""

    def __init__(self, blind_index: BlindIndex, keys: HolderKeys, mapper: EventMapper) -> None:
        self._blind_index = blind_index
        self._keys = keys
        self._mapper = mapper

    def whole(self, connection: Connection) -> Iterator[tuple[int, list[Difference]]]:
        """Every row, page by page: how many there were, and those that differ.

        Raises:
            Unavailable: keys are out of reach for the moment.
        """
        after = ""
        while page := self._page(connection, _sql.holders_after, after=after, limit=PAGE_HOLDERS):
            yield len(page), self._differences(connection, page)
            after = page[-1].holder_id

    def unregistered(self, connection: Connection) -> list[tuple[int, str]]:
        """The first streams that no holder has on record, with the positions that began them."""
        return [
            (position, stream)
            for position, stream in rows(connection, _sql.unregistered, {"limit": UNREGISTERED_MAX})
        ]

    def of_streams(self, connection: Connection, streams: Sequence[str]) -> list[Difference]:
        """The rows of these streams' holders, and those that have these persons' indexes.

        Raises:
            Unavailable: keys are out of reach for the moment.
        """
        found, _ = self._folded(connection, streams)
        page = self._page(
            connection,
            _sql.holders_of_streams,
            holder_ids=list({one.holder_id for one in found.values() if one}),
            citizen_indexes=[
                self.index_of(one) for one in found.values() if one and one.identity is not ERASED
            ],
        )
        return self._differences(connection, page)

    def index_of(self, aggregate: Aggregate) -> bytes:
        """The index of the person whom a stream names, in the register of its kind."""
        number = aggregate.identity.citizen_id_number
        if isinstance(aggregate, Permit):
            return self._blind_index.of(number)
        return self._blind_index.of_applicant(number)

    def _page(self, connection: Connection, query: str, **parameters: object) -> list[_Row]:
        with connection.cursor(row_factory=args_row(_Row)) as cursor:
            return cursor.execute(query, parameters).fetchall()

    def _differences(self, connection: Connection, page: Sequence[_Row]) -> list[Difference]:
        found, former = self._folded(
            connection, [stream for row in page for stream in row.permit_numbers]
        )
        expected = {
            index for one in found.values() if (index := self._known_index(one)) is not None
        }
        held = set(scalars(connection, _sql.held_indexes, {"citizen_indexes": list(expected)}))
        bars = self._bars(connection, page, former)
        differences = []
        for row in page:
            streams = [found[stream] for stream in row.permit_numbers]
            what = self._columns(row, streams, held)
            left = former.get(row.holder_id, {})
            if bars.of_holder.get(row.holder_id, set()) - left.keys() or (
                row.has_key
                and any(bars.is_missing(connection, index, by) for index, by in left.items())
            ):
                what.append("former_numbers")
            if what:
                differences.append(Difference(row.holder_id, ", ".join(what)))
        return differences

    def _bars(self, connection: Connection, page: Sequence[_Row], former: _Former) -> _Bars:
        barred: dict[str, set[bytes]] = {}
        holder_ids = [row.holder_id for row in page]
        for holder_id, index in rows(connection, _sql.former_numbers, {"holder_ids": holder_ids}):
            barred.setdefault(holder_id, set()).add(index)
        left = {index for of_holder in former.values() for index in of_holder}
        taken = scalars(connection, _sql.taken_indexes, {"citizen_indexes": list(left)})
        return _Bars(barred, set(taken))

    def _columns(
        self, row: _Row, streams: Sequence[Aggregate | None], held: set[bytes]
    ) -> list[str]:
        """The columns that differ."""
        known = [one for one in streams if one is not None]
        if not streams or any(one.holder_id != row.holder_id for one in known):
            return ["permit_numbers"]
        if len(known) < len(streams):
            return ["a stream that is missing or can't be read"]
        last = known[-1]
        what = []
        if row.has_key == any(one.erased for one in known):
            what.append("key")
        index = self._known_index(last)
        in_force = [one.id for one in known if isinstance(one, Permit) and one.end is None]
        # A row without a permit, whose number turned out to be another row's, has lost the index to
        # that one.
        gave_way = row.citizen_index is None and index in held and not in_force
        if row.citizen_index != index and not gave_way:
            what.append("citizen_index")
        if row.permit_number != (in_force[-1] if in_force else None):
            what.append("permit_number")
        if len(in_force) > 1:
            what.append("more than one permit that has not ended")
        if row.restricted != any(one.restricted for one in known):
            what.append("restricted")
        return what

    def _known_index(self, aggregate: Aggregate | None) -> bytes | None:
        if aggregate is None or aggregate.identity is ERASED:
            return None
        return self.index_of(aggregate)

    def _folded(
        self, connection: Connection, streams: Sequence[str]
    ) -> tuple[Mapping[str, Aggregate | None], _Former]:
        """Each stream's aggregate, ``None`` for one without events or with one that can't be read;
        and every index that each holder has had before a correction."""
        made: dict[str, Aggregate | None] = dict.fromkeys(streams)
        former: _Former = {}
        with connection.cursor(row_factory=args_row(StoredEvent)) as cursor:
            stored = cursor.execute(_log_sql.select_streams, {"streams": list(made)}).fetchall()
        for stream, of_stream in groupby(stored, key=lambda event: str(event.originator_id)):
            try:
                events = self._opened(connection, list(of_stream))
                made[stream] = folded(events)
            except Corrupt:
                continue
            for count in range(1, len(events)):
                if type(events[count]).TOPIC.startswith(_CORRECTED) and (
                    before := folded(events[:count])
                ):
                    index, after = (
                        self._known_index(one) for one in (before, folded(events[: count + 1]))
                    )
                    if index is not None and index != after:
                        former.setdefault(before.holder_id, {})[index] = (stream, count + 1)
        return made, former

    def _opened(self, connection: Connection, stored: Sequence[StoredEvent]) -> list[DomainEvent]:
        sealed = [self._mapper.parse(event) for event in stored]
        return self._mapper.open(sealed, self._keys_of(connection, sealed))

    def _keys_of(self, connection: Connection, sealed: Sequence[SealedEvent]) -> Keys:
        """From the rows of this snapshot: one in memory may be destroyed by now."""
        holder_ids = list(holders_of(sealed))
        found = rows(connection, _log_sql.select_holder_keys, {"holder_ids": holder_ids})
        return self._keys.unwrap(wrapped_keys_in(found))


_CORRECTED = "permit.identity-corrected."
