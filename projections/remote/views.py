"""Folds events from a topic into the views, with each partition's position.

The rows and the code are the same as for the log. But a topic is not guarded as the log is: a
record may be another producer's, arrive twice, or contradict what is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eventsourcing.persistence import Notification

from domain.events import PermitEvent
from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.database.rows import rows as query_rows
from projections.projector.pages import Describe, Page, Unreadable
from projections.projector.quarantine import FailedEvent, log_quarantined, put_in_quarantine
from projections.projector.writing import ROW_ERRORS, ViewWriter
from projections.views.view import View

from .source import Locked, lock

BAD_RECORDS_KEPT_MAX = 1_000
"""Of each partition; more are only counted."""

_sql = Queries("projections", "sql/remote.sql")


@dataclass(frozen=True, slots=True)
class RemoteEvent:
    """An event to be folded; :class:`Unreadable` where the record claims to be this permit's next
    event and cannot be read."""

    stored: Notification
    event: PermitEvent | Unreadable
    recorded_at: datetime | None


@dataclass(frozen=True, slots=True)
class RemoteRecord:
    """A record of a partition. ``bad`` says what is wrong with it; without ``event`` it belongs to
    no permit and is only kept on record."""

    partition: int
    offset: int
    event: RemoteEvent | None = None
    bad: str | None = None
    value_bytes: int = 0


class RemoteViewWriter:
    """Writes batches of records into the views of one database; keeps no state."""

    def __init__(self, views: Sequence[View[Any]], describe: Describe) -> None:
        self._writer = ViewWriter(views, describe)

    def apply(
        self, connection: Connection, epochs: Mapping[int, int], batch: Sequence[RemoteRecord]
    ) -> None:
        """Write rows, quarantine, bad records and positions, or nothing.

        Args:
            epochs: those of the batch's partitions, as they were claimed.
            batch: records, of each partition in order.

        Raises:
            Fenced, QuarantineFull, Unavailable, psycopg.Error: nothing was written.
        """
        try:
            failed = self._apply(connection, epochs, batch, careful=False)
        except ROW_ERRORS:
            failed = self._apply(connection, epochs, batch, careful=True)
        log_quarantined(failed)

    def _apply(
        self,
        connection: Connection,
        epochs: Mapping[int, int],
        batch: Sequence[RemoteRecord],
        *,
        careful: bool,
    ) -> list[FailedEvent]:
        with connection.transaction():
            rows = lock(connection, epochs)
            fresh = [taken for taken in batch if taken.offset >= rows[taken.partition].next_offset]
            events = _new_events(connection, rows, fresh)
            failed = self._write(connection, [each.event for each in events if each.event], careful)
            put_in_quarantine(connection, failed)
            _keep_bad(connection, rows, fresh)
            _move(connection, rows, fresh, events, {one.permit_number for one in failed})
        return failed

    def _write(
        self, connection: Connection, events: Iterable[RemoteEvent], careful: bool
    ) -> list[FailedEvent]:
        events = list(events)
        if not events:
            return []
        page = Page([each.stored for each in events], [each.event for each in events], {})
        return self._writer.write(connection, page, careful=careful)


def _new_events(
    connection: Connection, rows: Mapping[int, Locked], batch: Sequence[RemoteRecord]
) -> list[RemoteRecord]:
    """The records whose events the rows do not hold yet.

    Positions grow within a partition. Where one does not, either the record was sent before, or the
    one before it claimed a position that was not its own: the permit's versions decide.
    """
    last = {partition: row.position for partition, row in rows.items()}
    old: list[RemoteRecord] = []
    new: list[RemoteRecord] = []
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


def _once(batch: Sequence[RemoteRecord], doubtful: set[tuple[int, int]]) -> list[RemoteRecord]:
    """Leave out events that the batch itself holds twice."""
    versions: dict[str, int] = {}
    kept: list[RemoteRecord] = []
    for taken in batch:
        stored = _stored(taken)
        number, version = str(stored.originator_id), stored.originator_version
        is_doubtful = (taken.partition, taken.offset) in doubtful
        if is_doubtful and version <= versions.get(number, 0):
            continue
        versions[number] = max(version, versions.get(number, 0))
        kept.append(taken)
    return kept


def _held(connection: Connection, batch: Iterable[RemoteRecord]) -> dict[str, int]:
    numbers = sorted({str(_stored(taken).originator_id) for taken in batch})
    held = query_rows(connection, _sql.held, [numbers])
    return {number: version for number, version in held}  # noqa: C416  typed so


def _keep_bad(
    connection: Connection, rows: Mapping[int, Locked], batch: Sequence[RemoteRecord]
) -> None:
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
    batch: Sequence[RemoteRecord],
    events: Sequence[RemoteRecord],
    quarantined: set[str],
) -> None:
    """Move the partitions; a record that quarantined its permit does not count for the position."""
    for partition, row in rows.items():
        mine = [taken for taken in batch if taken.partition == partition]
        if not mine:
            continue
        newest: RemoteEvent | None = None
        for taken in events:
            event = taken.event
            if event is None or taken.partition != partition:
                continue
            if str(event.stored.originator_id) in quarantined or event.stored.id < row.position:
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


def _stored(taken: RemoteRecord) -> Notification:
    assert taken.event is not None  # noqa: S101  for those that have one
    return taken.event.stored
