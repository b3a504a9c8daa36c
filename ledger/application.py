"""The ledger's application service: one method for each thing people ask of a permit.

A command loads the permit, lets it decide, and appends the event with everything that has to be
true in the same instant: the answer for retries, who holds what, the portrait.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol, cast
from uuid import uuid4

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import Mapper

from domain import permit_number
from domain.application import Application as PermitApplication
from domain.context import CommandContext
from domain.device import Device, FaceMatch
from domain.errors import AlreadyHoldsPermit, NoPhysicalPermit, Refused
from domain.events import CancellationReason, CardPresented, ReplacementReason
from domain.permit import Permit
from domain.person import Residence

from .blind_index import BlindIndex
from .errors import (
    Contended,
    HolderTaken,
    KeyReused,
    KeyTaken,
    StaleVersion,
    UnknownPermit,
    VersionTaken,
)
from .holders import HolderChange, Reindex, Release, Take
from .idempotency import Answer, IdempotencyKey, PendingAnswer
from .mapper import EventMapper, OrjsonTranscoder
from .portraits import Portrait
from .recorder import LedgerRecorder

ATTEMPTS_MAX = 8
"""How often a command decides anew after losing a race."""
CONNECTIONS_MAX = 8


class Renderer(Protocol):
    """Puts an outcome into the bytes that the caller gets, now and on every retry."""

    def permit(self, permit: Permit, context: CommandContext) -> bytes: ...

    def refusal(self, refusal: Refused) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Command:
    """What comes with every command besides its facts.

    ``expected_version`` is the version that the caller saw last, if it cares.
    """

    context: CommandContext
    key: IdempotencyKey | None = None
    expected_version: int | None = None


class PermitLedger(Application[str]):
    """All commands; safe for use by many threads."""

    name = "permits"

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
        super().__init__(
            {
                "PERSISTENCE_MODULE": "ledger.persistence:LedgerFactory",
                "DATABASE_URL": database_url,
                "DATABASE_CONNECTIONS_MAX": str(connections_max),
            }
        )
        self.blind_index = blind_index
        self._renderer = renderer
        self._new_permit_number = new_permit_number
        self._new_holder_id = new_holder_id

    def construct_transcoder(self) -> OrjsonTranscoder:
        return OrjsonTranscoder()

    def construct_mapper(self) -> Mapper[str]:
        return EventMapper(self.construct_transcoder())

    @property
    def log(self) -> LedgerRecorder:  # type: ignore[override]  # the library deprecated its own
        return cast("LedgerRecorder", self.recorder)

    # -- read ----------------------------------------------------------------------------------

    def permit(self, number: str) -> Permit:
        """The permit, folded from its events.

        Raises:
            UnknownPermit
        """
        try:
            return self.repository.get(number)
        except AggregateNotFoundError:
            raise UnknownPermit from None

    # -- issue ---------------------------------------------------------------------------------

    def issue(
        self,
        application: PermitApplication,
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
            self._require_own(permit, holder_id)
            permit.claim(device, face_match, confirmed=confirmed, context=command.context)

        try:
            return self._change(number, command, claim)
        except UnknownPermit:
            if self.log.last_position(number) is None and not self.log.knows_holder(holder_id):
                raise NoPhysicalPermit from None
            raise

    def revoke_device(
        self, number: str, holder_id: str, thumbprint: str, command: Command
    ) -> Answer:
        """Take a phone's right to show the permit."""

        def revoke(permit: Permit) -> None:
            self._require_own(permit, holder_id)
            permit.revoke_device(thumbprint, command.context)

        return self._change(number, command, revoke)

    @staticmethod
    def _require_own(permit: Permit, holder_id: str) -> None:
        if permit.holder_id != holder_id:
            raise UnknownPermit

    # -- how a command runs --------------------------------------------------------------------

    def _change(
        self,
        number: str,
        command: Command,
        act: Callable[[Permit], Sequence[HolderChange] | None],
    ) -> Answer:
        def attempt() -> Answer:
            permit = self.permit(number)
            if command.expected_version not in {None, permit.version}:
                raise StaleVersion
            return self._append(permit, command, act(permit) or ())

        return self._decide(command, attempt)

    def _decide(self, command: Command, attempt: Callable[[], Answer]) -> Answer:
        """Run ``attempt`` until it wins or loses for good; a known key is answered at once."""
        for _ in range(ATTEMPTS_MAX):
            if answer := self._kept_answer(command):
                return answer
            try:
                return attempt()
            except Refused as refusal:
                self._keep_refusal(refusal, command)
                raise
            except (VersionTaken, HolderTaken, KeyTaken):
                continue
        raise Contended

    def _kept_answer(self, command: Command) -> Answer | None:
        if command.key is None or (kept := self.log.answer(command.key)) is None:
            return None
        fingerprint, answer = kept
        if not secrets.compare_digest(fingerprint, command.key.fingerprint):
            raise KeyReused
        return answer

    def _append(
        self,
        permit: Permit,
        command: Command,
        holder_changes: Sequence[HolderChange],
        portrait: Portrait | None = None,
    ) -> Answer:
        body = self._renderer.permit(permit, command.context) if self._renderer else b""
        changed = bool(permit.pending_events)
        position = None if changed else self.log.last_position(permit.id)
        pending = command.key and PendingAnswer(
            command.key, accepted=True, body=body, version=permit.version, position=position
        )
        recordings = self.save(
            permit, holder_changes=holder_changes, answer=pending, portrait=portrait
        )
        if recordings:
            position = recordings[-1].notification.id
        return Answer(True, body, permit.version, position)

    def _keep_refusal(self, refusal: Refused, command: Command) -> None:
        """A refusal is an answer too: the same key gets it again, whatever has changed since."""
        if command.key is None:
            return
        body = self._renderer.refusal(refusal) if self._renderer else b""
        pending = PendingAnswer(command.key, accepted=False, body=body, version=None)
        try:
            self.save(answer=pending)
        except KeyTaken:
            return
