"""Writes to the log and reads from it: the library's recorder on our own tables.

An append is one transaction that first takes its positions from the head's single row and so keeps
every other append, of this process or another, waiting until it commits. That is what makes
positions contiguous and equal to commit order, and what keeps two appends from deadlocking.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast
from uuid import UUID

from eventsourcing.persistence import (
    ApplicationRecorder,
    Notification,
    StoredEvent,
    Subscription,
)
from psycopg import Cursor
from psycopg_pool import ConnectionPool

from .database import CHANNEL, Connection, translated_errors
from .errors import ConnectionLost, HolderTaken
from .follow import POSITION_MAX, notification
from .holders import Holder, HolderChange, Reindex, Release, Take
from .idempotency import Answer, PendingAnswer
from .named_sql import Queries
from .portraits import Portrait
from .subscription import LogSubscription

VERSION_MAX = 2**31 - 1
COPY_FROM_EVENTS = 64
"""From this many events on, COPY is faster than one INSERT from arrays."""

_sql = Queries("ledger", "sql/queries.sql")
_COLUMN_TYPES = ("int8", "text", "int4", "text", "bytea")


@dataclass(frozen=True, slots=True)
class Append:
    """What one command writes, all of it or nothing.

    ``events`` may be empty for a command that changed nothing but whose answer is to be kept.
    """

    events: Sequence[StoredEvent]
    holder_changes: Sequence[HolderChange] = ()
    answer: PendingAnswer | None = None
    portrait: Portrait | None = None


class LedgerRecorder(ApplicationRecorder):
    """Owns no connection: each call borrows one from the pool and gives it back."""

    def __init__(self, pool: ConnectionPool[Connection]) -> None:
        self._pool = pool

    # -- append --------------------------------------------------------------------------------

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """The library's way in; ``kwargs`` are the further fields of :class:`Append`."""
        kwargs.pop("tracking", None)
        return self.append([Append(stored_events, **kwargs)])

    def append(self, appends: Sequence[Append]) -> list[int]:
        """Write all of ``appends`` in one transaction; returns the position of every event.

        Raises:
            VersionTaken, KeyTaken, HolderTaken: nothing was written.
            Unavailable: nothing was written, as far as the database could still tell.
        """
        events = [event for append in appends for event in append.events]
        if not events and not any(append.answer for append in appends):
            return []
        try:
            return self._append(appends, events)
        except ConnectionLost:
            self._pool.check()
            if (settled := self._settle(appends, events)) is not None:
                return settled
            return self._append(appends, events)

    def _append(self, appends: Sequence[Append], events: Sequence[StoredEvent]) -> list[int]:
        with translated_errors(), self._pool.connection() as connection:
            with connection.transaction():
                positions = _write(connection, appends, events)
            if events:
                connection.execute(f"NOTIFY {CHANNEL}")
        return positions

    def _settle(self, appends: Sequence[Append], events: Sequence[StoredEvent]) -> list[int] | None:
        """The positions of an append whose answer was lost, or ``None`` if it never happened.

        Every event carries its request's correlation id, so equal bytes under equal versions are
        this append's own; without events, equal answers are.
        """
        streams = [str(event.originator_id) for event in events]
        versions = [event.originator_version for event in events]
        with translated_errors(), self._pool.connection() as connection, connection.transaction():
            connection.execute(_sql.settle_head)
            rows = connection.execute(_sql.stored_events, [streams, versions]).fetchall()
        if not events:
            return [] if all(self._is_kept(append.answer) for append in appends) else None
        found = [notification(row) for row in rows]
        same = [(f.originator_id, f.originator_version, f.state) for f in found] == [
            (e.originator_id, e.originator_version, e.state) for e in events
        ]
        return [recorded.id for recorded in found] if same else None

    def _is_kept(self, pending: PendingAnswer | None) -> bool:
        if pending is None:
            return True
        caller, key = pending.key.caller, pending.key.key
        fingerprint, kept = self.answers(caller, [key]).get(key, (b"", None))
        return kept is not None and (fingerprint, kept.body) == (
            pending.key.fingerprint,
            pending.body,
        )

    # -- read ----------------------------------------------------------------------------------

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        rows = self._rows(
            _sql.select_stream_desc if desc else _sql.select_stream,
            stream=str(originator_id),
            gt=0 if gt is None else gt,
            lte=VERSION_MAX if lte is None else lte,
            limit=limit,
        )
        return [StoredEvent(*cast("tuple[str, int, str, bytes]", row)) for row in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        first = 1 if start is None else start + (not inclusive_of_start)
        rows = self._rows(
            _sql.select_log_of_topics if topics else _sql.select_log,
            start=first,
            stop=POSITION_MAX if stop is None else stop,
            limit=limit,
            topics=list(topics),
        )
        return [notification(row) for row in rows]

    def max_notification_id(self) -> int | None:
        return self.head() or None

    def head(self) -> int:
        """The last position, 0 for an empty log."""
        return cast("int", self._rows(_sql.head)[0][0])

    def last_position(self, stream: str) -> int | None:
        """The position of the stream's last event."""
        rows = self._rows(_sql.last_position, stream=stream)
        return cast("int", rows[0][0]) if rows else None

    def answers(self, caller: str, keys: Sequence[str]) -> dict[str, tuple[bytes, Answer]]:
        """The answers kept under these keys, each with its request's fingerprint before it."""
        rows = self._rows(_sql.select_answers, caller=caller, keys=list(keys))
        typed = cast("list[tuple[str, bytes, bool, bytes, int | None, int | None]]", rows)
        return {
            key: (fingerprint, Answer(accepted, body, version, position, replayed=True))
            for key, fingerprint, accepted, body, version, position in typed
        }

    def holders(self, citizen_indexes: Iterable[bytes]) -> dict[bytes, Holder]:
        """Who is on record under these blind indexes."""
        rows = self._rows(_sql.select_holders, citizen_indexes=list(citizen_indexes))
        typed = cast("list[tuple[bytes, str, str | None]]", rows)
        return {index: Holder(holder_id, number) for index, holder_id, number in typed}

    def knows_holder(self, holder_id: str) -> bool:
        """Whether this holder was ever issued a permit."""
        return bool(self._rows(_sql.holder_exists, holder_id=holder_id))

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        return LogSubscription(self, cast("str", self._pool.conninfo), gt=gt, topics=topics)

    def _rows(self, query: str, **parameters: object) -> list[tuple[object, ...]]:
        """A read; once more on another connection where the first had died in the pool."""
        try:
            return self._read(query, parameters)
        except ConnectionLost:
            self._pool.check()
            return self._read(query, parameters)

    def _read(self, query: str, parameters: dict[str, object]) -> list[tuple[object, ...]]:
        with translated_errors(), self._pool.connection() as connection:
            return connection.execute(cast("Any", query), parameters).fetchall()


def _write(
    connection: Connection, appends: Sequence[Append], events: Sequence[StoredEvent]
) -> list[int]:
    row = connection.execute(_sql.advance_head, {"n": len(events)}).fetchone()
    head = cast("tuple[int]", row)[0]
    positions = list(range(head - len(events) + 1, head + 1))
    last = head - len(events)
    with connection.pipeline():
        takes = []
        for append in appends:
            last += len(append.events)
            for change in append.holder_changes:
                takes += _change_holder(connection, change)
            if append.portrait:
                digest, image = bytes.fromhex(append.portrait.digest), append.portrait.image
                connection.execute(_sql.insert_portrait, {"digest": digest, "image": image})
            if append.answer:
                _insert_answer(connection, append.answer, last if append.events else None)
    if any(take.rowcount == 0 for take in takes):
        raise HolderTaken
    _insert_events(connection, positions, events)
    return positions


def _insert_events(
    connection: Connection, positions: Sequence[int], events: Sequence[StoredEvent]
) -> None:
    rows = [
        (position, str(e.originator_id), e.originator_version, e.topic, e.state)
        for position, e in zip(positions, events, strict=True)
    ]
    if len(rows) >= COPY_FROM_EVENTS:
        with connection.cursor() as cursor, cursor.copy(_sql.copy_events) as copy:
            copy.set_types(_COLUMN_TYPES)
            for row in rows:
                copy.write_row(row)
    elif rows:
        connection.execute(_sql.insert_events, [list(column) for column in zip(*rows, strict=True)])


def _change_holder(connection: Connection, change: HolderChange) -> list[Cursor[object]]:
    """Send a change; the cursors of those that must have found a row."""
    match change:
        case Take():
            return [connection.execute(_sql.take_holder, asdict(change))]
        case Release():
            connection.execute(_sql.release_holder, asdict(change))
        case Reindex():
            connection.execute(_sql.merge_holder, asdict(change))
            connection.execute(_sql.reindex_holder, asdict(change))
    return []


def _insert_answer(connection: Connection, answer: PendingAnswer, position: int | None) -> None:
    connection.execute(
        _sql.insert_answer,
        {
            "caller": answer.key.caller,
            "key": answer.key.key,
            "fingerprint": answer.key.fingerprint,
            "accepted": answer.accepted,
            "body": answer.body,
            "version": answer.version,
            "position": answer.position if position is None else position,
        },
    )
