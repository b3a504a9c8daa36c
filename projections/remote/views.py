"""Folds events that come from a topic into the views, with each partition's position.

The same rows, folded by the same code as from the log. What differs is that nobody guards the topic
as the database guards the log: a record may be anybody's, come twice, or contradict what is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from eventsourcing.persistence import Notification

from domain.events import PermitEvent
from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from projections.projector.opening import Describe, Page, Unreadable
from projections.projector.quarantine import FailedEvent, park, tell
from projections.projector.writing import ONE_ROWS_FAULT, ViewWriter
from projections.views.view import View

from .feed import Locked, lock

BAD_RECORDS_KEPT_MAX = 1_000
"""Of each partition; more are counted and not kept one by one."""

_sql = Queries("projections", "sql/feed.sql")


@dataclass(frozen=True, slots=True)
class TakenEvent:
    """An event as it is to be folded: ``event`` is :class:`~.opening.Unreadable` where the record
    claims to be this permit's next event and can't be read."""

    stored: Notification
    event: PermitEvent | Unreadable
    recorded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Taken:
    """A record of a partition. ``bad`` says what is wrong with it; without ``event`` it is nobody's
    and only kept on record."""

    partition: int
    offset: int
    event: TakenEvent | None = None
    bad: str | None = None
    value_bytes: int = 0


class RemoteViewWriter:
    """Writes batches of records into the views of one database; owns nothing."""

    def __init__(self, views: Sequence[View[Any]], describe: Describe) -> None:
        self._writer = ViewWriter(views, describe)

    def apply(
        self, connection: Connection, epochs: Mapping[int, int], batch: Sequence[Taken]
    ) -> None:
        """Rows, quarantine, bad records and positions, or nothing. ``epochs`` are those of the
        partitions in the batch, as they were claimed; of each, records come in order.

        Raises:
            Fenced, QuarantineFull, Unavailable, psycopg.Error: nothing was written.
        """
        try:
            poison = self._apply(connection, epochs, batch, careful=False)
        except ONE_ROWS_FAULT:
            poison = self._apply(connection, epochs, batch, careful=True)
        tell(poison)

    def _apply(
        self,
        connection: Connection,
        epochs: Mapping[int, int],
        batch: Sequence[Taken],
        *,
        careful: bool,
    ) -> list[FailedEvent]:
        with connection.transaction():
            rows = lock(connection, epochs)
            fresh = [taken for taken in batch if taken.offset >= rows[taken.partition].next_offset]
            events = _new_events(connection, rows, fresh)
            poison = self._write(connection, [each.event for each in events if each.event], careful)
            park(connection, poison)
            _keep_bad(connection, rows, fresh)
            _move(connection, rows, fresh, events, {one.permit_number for one in poison})
        return poison

    def _write(
        self, connection: Connection, events: Iterable[TakenEvent], careful: bool
    ) -> list[FailedEvent]:
        events = list(events)
        if not events:
            return []
        page = Page([each.stored for each in events], [each.event for each in events], {})
        return self._writer.write(connection, page, careful=careful)


def _new_events(
    connection: Connection, rows: Mapping[int, Locked], batch: Sequence[Taken]
) -> list[Taken]:
    """Those that the rows do not hold yet.

    Positions grow within a partition. One that does not is a record that was sent before — or the
    one before it has claimed a position that it did not have: the permit's own versions decide.
    """
    last = {partition: row.position for partition, row in rows.items()}
    old: list[Taken] = []
    new: list[Taken] = []
    for taken in batch:
        if taken.event is None:
            continue
        if taken.event.stored.id > last[taken.partition]:
            last[taken.partition] = taken.event.stored.id
            new.append(taken)
        else:
            old.append(taken)
    if not old:
        return new
    held = _held(connection, old)
    unknown = {
        (taken.partition, taken.offset)
        for taken in old
        if _stored(taken).originator_version > held.get(str(_stored(taken).originator_id), 0)
    }
    given = {(taken.partition, taken.offset) for taken in new} | unknown
    return _once([taken for taken in batch if (taken.partition, taken.offset) in given], unknown)


def _once(batch: Sequence[Taken], doubtful: set[tuple[int, int]]) -> list[Taken]:
    """Without what a batch itself holds twice."""
    versions: dict[str, int] = {}
    kept: list[Taken] = []
    for taken in batch:
        stored = _stored(taken)
        number, version = str(stored.originator_id), stored.originator_version
        is_doubtful = (taken.partition, taken.offset) in doubtful
        if is_doubtful and version <= versions.get(number, 0):
            continue
        versions[number] = max(version, versions.get(number, 0))
        kept.append(taken)
    return kept


def _held(connection: Connection, batch: Iterable[Taken]) -> dict[str, int]:
    numbers = sorted({str(_stored(taken).originator_id) for taken in batch})
    rows = connection.execute(_sql.held, [numbers]).fetchall()
    return dict(cast("list[tuple[str, int]]", rows))


def _keep_bad(connection: Connection, rows: Mapping[int, Locked], batch: Sequence[Taken]) -> None:
    kept = {partition: row.bad_records for partition, row in rows.items()}
    for taken in batch:
        if taken.bad is None:
            continue
        kept[taken.partition] += 1
        if kept[taken.partition] <= BAD_RECORDS_KEPT_MAX:
            connection.execute(
                _sql.bad_record,
                {
                    "partition": taken.partition,
                    "offset": taken.offset,
                    "reason": taken.bad,
                    "permit_number": str(_stored(taken).originator_id) if taken.event else None,
                    "value_bytes": taken.value_bytes,
                },
            )


def _move(
    connection: Connection,
    rows: Mapping[int, Locked],
    batch: Sequence[Taken],
    events: Sequence[Taken],
    standing_still: set[str],
) -> None:
    """A record that stopped its permit does not say how far the others are."""
    for partition, row in rows.items():
        mine = [taken for taken in batch if taken.partition == partition]
        if not mine:
            continue
        newest: TakenEvent | None = None
        for taken in events:
            event = taken.event
            if event is None or taken.partition != partition:
                continue
            if str(event.stored.originator_id) in standing_still or event.stored.id < row.position:
                continue
            if newest is None or event.stored.id > newest.stored.id:
                newest = event
        connection.execute(
            _sql.move,
            {
                "partition": partition,
                "next_offset": mine[-1].offset + 1,
                "position": max(row.position, newest.stored.id if newest else 0),
                "recorded_at": newest.recorded_at if newest else None,
                "bad_records": sum(taken.bad is not None for taken in mine),
            },
        )


def _stored(taken: Taken) -> Notification:
    assert taken.event is not None  # noqa: S101  for those that have one
    return taken.event.stored
