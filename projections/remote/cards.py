"""Cards as the remote views have them, with their age."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from psycopg.rows import dict_row

from ledger.database.named_sql import Queries
from ledger.errors import Unavailable
from ledger.eventlog.reads import Pool, read_rows
from projections.queries.permits import PermitRow, seen_in

from .source import RemotePartition, RemoteState, is_fresh

_sql = Queries("projections", "sql/remote.sql")


@dataclass(frozen=True, slots=True)
class RemoteCard:
    """A card; ``seen.as_of_position`` is the newest event of the permit's partition.

    ``stale_s``: how many seconds ago the rows held all that the ledger had; ``None``: never yet.
    ``is_quarantined``: an event of this permit is bad, so its state is unknown.
    """

    seen: PermitRow
    stale_s: float | None
    is_quarantined: bool

    def is_fit(self, stale_s_max: float) -> bool:
        """Whether a check may be answered from this."""
        return not self.is_quarantined and is_fresh(self.stale_s, stale_s_max)


class RemoteCards:
    """Borrows a connection for each read; ``partition_of`` returns a permit's partition."""

    def __init__(self, pool: Pool, partition_of: Callable[[str], int]) -> None:
        self._pool = pool
        self._partition_of = partition_of

    async def card(self, permit_number: str) -> RemoteCard:
        """Read one card.

        Raises:
            Unavailable
        """
        asked = {"permit_number": permit_number, "partition": self._partition_of(permit_number)}
        rows = await read_rows(self._pool, _sql.card, asked, dict_row)
        if not rows:
            raise Unavailable("No worker has written these views yet.")
        row = rows[0]
        return RemoteCard(seen_in(row), row["stale_s"], row["is_quarantined"])

    async def state(self) -> RemoteState:
        """The partitions' states.

        Raises:
            Unavailable
        """
        rows = await read_rows(self._pool, _sql.partitions, {}, dict_row)
        quarantined = await read_rows(self._pool, _sql.quarantined, {}, dict_row)
        return RemoteState([RemotePartition(**row) for row in rows], quarantined[0]["permits"])
