"""The log of checks, read for one holder, for one verifier, or for an audit of one permit."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg.rows import args_row

from domain.personal import ERASED, Erased
from ledger.crypto.holder_keys import HolderKey, HolderKeys, Keys, WrappedKey
from ledger.database.named_sql import Queries
from ledger.errors import KeyUnusable, UnknownCheck, UnprovenCheck, UnreadableEvent
from ledger.eventlog.follow import POSITION_MAX
from ledger.eventlog.reads import Pool, read_rows

from .log import Check, CheckProofs, SealedCheck

CHECKS_MAX = 200
"""In one answer."""

_sql = Queries("ledger", "sql/checks.sql")


class _Row(NamedTuple):
    """A check and its holder's key."""

    position: int
    state: bytes
    holder_id: str
    kek_id: str | None
    wrapped: bytes | None
    has_key: bool = True

    @property
    def wrapped_key(self) -> WrappedKey:
        return WrappedKey(self.holder_id, self.kek_id, self.wrapped)


class CheckHistory:
    """Borrows a connection for each read."""

    def __init__(self, pool: Pool, keys: HolderKeys, proofs: CheckProofs) -> None:
        self._pool = pool
        self._keys = keys
        self._proofs = proofs

    async def of_holder(
        self, holder_id: str, before: int, limit: int
    ) -> list[tuple[int, Check | None]]:
        """Checks of any of the holder's permits with their positions, the newest first; ``None``
        for one that can't be read.

        Raises:
            Unavailable
            KeyUnusable: the holder's key can't be unwrapped.
        """
        rows, key = await self._rows(
            _sql.checks_of_holder, holder_id=holder_id, before=before, limit=min(limit, CHECKS_MAX)
        )
        return [(row.position, _opened_with(key, row.position, row.state)) for row in rows]

    async def proven(self, check_id: UUID, holder_id: str) -> Check:
        """A check of one of this holder's permits, if the service made its record.

        Raises:
            UnknownCheck: there is none.
            UnprovenCheck: it carries no proof of the service's.
            Unavailable, KeyUnusable: as :meth:`of_holder`.
            UnreadableEvent: it can't be read.
        """
        rows, key = await self._rows(_sql.check_of_holder, check_id=check_id, holder_id=holder_id)
        if not rows:
            raise UnknownCheck
        [row] = rows
        if not self._proofs.covers(row.state):
            raise UnprovenCheck
        return SealedCheck(row.position, row.state).open(key)

    async def of_permit(
        self, permit_number: str, holder_id: str, before: int, limit: int
    ) -> list[tuple[int, Check | None]]:
        """Checks of one permit with their positions, the newest first; ``None`` for one that can't
        be opened.

        Raises:
            Unavailable
        """
        rows = await read_rows(
            self._pool,
            _sql.checks_of_permit,
            {
                "permit_number": permit_number,
                "holder_id": holder_id,
                "before": before,
                "limit": min(limit, CHECKS_MAX),
            },
            args_row(_Row),
        )
        keys: Keys = {}
        if rows and rows[0].has_key:
            with suppress(KeyUnusable):
                keys = await self._keys.unwrap_async([rows[0].wrapped_key])
        key = keys.get(holder_id)
        return [(row.position, _opened_with(key, row.position, row.state)) for row in rows]

    async def of_verifier(
        self, verifier_index: bytes, since: datetime, before: int | None, limit: int
    ) -> list[tuple[int, Check | None]]:
        """Checks by one account from an instant on, with their positions, the newest first; what
        was disclosed of a holder reads ``ERASED``, and ``None`` is a check that can't be read.

        Raises:
            Unavailable
        """
        rows = await read_rows(
            self._pool,
            _sql.checks_of_verifier,
            {
                "verifier_index": verifier_index,
                "since": since,
                "is_first": before is None,
                "before": POSITION_MAX if before is None else before,
                "limit": min(limit, CHECKS_MAX),
            },
            args_row(_Row),
        )
        return [(row.position, _opened_with(ERASED, row.position, row.state)) for row in rows]

    async def _rows(
        self, query: str, **parameters: object
    ) -> tuple[list[_Row], HolderKey | Erased]:
        """A holder's checks, and the key of the holder."""
        rows = await read_rows(self._pool, query, parameters, args_row(_Row))
        if not rows:
            return [], ERASED
        wrapped = rows[0].wrapped_key
        return rows, (await self._keys.unwrap_async([wrapped]))[wrapped.holder_id]


def _opened_with(key: HolderKey | Erased | None, position: int, state: bytes) -> Check | None:
    sealed = SealedCheck(position, state)
    if key is None and sealed.is_closed:
        return None
    try:
        return sealed.open(key or ERASED)
    except UnreadableEvent:
        return None
