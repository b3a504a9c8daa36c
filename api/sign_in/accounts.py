"""Whose token it is: the role by the claims' mapping, and a holder by the citizen number.

A citizen's account names its number in a claim that its provider has verified. The holder is found
by the number's blind index; of the number nothing else is kept. A registrar may correct a permit's
number later: then it is no longer that account's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from api.http.tokens import Principal

from .claims import Account, ClaimsMapping, NoRole

CONFIRMED_S = 60.0
"""For so long a holder that was looked up is taken to have the same number."""
CONFIRMED_MAX = 10_000
"""Holders that are remembered; beyond that, all are dropped."""


class FoundHolder(NamedTuple):
    """A holder, and the blind index of the number that has led there, in hex."""

    holder_id: str
    citizen_index: str


HolderOf = Callable[[str], Awaitable[FoundHolder | None]]
"""The holder with a citizen ID number; ``None`` where the register has none."""
HolderOfIndex = Callable[[bytes], Awaitable[str | None]]
"""The id of the holder with a blind index now."""


class Accounts:
    """Reads accounts from verified claims."""

    def __init__(self, mapping: ClaimsMapping, holder_of: HolderOf) -> None:
        self.mapping = mapping
        self._holder_of = holder_of

    async def of(self, claims: Mapping[str, Any]) -> Account:
        """
        Raises:
            NoRole: the account can't be used here, or its person holds no permit.
            BadToken: a claim is malformed.
            Unavailable
        """
        account = self.mapping.account(claims)
        if account.citizen_id_number is None:
            return account
        found = await self._holder_of(account.citizen_id_number)
        if found is None:
            raise NoRole("unknown_holder", "there is no permit for the account's citizen ID number")
        principal = replace(
            account.principal, subject=found.holder_id, citizen_index=found.citizen_index
        )
        return replace(account, principal=principal, citizen_id_number=None)

    async def principal(self, claims: Mapping[str, Any]) -> Principal:
        """:meth:`of` without what is for display only."""
        return (await self.of(claims)).principal


class HolderNumbers:
    """Whether the number that has led to a holder is still that holder's.

    Belongs to one event loop.
    """

    def __init__(self, holder_of_index: HolderOfIndex) -> None:
        self._holder_of_index = holder_of_index
        self._confirmed: dict[tuple[str, str], float] = {}

    async def is_current(self, caller: Principal, *, at_once: bool = False) -> bool:
        """Look the number up, ``at_once`` or where that was more than :data:`CONFIRMED_S` ago.

        Raises:
            Unavailable
        """
        if caller.citizen_index is None:
            return True
        key, now = (caller.subject, caller.citizen_index), time.monotonic()
        if not at_once and now - self._confirmed.get(key, -math.inf) < CONFIRMED_S:
            return True
        self._confirmed.pop(key, None)
        if await self._holder_of_index(bytes.fromhex(caller.citizen_index)) != caller.subject:
            return False
        if len(self._confirmed) >= CONFIRMED_MAX:
            self._confirmed.clear()
        self._confirmed[key] = now
        return True
