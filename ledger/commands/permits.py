"""The commands for permits, one method each.

A command loads the permit, lets it decide, and appends the event together with everything that must
commit with it: the idempotent response, the register of holders, the portrait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from domain import permit_number
from domain.application import Application
from domain.device import Device, FaceMatch
from domain.errors import AlreadyHoldsPermit, HolderIsRestricted, NoPhysicalPermit, NumberOnRecord
from domain.events import CancellationReason, CardPresented, ReplacementReason
from domain.permit import Permit
from domain.person import Residence
from ledger.codec.mapper import EventMapper
from ledger.crypto import randomness
from ledger.crypto.blind_index import BlindIndex
from ledger.crypto.portraits import Portrait
from ledger.errors import HolderTaken, UnknownPermit
from ledger.eventlog.idempotency import Answer
from ledger.eventlog.log import EventLog
from ledger.eventlog.registry import (
    ChangeCitizenNumber,
    Holder,
    HolderChange,
    ReleaseHolder,
)

from .runner import Command, CommandRunner, Renderer


class PermitCommands(CommandRunner):
    """Coroutines of one event loop, that of their log."""

    def __init__(
        self,
        log: EventLog,
        mapper: EventMapper,
        *,
        blind_index: BlindIndex,
        renderer: Renderer | None = None,
        new_permit_number: Callable[[], str] = lambda: permit_number.draw(randomness.source.bits),
        new_holder_id: Callable[[], str] = lambda: randomness.source.take(16).hex(),
    ) -> None:
        super().__init__(log, mapper, renderer=renderer, new_holder_id=new_holder_id)
        self.blind_index = blind_index
        self._new_permit_number = new_permit_number

    async def _change_permit(
        self,
        number: str,
        command: Command,
        act: Callable[[Permit], Sequence[HolderChange] | None],
        *,
        load: Callable[[], Awaitable[Permit]] | None = None,
    ) -> Answer:
        return await self._change(load or (lambda: self.permit(number)), command, act)

    async def permit(self, number: str) -> Permit:
        """The permit, folded from its events.

        Raises:
            UnknownPermit
        """
        permit = await self.log.load(number)
        if not isinstance(permit, Permit):
            raise UnknownPermit
        return permit

    # -- issue ---------------------------------------------------------------------------------

    async def issue(
        self,
        application: Application,
        command: Command,
        portrait: Portrait | None = None,
    ) -> Answer:
        """办证. [P1-P5]

        Raises:
            Refused, Invalid: by the domain; AlreadyHoldsPermit by this ledger. [P2]
            HolderIsRestricted: the holder had a permit before, and is restricted.
        """
        if portrait:
            identity = replace(application.identity, portrait=portrait.digest)
            application = replace(application, identity=identity)

        def begin(holder_id: str) -> Permit:
            number = self._new_permit_number()
            return Permit.issue(number, holder_id, application, command.context)

        return await self._begin(command, begin, self._citizen_index, portrait=portrait)

    def _require_may_begin(self, holder: Holder) -> None:
        if holder.permit_number is not None:
            raise already_holds(holder) from None

    # -- registrar -----------------------------------------------------------------------------

    async def endorse(self, number: str, presented: CardPresented, command: Command) -> Answer:
        """签注. [P6-P11]"""
        return await self._change_permit(
            number, command, lambda p: p.endorse(presented, command.context)
        )

    async def report_loss(
        self, number: str, command: Command, lost_on: date | None = None
    ) -> Answer:
        """挂失. [P12, P13]"""
        return await self._change_permit(
            number, command, lambda p: p.report_loss(command.context, lost_on)
        )

    async def lift_loss(self, number: str, command: Command) -> Answer:
        """解除挂失. [P14]"""
        return await self._change_permit(number, command, lambda p: p.lift_loss(command.context))

    async def reissue(self, number: str, command: Command) -> Answer:
        """补领. [P15-P17]"""
        return await self._change_permit(number, command, lambda p: p.reissue(command.context))

    async def replace(
        self,
        number: str,
        reason: ReplacementReason,
        command: Command,
        *,
        old_card_returned: bool,
    ) -> Answer:
        """换领. [P15, P16]"""
        return await self._change_permit(
            number,
            command,
            lambda p: p.replace(
                reason, old_card_returned=old_card_returned, context=command.context
            ),
        )

    async def deliver_card(self, number: str, command: Command) -> Answer:
        """领证."""
        return await self._change_permit(number, command, lambda p: p.deliver_card(command.context))

    async def change_address(
        self, number: str, residence: Residence, moved_on: date, command: Command
    ) -> Answer:
        """住址变更. [P25]"""
        return await self._change_permit(
            number, command, lambda p: p.change_address(residence, moved_on, command.context)
        )

    async def correct_identity(
        self,
        number: str,
        command: Command,
        *,
        name: str | None = None,
        citizen_id_number: str | None = None,
        sex: str | None = None,
        birth_date: date | None = None,
        hukou_address: str | None = None,
    ) -> Answer:
        """身份信息更正. [P26]

        Raises:
            AlreadyHoldsPermit: the number is that of another holder with a permit, or was.
            HolderIsRestricted: it is that of another holder, who is restricted, or was.
            NumberOnRecord: it is that of a holder whose permit has ended. Taking it over would
                leave that record behind, out of the reach of its measures.
        """

        def correct(permit: Permit) -> Sequence[HolderChange]:
            before = permit.person.citizen_id_number
            permit.correct_identity(
                name=name,
                citizen_id_number=citizen_id_number,
                sex=sex,
                birth_date=birth_date,
                hukou_address=hukou_address,
                context=command.context,
            )
            after = permit.person.citizen_id_number
            if after == before:
                return []
            of = self.blind_index.of
            return [ChangeCitizenNumber(of(before), permit.id, of(after))]

        return await self._change_permit(number, command, correct)

    async def _refusal_of(self, conflict: HolderTaken, aggregate: Any) -> Exception:
        """Return why a correction is refused: whose number it is."""
        index = self._citizen_index(aggregate)
        holder = (await self.log.holders([index])).get(index)
        if holder is None or holder.holder_id == aggregate.holder_id:
            return conflict  # it has changed since: decide again
        if holder.permit_number is not None:
            return already_holds(holder)
        refusal = HolderIsRestricted() if holder.restricted else NumberOnRecord()
        return refusal.telling_of(*await self._streams_of(holder))

    async def cancel(self, number: str, reason: CancellationReason, command: Command) -> Answer:
        """注销. [P23]"""

        def cancel(permit: Permit) -> Sequence[HolderChange]:
            permit.cancel(reason, command.context)
            return [ReleaseHolder(self._citizen_index(permit), permit.id)]

        return await self._change_permit(number, command, cancel)

    async def void(self, number: str, finding: str, command: Command) -> Answer:
        """Obtained by fraud. [P24]"""

        def void(permit: Permit) -> Sequence[HolderChange]:
            permit.void(finding, command.context)
            return [ReleaseHolder(self._citizen_index(permit), permit.id)]

        return await self._change_permit(number, command, void)

    def _citizen_index(self, permit: Permit) -> bytes:
        return self.blind_index.of(permit.person.citizen_id_number)

    # -- holder --------------------------------------------------------------------------------

    async def claim(
        self,
        number: str,
        holder_id: str,
        device: Device,
        face_match: FaceMatch | None,
        command: Command,
        *,
        confirmed: bool,
    ) -> Answer:
        """申领电子居住证. [P18, P19]

        Whether another holder's permit exists makes no difference to the answer.

        Raises:
            UnknownPermit: there is no such permit of this holder's.
            NoPhysicalPermit: nor did this holder ever have another one.
        """

        def claim(permit: Permit) -> None:
            permit.claim(device, face_match, confirmed=confirmed, context=command.context)

        return await self._change_permit(
            number, command, claim, load=lambda: self._claimable(number, holder_id)
        )

    async def _claimable(self, number: str, holder_id: str) -> Permit:
        try:
            return await self._own(number, holder_id)
        except UnknownPermit:
            if await self.log.knows_holder(holder_id):
                raise
            raise NoPhysicalPermit from None

    async def revoke_device(
        self, number: str, holder_id: str, thumbprint: str, command: Command
    ) -> Answer:
        """Revoke a phone's right to show the permit."""

        def revoke(permit: Permit) -> None:
            permit.revoke_device(thumbprint, command.context)

        return await self._change_permit(
            number, command, revoke, load=lambda: self._own(number, holder_id)
        )

    async def _own(self, number: str, holder_id: str) -> Permit:
        permit = await self.permit(number)
        if permit.holder_id != holder_id:
            raise UnknownPermit
        return permit


def already_holds(holder: Holder) -> AlreadyHoldsPermit:
    """The refusal of a second permit; its message explains a corrected number. [P2]"""
    detail = None
    if holder.formerly:
        detail = (
            "This number was corrected on a residence permit that is in force: its holder already"
            " has a permit, under the corrected number."
        )
    return AlreadyHoldsPermit(detail).telling_of(*filter(None, [holder.permit_number]))
