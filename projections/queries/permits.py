"""Reads permits from the views, each with one statement, so that a result is of one instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from domain.calendar import Term
from domain.card import Card, CardStatus
from domain.events import End
from domain.personal import ERASED
from domain.standing import Facts, PersonalData
from ledger.crypto.holder_keys import HolderKey, HolderKeys, WrappedKey
from ledger.crypto.portraits import SealedPortrait
from ledger.database.connections import async_pool
from ledger.database.named_sql import Queries
from ledger.errors import KeyUnusable, SealBroken
from ledger.eventlog.reads import GroupRead, read_rows
from projections.projector.quarantine import PermitQuarantined
from projections.views.face import Face, SealedFace

from .health import HealthSnapshot, read_vitals

SEARCH_ROWS_MAX = 50
DECOY = "nobody"
"""Has a key and is not a holder: holder ids are hexadecimal."""

_sql = Queries("projections", "sql/permits.sql")

ReadPool = AsyncConnectionPool[AsyncConnection[DictRow]]


def read_pool(database_url: str, *, connections_max: int) -> ReadPool:
    """A pool for reads, not yet open."""
    return async_pool(database_url, connections_max=connections_max, row_factory=dict_row)


@dataclass(frozen=True, slots=True)
class PermitRow:
    """A permit as the views have it at a position; ``facts`` is ``None`` where they have none.

    ``row`` holds the columns of the requested track; personal data in them is encrypted, and
    decrypted by :meth:`PermitReader.person` for callers who may see it. ``head`` is the log's head
    at the same instant.
    """

    as_of_position: int
    facts: Facts | None
    row: Mapping[str, Any]
    head: int = 0

    @property
    def is_fresh(self) -> bool:
        """Whether it includes all events of this permit that were committed before the read."""
        if self.as_of_position >= self.head:
            return True
        version = self.facts.version if self.facts else None
        return bool(version == self.row["last_version"])

    def as_of_head(self) -> PermitRow:
        """The same as of the log's head, which is true of a fresh permit."""
        return replace(self, as_of_position=max(self.as_of_position, self.head))


@dataclass(frozen=True, slots=True)
class FoundPermits:
    """A person's permits as the views have them at a position, the open one first."""

    as_of_position: int
    head: int
    permits: Sequence[Facts]


@dataclass(frozen=True, slots=True)
class Person:
    """The holder as the face shows them, with the portrait's bytes."""

    face: Face
    portrait: bytes | None


