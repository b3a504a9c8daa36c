"""Reads the views: one statement each, so that what it gives is of one instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from domain.calendar import Term
from domain.card import Card, CardStatus
from domain.events import End
from domain.standing import Facts
from ledger.async_reads import read_rows
from ledger.database import (
    POOL_WAIT_S,
    POOL_WAITING_MAX,
    bound_waiting,
    connection_options,
)
from ledger.named_sql import Queries

SEARCH_ROWS_MAX = 50

_sql = Queries("projections", "sql/permits.sql")

ReadPool = AsyncConnectionPool[AsyncConnection[DictRow]]


def read_pool(database_url: str, *, connections_max: int) -> ReadPool:
    """A pool for reads, not yet open."""
    return AsyncConnectionPool(
        database_url,
        kwargs={
            **connection_options(),
            "row_factory": dict_row,
        },
        min_size=1,
        max_size=connections_max,
        timeout=POOL_WAIT_S,
        max_waiting=POOL_WAITING_MAX,
        configure=bound_waiting,
        open=False,
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """A permit as the views have it at a position; ``None`` where they have none.

    ``face`` holds the row's columns (those of the track asked for), the portrait's bytes under
    ``portrait_image``.
    """

    as_of_position: int
    facts: Facts | None
    face: Mapping[str, Any]
    head: int | None = None


class PermitReader:
    """Borrows a connection for each read."""

    def __init__(self, pool: ReadPool) -> None:
        self._pool = pool

    async def permit(self, permit_number: str) -> Seen:
        return await self._one(_sql.permit, permit_number=permit_number)

    async def of_holder(self, holder_id: str) -> Seen:
        """The holder's open permit, else the last one."""
        return await self._one(_sql.permit_of_holder, holder_id=holder_id)

    async def physical(self, permit_number: str) -> Seen:
        """The physical view by itself."""
        return await self._one(_sql.physical, permit_number=permit_number)

    async def electronic(self, permit_number: str) -> Seen:
        """The electronic view by itself."""
        return await self._one(_sql.electronic, permit_number=permit_number)

    async def for_check(self, permit_number: str) -> Seen:
        """Both views, and the log's head at the same instant."""
        return await self._one(_sql.check, permit_number=permit_number)

    async def search(self, citizen_index: bytes) -> tuple[int, list[Facts]]:
        """The position, and a person's permits, the open one first."""
        rows = await self._rows(
            _sql.search, citizen_index=citizen_index.hex(), rows_max=SEARCH_ROWS_MAX
        )
        found = [_facts(row) for row in rows if row["permit_number"] is not None]
        return rows[0]["as_of_position"], found

    async def positions(self) -> tuple[int, int]:
        """How far the log is, and how far the views are."""
        row = (await self._rows(_sql.positions))[0]
        return row["log"], row["views"]

    async def _one(self, query: str, **parameters: object) -> Seen:
        row = (await self._rows(query, **parameters))[0]
        facts = None if row["permit_number"] is None else _facts(row)
        return Seen(row["as_of_position"], facts, row, row.get("head"))

    async def _rows(self, query: str, **parameters: object) -> list[DictRow]:
        return await read_rows(self._pool, query, parameters, dict_row)


def _facts(row: Mapping[str, Any]) -> Facts:
    """The facts in a row; a track by itself knows nothing of the other's and says the least."""
    return Facts(
        permit_number=row["permit_number"],
        holder_id=row["holder_id"],
        version=row["version"],
        term=Term(row["anchor"], row["years"]),
        endorsements=row["endorsements"],
        card=Card(
            serial=row["card_serial"],
            due_on=row.get("card_due_on", row["issued_on"]),
            status=CardStatus(row.get("card_status", CardStatus.ISSUED)),
            identity_stale=row.get("identity_stale", False),
            delivered_on=row.get("card_delivered_on"),
        ),
        claimed=row.get("claimed", False),
        devices=len(row.get("devices", ())),
        end=End(row["ended"]) if row["ended"] else None,
    )
