"""What data-protection law asks for a holder, told to every permit that the holder ever had."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from domain import data_protection
from domain.data_protection import Order
from domain.permit import Permit
from domain.personal import ERASED

from .commands import Command, CommandRunner
from .errors import UnknownHolder
from .holder_keys import require
from .holders import Erase, HolderChange, HolderRecord
from .idempotency import Answer

Act = Callable[[Sequence[Permit]], Sequence[HolderChange]]


class HolderCommands(CommandRunner):
    """As coroutines; each is one append, for all permits of the holder or for none."""

    async def restrict(self, holder_id: str, order: Order, command: Command) -> Answer:
        """限制处理: kept, and not used any more.

        Raises:
            UnknownHolder
            InvalidDetails: by the domain.
        """

        def restrict(permits: Sequence[Permit]) -> Sequence[HolderChange]:
            data_protection.restrict(permits, order, command.context)
            return ()

        return await self._change_all(holder_id, command, restrict)

    async def lift_restriction(self, holder_id: str, order: Order, command: Command) -> Answer:
        """解除限制.

        Raises:
            UnknownHolder
            InvalidDetails, NotRestricted: by the domain.
        """

        def lift(permits: Sequence[Permit]) -> Sequence[HolderChange]:
            data_protection.lift_restriction(permits, order, command.context)
            return ()

        return await self._change_all(holder_id, command, lift)

    async def erase(
        self,
        holder_id: str,
        order: Order,
        approvals: Sequence[str],
        backups_hold_key_until: date,
        command: Command,
    ) -> Answer:
        """删除个人信息: with the event the key is gone, the portraits, and the way to find them.

        Erasing somebody again changes nothing, and is answered as the first time.

        Raises:
            UnknownHolder
            InvalidDetails, TwoOfficersRequired: by the domain.
        """

        async def attempt() -> Answer:
            record = await self._record(holder_id)
            permits = [await self.log.permit(number) for number in record.permit_numbers]
            key = require(await self.log.holder_keys([holder_id]), holder_id)
            data_protection.erase(
                permits,
                order,
                approvals,
                key="" if key is ERASED else key.commitment,
                backups_hold_key_until=backups_hold_key_until,
                context=command.context,
            )
            change = Erase(holder_id, record.citizen_index, len(permits))
            return await self._answer(permits, command, () if key is ERASED else [change])

        return await self._decide(command, attempt)

    async def _change_all(self, holder_id: str, command: Command, act: Act) -> Answer:
        async def attempt() -> Answer:
            record = await self._record(holder_id)
            permits = [await self.log.permit(number) for number in record.permit_numbers]
            return await self._answer(permits, command, act(permits))

        return await self._decide(command, attempt)

    async def _record(self, holder_id: str) -> HolderRecord:
        record = await self.log.holder(holder_id)
        if record is None:
            raise UnknownHolder
        return record

    async def _answer(
        self, permits: Sequence[Permit], command: Command, changes: Sequence[HolderChange]
    ) -> Answer:
        body = self._renderer.holder(permits) if self._renderer else b""
        return await self._write(permits, body, command, changes)
