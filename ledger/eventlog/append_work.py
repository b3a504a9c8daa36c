"""The log of events, as the work of a group commit."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.database.connections import Connection

from .append import Append, positions, write
from .settlement import settle
from .work import Rejected

Positions = list[int]


class AppendWork:
    """Appends, each of which comes to the positions of its events."""

    def write(self, connection: Connection, items: Sequence[Append]) -> list[Positions] | Rejected:
        outcome = write(connection, items)
        return positions(outcome, items) if isinstance(outcome, int) else outcome

    def settle(self, connection: Connection, items: Sequence[Append]) -> list[Positions | None]:
        return settle(connection, items)
