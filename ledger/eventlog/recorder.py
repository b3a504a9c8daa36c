"""Writes to the log and reads from it: the library's recorder on our own tables.

Every append takes its positions from the head's single row and keeps every other append, of this
process or another, waiting until it commits. That is what makes positions contiguous and equal to
commit order, and what keeps two appends from deadlocking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, cast
from uuid import UUID

from eventsourcing.persistence import (
    ApplicationRecorder,
    Notification,
    StoredEvent,
    Subscription,
)
from psycopg_pool import ConnectionPool

from ledger.crypto.holder_keys import WrappedKey, wrapped_keys_in
from ledger.database.connections import Connection, translated_errors
from ledger.database.named_sql import Queries
from ledger.errors import ConnectionLost, OutcomeUnknown, Unavailable

from .append import Append, positions
from .bulk_append import write_bulk
from .follow import POSITION_MAX, notification
from .group_commit import GroupCommit
from .idempotency import Answer
from .registry import Holder, HolderRecord
from .settlement import settle
from .subscription import LogSubscription
from .work import Rejected

VERSION_MAX = 2**31 - 1

_sql = Queries("ledger", "sql/queries.sql")


class LedgerRecorder(ApplicationRecorder):
    """Safe for use by many threads. Borrows a connection from the pool for each read."""

    def __init__(
        self,
        pool: ConnectionPool[Connection],
        commits: GroupCommit,
        *,
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        """``committed`` is called after what ``commits`` did not write itself."""
        self._pool = pool
        self._committed = committed
        self.commits = commits

    # -- append --------------------------------------------------------------------------------

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """The library's way in; ``kwargs`` are the further fields of :class:`Append`.

        Raises:
            VersionTaken, KeyTaken, HolderTaken, Unavailable: nothing was written.
            OutcomeUnknown: it may have been.
        """
        kwargs.pop("tracking", None)
        return self.append(Append(stored_events, **kwargs))

    def append(self, append: Append) -> list[int]:
        """Write what one command decided; returns the positions of its events."""
        return [] if append.is_empty else self.commits.append(append)

    def append_all(self, appends: Sequence[Append]) -> list[int]:
        """Write all of ``appends`` in one transaction, or nothing; returns every event's position.

        They may share a permit whose versions follow on each other; no key and no person.

        Raises:
            VersionTaken, KeyTaken, HolderTaken, Unavailable: nothing was written.
            OutcomeUnknown: it may have been.
        """
        if not (appends := [append for append in appends if not append.is_empty]):
            return []
        try:
            outcome = self._write_all(appends)
        except ConnectionLost:
            self._pool.check()
            try:
                if (stored := self._stored(appends)) is not None:
                    return stored
                outcome = self._write_all(appends)
            except Unavailable as error:
                raise OutcomeUnknown from error
        if not isinstance(outcome, int):
            raise outcome[min(outcome)]
        return list(chain.from_iterable(positions(outcome, appends)))

    def _write_all(self, appends: Sequence[Append]) -> int | Rejected:
        with translated_errors(), self._pool.connection() as connection:
            outcome = write_bulk(connection, appends)
        self._committed()
        return outcome

    def _stored(self, appends: Sequence[Append]) -> list[int] | None:
        with translated_errors(), self._pool.connection() as connection:
            found = [
                positions for positions in settle(connection, appends) if positions is not None
            ]
        return list(chain.from_iterable(found)) if len(found) == len(appends) else None

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
        return answers_in(self._rows(_sql.select_answers, caller=caller, keys=list(keys)))

    def holders(self, citizen_indexes: Iterable[bytes]) -> dict[bytes, Holder]:
        """Who is on record under these blind indexes."""
        return holders_in(self._rows(_sql.select_holders, citizen_indexes=list(citizen_indexes)))

    def knows_holder(self, holder_id: str) -> bool:
        """Whether this holder was ever issued a permit."""
        return bool(self._rows(_sql.holder_exists, holder_id=holder_id))

    def holder(self, holder_id: str) -> HolderRecord | None:
        """What is on record of a holder."""
        return holder_in(self._rows(_sql.select_holder, holder_id=holder_id))

    def holder_keys(self, holder_ids: Iterable[str]) -> list[WrappedKey]:
        """The keys of those who have or had one."""
        return wrapped_keys_in(self._rows(_sql.select_holder_keys, holder_ids=list(holder_ids)))

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


def answers_in(rows: Sequence[tuple[object, ...]]) -> dict[str, tuple[bytes, Answer]]:
    """Rows of ``select_answers``: under each key its request's fingerprint and the answer."""
    typed = cast("Sequence[tuple[str, bytes, bool, bytes, int | None, int | None]]", rows)
    return {
        key: (fingerprint, Answer(accepted, body, version, position, replayed=True))
        for key, fingerprint, accepted, body, version, position in typed
    }


def holders_in(rows: Sequence[tuple[object, ...]]) -> dict[bytes, Holder]:
    """Rows of ``select_holders``: under each blind index who it is."""
    typed = cast("Sequence[tuple[bytes, str, str | None, bool, bool]]", rows)
    return {
        index: Holder(holder_id, number, restricted, formerly)
        for index, holder_id, number, restricted, formerly in typed
    }


def holder_in(rows: Sequence[tuple[object, ...]]) -> HolderRecord | None:
    """The row of ``select_holder``, if there is one."""
    if not rows:
        return None
    [(holder_id, citizen_index, numbers)] = cast(
        "Sequence[tuple[str, bytes | None, list[str]]]", rows
    )
    return HolderRecord(holder_id, citizen_index, tuple(numbers))
