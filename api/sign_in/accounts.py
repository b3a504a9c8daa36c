"""Whose token it is: the role by the claims' mapping, and a holder by the citizen number.

A citizen's account names its number in a claim that its provider has verified. The holder is found
by the number's blind index; of the number nothing is kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from api.http.tokens import Principal

from .claims import Account, ClaimsMapping, NoRole

HolderOf = Callable[[str], Awaitable[str | None]]
"""The holder's id for a citizen ID number; ``None`` where the register has none."""


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
        holder_id = await self._holder_of(account.citizen_id_number)
        if holder_id is None:
            raise NoRole("unknown_holder", "there is no permit for the account's citizen ID number")
        principal = replace(account.principal, subject=holder_id)
        return replace(account, principal=principal, citizen_id_number=None)

    async def principal(self, claims: Mapping[str, Any]) -> Principal:
        """:meth:`of` without what is for display only."""
        return (await self.of(claims)).principal