class PermitReader:
    """Borrows a connection for each read; whole permits that are wanted during one are read
    together in the next one."""

    def __init__(self, pool: ReadPool, keys: HolderKeys) -> None:
        self._pool = pool
        self._keys = keys
        self._decoy: WrappedKey | None = None
        self._permits = GroupRead(self._read_permits)

    async def permit(self, permit_number: str) -> PermitRow:
        row = await self._permits.get(permit_number)
        assert row is not None  # noqa: S101  there is a row for each that is asked for
        return seen_in(_not_quarantined(row))

    async def of_holder(self, holder_id: str) -> PermitRow:
        """The holder's open permit, else the last one."""
        return await self._one(_sql.permit_of_holder, holder_id=holder_id)

    async def physical(self, permit_number: str) -> PermitRow:
        """The physical view by itself."""
        return await self._one(_sql.physical, permit_number=permit_number)

    async def electronic(self, permit_number: str) -> PermitRow:
        """The electronic view by itself."""
        return await self._one(_sql.electronic, permit_number=permit_number)

    async def person(
        self, seen: PermitRow, view: str, key: HolderKey | None = None
    ) -> Person | None:
        """The holder of a permit that was read from ``view``; ``None`` where they are restricted or
        erased. ``key`` is the holder's, where it was unwrapped already.

        Raises:
            SealBroken, KeyUnusable: the face, the portrait or the key is not what it was.
            Unavailable: the key can't be unwrapped for the moment.
        """
        facts, row = seen.facts, seen.row
        if facts is None or facts.personal_data is not PersonalData.HELD:
            return None
        if not row["has_key"]:
            raise KeyUnusable(f"There is no key of holder {facts.holder_id}.")
        if key is None:
            wrapped = WrappedKey(facts.holder_id, row["kek_id"], row["wrapped"])
            found = (await self._keys.unwrap_async([wrapped]))[facts.holder_id]
            if found is ERASED:
                return None
            key = found
        if row["face"] is None:
            raise SealBroken("the face of a holder who is not erased is missing")
        face = SealedFace(row["face"]).open(key, view, facts.permit_number)
        return Person(face, _portrait(row, face, key))

    async def key_in(self, row: Mapping[str, Any]) -> HolderKey | None:
        """The key of the holder in a check's row, to encrypt with; ``None`` where there is no
        holder, or no longer one.

        Raises:
            KeyUnusable: the key is not what it was.
            Unavailable: it can't be unwrapped for the moment.
        """
        if row["key_of"] is None:
            return None
        wrapped = WrappedKey(row["key_of"], row["kek_id"], row["wrapped"])
        key = (await self._keys.unwrap_async([wrapped]))[wrapped.holder_id]
        return None if key is ERASED else key

    async def unwrap_decoy(self) -> None:
        """Take as long as unwrapping a holder's key, for a permit that has none."""
        if self._decoy is None:
            _, self._decoy = await self._keys.new_async(DECOY)
        try:
            await self._keys.unwrap_async([self._decoy])
        except KeyUnusable:  # its KEK was destroyed meanwhile
            self._decoy = None

    async def search(self, citizen_index: bytes) -> FoundPermits:
        """A person's permits."""
        rows = await self._rows(
            _sql.search, citizen_index=citizen_index.hex(), rows_max=SEARCH_ROWS_MAX
        )
        found = [
            facts_in(_not_quarantined(row)) for row in rows if row["permit_number"] is not None
        ]
        return FoundPermits(rows[0]["as_of_position"], rows[0]["head"], found)

    async def some_numbers(self, numbers_max: int) -> list[str]:
        """The numbers of a few open permits."""
        rows = await self._rows(_sql.some, rows_max=numbers_max)
        return [row["permit_number"] for row in rows]

    async def positions(self) -> tuple[int, int]:
        """The log's head and the views' position."""
        row = (await self._rows(_sql.positions))[0]
        return row["log"], row["views"]

    async def vitals(self) -> HealthSnapshot:
        """The state of log, views, quarantine and auditor."""
        return await read_vitals(self._pool)

    async def _read_permits(self, numbers: list[str]) -> Mapping[str, DictRow]:
        rows = await self._rows(_sql.permits, permit_numbers=numbers)
        return {row["wanted"]: row for row in rows}

    async def _one(self, query: str, **parameters: object) -> PermitRow:
        return seen_in(_not_quarantined((await self._rows(query, **parameters))[0]))

    async def _rows(self, query: str, **parameters: object) -> list[DictRow]:
        return await read_rows(self._pool, query, parameters, dict_row)


def _not_quarantined(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row, unless the permit is in quarantine, where it is incomplete.

    Raises:
        PermitQuarantined
    """
    if row["is_quarantined"]:
        raise PermitQuarantined
    return row


def seen_in(row: Mapping[str, Any]) -> PermitRow:
    """The permit in a row of the views."""
    facts = None if row["permit_number"] is None else facts_in(row)
    return PermitRow(row["as_of_position"], facts, row, row.get("head") or 0)


def _portrait(row: Mapping[str, Any], face: Face, key: HolderKey) -> bytes | None:
    if face.portrait is None:
        return None
    if row["portrait_image"] is None:
        raise SealBroken("the portrait that the event names is missing")
    sealed = SealedPortrait(row["permit_number"], row["portrait_version"], row["portrait_image"])
    return sealed.open(key, face.portrait)


def facts_in(row: Mapping[str, Any]) -> Facts:
    """The facts in a row; columns of the other track have their lowest values.

    Whether the holder is restricted or erased is taken from the ledger's own tables too, where they
    were read with the view: a view that is behind shows no personal data meanwhile.
    """
    is_key_destroyed = row.get("has_key", False) and row["wrapped"] is None
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
        personal_data=PersonalData.of(
            restricted=row["restricted"] or bool(row.get("kept_unused")),
            erased=row["erased"] or is_key_destroyed,
        ),
    )
