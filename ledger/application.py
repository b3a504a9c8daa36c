"""The ledger's application service: one method for each thing people ask of a permit.

A command loads the permit, lets it decide, and appends the event with everything that has to be
true in the same instant: the answer for retries, who holds what, the portrait.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from uuid import uuid4

from domain import permit_number
from domain.application import Application
from domain.device import Device, FaceMatch
from domain.errors import AlreadyHoldsPermit, NoPhysicalPermit
from domain.events import CancellationReason, CardPresented, ReplacementReason
from domain.permit import Permit
from domain.person import Residence

from .blind_index import BlindIndex
from .commands import CONNECTIONS_MAX, Command, CommandService, Renderer
from .errors import UnknownPermit
from .holders import HolderChange, Reindex, Release, Take
from .idempotency import Answer
from .portraits import Portrait


class PermitLedger(CommandService):
    """All commands; safe for use by many threads."""

    def __init__(
        self,
        database_url: str,
        *,
        blind_index: BlindIndex,
        renderer: Renderer | None = None,
        connections_max: int = CONNECTIONS_MAX,
        new_permit_number: Callable[[], str] = lambda: permit_number.draw(secrets.choice),
        new_holder_id: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        super().__init__(database_url, renderer=renderer, connections_max=connections_max)
        self.blind_index = blind_index
        self._new_permit_number = new_permit_number
        self._new_holder_id = new_holder_id

    # -- issue ---------------------------------------------------------------------------------

    def issue(
        self,
        application: Application,
        command: Command,
        portrait: Portrait | None = None,
    ) -> Answer:
        """办证. [P1-P5]

        Raises:
            Refused, Invalid: by the domain; AlreadyHoldsPermit by this ledger. [P2]
        """
        if portrait:
            identity = replace(application.identity, portrait=portrait.digest)
            application = replace(application, identity=identity)

        def attempt() -> Answer:
            permit = Permit.issue(
                self._new_permit_number(), self._new_holder_id(), application, command.context
            )
            index = self.blind_index.of(permit.identity.citizen_id_number)
            if holder := self.log.holders([index]).get(index):
                if holder.permit_number is not None:
                    raise AlreadyHoldsPermit
                permit = Permit.issue(permit.id, holder.holder_id, application, command.context)
            take = Take(index, permit.holder_id, permit.id)
            return self._append(permit, command, [take], portrait)

        return self._decide(command, attempt)

    # -- registrar -----------------------------------------------------------------------------

    def endorse(self, number: str, presented: CardPresented, command: Command) -> Answer:
        """签注. [P6-P11]"""
        return self._change(number, command, lambda p: p.endorse(presented, command.context))

    def report_loss(self, number: str, command: Command) -> Answer:
        """挂失. [P12, P13]"""
        return self._change(number, command, lambda p: p.report_loss(command.context))

    def lift_loss(self, number: str, command: Command) -> Answer:
        """解除挂失. [P14]"""
        return self._change(number, command, lambda p: p.lift_loss(command.context))

    def reissue(self, number: str, command: Command) -> Answer:
        """补领. [P15-P17]"""
        return self._change(number, command, lambda p: p.reissue(command.context))

    def replace(
        self,
        number: str,
        reason: ReplacementReason,
        command: Command,
        *,
        old_card_returned: bool,
    ) -> Answer:
        """换领. [P15, P16]"""
        return self._change(
            number,
            command,
            lambda p: p.replace(
                reason, old_card_returned=old_card_returned, context=command.context
            ),
        )

    def deliver_card(self, number: str, command: Command) -> Answer:
        """领证."""
        return self._change(number, command, lambda p: p.deliver_card(command.context))

    def change_address(
        self, number: str, residence: Residence, moved_on: date, command: Command
    ) -> Answer:
        """住址变更. [P25]"""
        return self._change(
            number, command, lambda p: p.change_address(residence, moved_on, command.context)
        )

    def correct_identity(
        self,
        number: str,
        command: Command,
        *,
        name: str | None = None,
        citizen_id_number: str | None = None,
        hukou_address: str | None = None,
    ) -> Answer:
        """身份信息更正. [P26]"""

        def correct(permit: Permit) -> Sequence[HolderChange]:
            before = permit.identity.citizen_id_number
            permit.correct_identity(
                name=name,
                citizen_id_number=citizen_id_number,
                hukou_address=hukou_address,
                context=command.context,
            )
            after = permit.identity.citizen_id_number
            if after == before:
                return []
            index = self.blind_index.of(after)
            other = self.log.holders([index]).get(index)
            if other and other.permit_number is not None:
                raise AlreadyHoldsPermit
            return [Reindex(permit.id, index)]

        return self._change(number, command, correct)

    def cancel(self, number: str, reason: CancellationReason, command: Command) -> Answer:
        """注销. [P23]"""

        def cancel(permit: Permit) -> Sequence[HolderChange]:
            permit.cancel(reason, command.context)
            return [Release(permit.id)]

        return self._change(number, command, cancel)

    def void(self, number: str, finding: str, command: Command) -> Answer:
        """Obtained by fraud. [P24]"""

        def void(permit: Permit) -> Sequence[HolderChange]:
            permit.void(finding, command.context)
            return [Release(permit.id)]

        return self._change(number, command, void)

    # -- holder --------------------------------------------------------------------------------

    def claim(
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

        Raises:
            UnknownPermit: the permit is another's.
            NoPhysicalPermit: there is no such permit, and this holder never had one.
        """

        def claim(permit: Permit) -> None:
            permit.claim(device, face_match, confirmed=confirmed, context=command.context)

        return self._change(number, command, claim, load=lambda: self._claimable(number, holder_id))

    def _claimable(self, number: str, holder_id: str) -> Permit:
        try:
            return self._own(number, holder_id)
        except UnknownPermit:
            if self.log.last_position(number) is None and not self.log.knows_holder(holder_id):
                raise NoPhysicalPermit from None
            raise

    def revoke_device(
        self, number: str, holder_id: str, thumbprint: str, command: Command
    ) -> Answer:
        """Take a phone's right to show the permit."""

        def revoke(permit: Permit) -> None:
            permit.revoke_device(thumbprint, command.context)

        return self._change(number, command, revoke, load=lambda: self._own(number, holder_id))

    def _own(self, number: str, holder_id: str) -> Permit:
        permit = self.permit(number)
        if permit.holder_id != holder_id:
            raise UnknownPermit
        return permit
