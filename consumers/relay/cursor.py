"""The relay's row in the database: its position, and the topics' end offsets at that position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eventsourcing.persistence import StoredEvent
from psycopg.types.json import Jsonb

from consumers.contract.heartbeats import Heartbeat
from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.database.rows import rows

Ends = Mapping[str, Mapping[str, int]]
"""Topic → partition (as text, for JSON) → the offset after the last record sent."""

_sql = Queries("consumers", "sql/relay.sql")


@dataclass(frozen=True, slots=True)
class Cursor:
    """``position`` is ``None`` if the topics' tail is to be trusted."""

    position: int | None
    ends: Ends


class RelayRow:
    """The row of ``ledger.relay``, on the caller's connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self) -> Cursor:
        [row] = rows(self._connection, _sql.cursor)
        return Cursor(*row)

    def head(self) -> Heartbeat:
        """Return the log's head and the current instant."""
        [row] = rows(self._connection, _sql.head)
        return Heartbeat(*row)

    def begin(self) -> None:
        self._connection.execute(_sql.begin)

    def begun(self, position: int, *, is_refused: bool = False) -> None:
        """Set the position; ``is_refused`` keeps the reason of the stop until a record is sent."""
        given = {"position": position, "is_refused": is_refused}
        self._connection.execute(_sql.begun, given)

    def move(self, position: int, ends: Ends) -> None:
        self._connection.execute(_sql.move, {"position": position, "ends": Jsonb(ends)})

    def resume(self) -> None:
        """Clear the reason of the stop."""
        self._connection.execute(_sql.resume)

    def stop(self, reason: str) -> None:
        self._connection.execute(_sql.stop, {"reason": reason})

    def forget(self) -> bool:
        """Trust the topics from now on; return whether the relay had stopped."""
        return self._connection.execute(_sql.forget).fetchone() is not None

    def event_at(self, position: int) -> StoredEvent | None:
        """Return the log's event at a position."""
        found = rows(self._connection, _sql.event_at, {"position": position})
        return StoredEvent(*found[0]) if found else None
