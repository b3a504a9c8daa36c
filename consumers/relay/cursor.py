"""What the database remembers of the relay: how far it was, and where the topics ended then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from psycopg.types.json import Jsonb

from consumers.contract.heartbeats import Heartbeat
from ledger.database.connections import Connection
from ledger.database.named_sql import Queries

LOCK = 0x6B61666B  # "kafk"

Ends = Mapping[str, Mapping[str, int]]
"""Topic → partition (a text, as JSON has it) → the offset behind the last record sent."""

_sql = Queries("consumers", "sql/relay.sql")


@dataclass(frozen=True, slots=True)
class Cursor:
    """``position`` is ``None`` where the topics are to be believed."""

    position: int | None
    ends: Ends


class RelayRow:
    """The row of ``ledger.relay``, on a connection that its user owns."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def try_to_lead(self) -> bool:
        """The lock goes with the connection."""
        return self._connection.execute(_sql.try_to_relay, [LOCK]).fetchone() == (True,)

    def read(self) -> Cursor:
        row = self._connection.execute(_sql.cursor).fetchone()
        return Cursor(*cast("tuple[int | None, Ends]", row))

    def head(self) -> int:
        """The log's last position."""
        return self.look().position

    def look(self) -> Heartbeat:
        """Where the log ends now."""
        row = self._connection.execute(_sql.look).fetchone()
        return Heartbeat(*cast("tuple[int, datetime]", row))

    def begin(self) -> None:
        self._connection.execute(_sql.begin)

    def begun(self, position: int, *, is_refused: bool = False) -> None:
        """``is_refused``: why it has stopped stands until something was sent."""
        given = {"position": position, "is_refused": is_refused}
        self._connection.execute(_sql.begun, given)

    def move(self, position: int, ends: Ends) -> None:
        self._connection.execute(_sql.move, {"position": position, "ends": Jsonb(ends)})

    def go_on(self) -> None:
        """Nothing is in the way any more."""
        self._connection.execute(_sql.go_on)

    def stop(self, reason: str) -> None:
        self._connection.execute(_sql.stop, {"reason": reason})

    def forget(self) -> bool:
        """Believe the topics from now on; ``False`` where the relay has not stopped."""
        return self._connection.execute(_sql.forget).fetchone() is not None

    def event_at(self, position: int) -> tuple[str, int, str, bytes] | None:
        """Stream, version, topic and state of the log's event there."""
        row = self._connection.execute(_sql.event_at, {"position": position}).fetchone()
        return cast("tuple[str, int, str, bytes] | None", row)
