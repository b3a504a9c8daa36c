"""Cards as a database far from the log has them, with how old that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from psycopg.rows import dict_row

from ledger.database.named_sql import Queries
from ledger.errors import Unavailable
from ledger.eventlog.reads import Pool, read_rows
from projections.queries.permits import PermitRow, seen_in

from .feed import RemotePartition, RemoteState, is_fresh

_sql = Queries("projections", "sql/feed.sql")


@dataclass(frozen=True, slots=True)
class RemoteCard:
    """``seen.as_of_position`` is the newest event that the permit's partition has.

    ``stale_s``: so many seconds ago the rows held all that the ledger had; ``None``: never yet.
    ``is_parked``: an event of this permit is bad, and nobody knows how it stands.
    """

    seen: PermitRow
    stale_s: float | None
    is_quarantined: bool

    def is_fit(self, stale_s_max: float) -> bool:
        """Whether anything may be said of the permit from this."""
        return not self.is_quarantined and is_fresh(self.stale_s, stale_s_max)


class RemoteCards:
    """Borrows a connection for each read; ``partition_of`` says where a permit's events lie."""

    def __init__(self, pool: Pool, partition_of: Callable[[str], int]) -> None:
        self._pool = pool
        self._partition_of = partition_of

    async def card(self, permit_number: str) -> RemoteCard:
        """
        Raises:
            Unavailable
        """
        asked = {"permit_number": permit_number, "partition": self._partition_of(permit_number)}
        rows = await read_rows(self._pool, _sql.card, asked, dict_row)
        if not rows:
            raise Unavailable("No worker has fed these views yet.")
        row = rows[0]
        return RemoteCard(seen_in(row), row["stale_s"], row["is_parked"])

    async def feed(self) -> RemoteState:
        """
        Raises:
            Unavailable
        """
        rows = await read_rows(self._pool, _sql.partitions, {}, dict_row)
        quarantined = await read_rows(self._pool, _sql.quarantined, {}, dict_row)
        return RemoteState([RemotePartition(**row) for row in rows], quarantined[0]["permits"])
