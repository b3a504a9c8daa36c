"""Who of several projectors leads: whoever holds a lock of the database's, as long as it lives.

Leading is for quiet, not for safety: that a page is applied once is the position's row lock. So a
follower who sees that the leader stands still steps in without asking.
"""

from __future__ import annotations

import time
from typing import cast

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries

LOCK = 0x76696577  # "view"
POLL_S = 0.25
STILL_S = 1.5
"""So long without a move, though there is something to do, and the leader is taken for dead."""

_sql = Queries("projections", "sql/position.sql")


def try_to_lead(connection: Connection) -> bool:
    """The lock goes with the connection, and with whoever it belongs to."""
    return connection.execute(_sql.try_to_lead, [LOCK]).fetchone() == (True,)


class StandStill:
    """Watches the views for a projector that does not lead."""

    def __init__(self) -> None:
        self._position = -1
        self._since_s = time.monotonic()

    def lasts(self, connection: Connection) -> bool:
        """Whether there are events that nobody has applied for a while."""
        position, head = cast("tuple[int, int]", connection.execute(_sql.progress).fetchone())
        if position != self._position or position >= head:
            self._position, self._since_s = position, time.monotonic()
        return time.monotonic() - self._since_s > STILL_S
