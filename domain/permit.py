"""The permit (居住证): one right, two tracks, and the commands that may change it.

Each command decides first, under the rules named beside it, and then triggers at most one event.
A command whose effect is already there triggers nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from eventsourcing.domain import BaseAggregate
from eventsourcing.utils import register_topic

from . import text
from .aggregate import ActsOfDay
from .application import Application
from .calendar import Term
from .card import Card, loss_problems
from .context import CommandContext
from .device import Device, FaceMatch
from .endorsement import endorsement, is_endorsed_for
from .errors import (
    FaceMatchRequired,
    FieldProblem,
    HolderIsRestricted,
    InvalidDetails,
    NotConfirmed,
    NotReportedLost,
    OldCardNotReturned,
    OtherDistrict,
    PermitEnded,
    ReissueFirst,
    TooManyDevices,
    TooManyDevicesToday,
    UnknownDevice,
    require_valid,
)
from .events import (
    AddressChanged,
    CancellationReason,
    CardDelivered,
    CardPresented,
    CardReissued,
    CardReplaced,
    CardReportedLost,
    DeviceBound,
    DeviceRevoked,
    ElectronicPermitClaimed,
    End,
    IdentityCorrected,
    LossLifted,
    PermitCancelled,
    PermitEndorsed,
    PermitEvent,
    PermitIssued,
    PermitVoided,
    ReplacementReason,
)
from .person import (
    Erasure,
    ErasureRequest,
    Identity,
    Residence,
    correction_problems,
    is_on_card,
)
from .personal import ERASED, Erased
from .policy import Ending, Policy

FINDING_LENGTH_MAX = 2000


class Permit(BaseAggregate[str]):
    """The aggregate; its id is the permit number. Its state is facts only; what follows from them
    on a date is in :mod:`domain.standing`."""

    TOPIC = "permit"

    def __init__(
        self,
        *,
        holder_id: str,
        identity: Identity | Erased,
        residence: Residence,
        station: str | None,
        anchor: date,
        years: int,
        card_serial: int,
        card_due_on: date,
    ) -> None:
        """The state after :class:`PermitIssued`, from the event's own fields."""
        self.holder_id = holder_id
        self.identity = identity
        self.residence = residence
        self.homes: tuple[tuple[date, str], ...] = ((anchor, residence.division),)
        """The divisions of residence, each with the day on which it was recorded."""
        self.issuing_authority = station
        self.issued_on = anchor
        self.term = Term(anchor, years)
        self.endorsements = years - 1
        self.endorsed_on: date | None = None
        self.card = Card(card_serial, card_due_on)
        self.claimed = False
        self.devices: dict[str, datetime] = {}
        """The phones that show it, by their keys' thumbprints: since when."""
        self.bound_on: date | None = None
        """The day of the last binding, and how many bindings that day has seen."""
        self.bound_that_day = 0
        self.end: End | None = None
        self.restricted = False
        self.erasure: Erasure | None = None
        self.erasure_request: ErasureRequest | None = None
        self.acts = ActsOfDay()

    # -- issue ---------------------------------------------------------------------------------

    @classmethod
    def issue(
        cls, permit_number: str, holder_id: str, application: Application, context: CommandContext
    ) -> Permit:
        """办证 [N2, N9]: P1, P3, P4, P5.

        Raises:
            InvalidDetails: fields that can't be true, all of them.
            NotEligible: naming every missing thing, a guardian included.
            GuardianRequired: when nothing but the guardian is missing.
        """
        application = application.normalised()
        application.require_valid(context)
        registered_on, ground = application.require_eligible(context.policy)
        issued = PermitIssued(  # type: ignore[call-arg,misc]  # a dataclass by its metaclass
            originator_id=permit_number,
            originator_version=cls.INITIAL_VERSION,
            originator_topic=cls.TOPIC,
            holder_id=holder_id,
            identity=application.identity,
            residence=application.residence,
            residence_registered_on=registered_on,
            ground=ground,
            guardian=application.guardian,
            anchor=application.issued_on,
            years=application.years,
            card_serial=application.card_serial,
            card_due_on=application.issued_on + timedelta(days=context.policy.card_due_days),
            fee_yuan=context.policy.fees.first_issue,
            taken_over_from=application.taken_over_from,
            **context.stamp,
        )
        permit = issued.mutate(None)
        permit.pending_events.append(issued)
        return permit

    # -- endorse -------------------------------------------------------------------------------

    def endorse(self, presented: CardPresented, context: CommandContext) -> None:
        """签注 [N10, J]: P6-P11, one event for both tracks.

        Raises:
            PermitEnded, ReissueFirst, TooEarlyToEndorse
        """
        self._require_open()
        if self.card.is_lost:
            raise ReissueFirst
        if presented is CardPresented.REISSUE_RECEIPT and self.card.serial == 1:
            raise ReissueFirst("No reissue is on record whose receipt could stand for the card.")
        today = context.today
        if is_endorsed_for(self.term, self.endorsed_on, today, context.policy):
            return
        kind, term = endorsement(self.term, today, context.policy)
        self._record(
            context,
            PermitEndorsed,
            endorsed_on=today,
            card_presented=presented,
            kind=kind,
            anchor=term.anchor,
            years=term.years,
            fee_yuan=context.policy.fees.endorsement,
        )

    # -- lose, find, reissue, replace ----------------------------------------------------------

    def report_loss(self, context: CommandContext, lost_on: date | None = None) -> None:
        """挂失 [W5]: P12, P13. ``lost_on``: since when it is missing, if known."""
        self._require_open()
        require_valid(*loss_problems(lost_on, self.issued_on, context.today))
        if self.card.is_lost:
            return
        self._record(
            context,
            CardReportedLost,
            reported_on=context.today,
            card_serial=self.card.serial,
            lost_on=lost_on,
        )

    def lift_loss(self, context: CommandContext) -> None:
        """解除挂失: P14. After a reissue there is no loss to lift: the old serial stays dead.

        Raises:
            PermitEnded, NotReportedLost
        """
        self._require_open()
        if not self.card.is_lost:
            raise NotReportedLost
        self._record(context, LossLifted, lifted_on=context.today, card_serial=self.card.serial)

    def reissue(self, context: CommandContext) -> None:
        """补领 [W5]: P15-P17. The anchor does not move.

        Raises:
            PermitEnded, NotReportedLost
        """
        self._require_open()
        if not self.card.is_lost:
            raise NotReportedLost
        self._record(
            context,
            CardReissued,
            card_serial=self.card.serial + 1,
            card_due_on=context.today + timedelta(days=context.policy.card_due_days),
            fee_yuan=context.policy.fees.reissue,
        )

    def replace(
        self, reason: ReplacementReason, *, old_card_returned: bool, context: CommandContext
    ) -> None:
        """换领: P15, P16. A card that is lost is reissued, not replaced.

        Raises:
            PermitEnded, ReissueFirst, OldCardNotReturned
        """
        self._require_open()
        if self.card.is_lost:
            raise ReissueFirst("The card is reported lost: a lost card is reissued, not replaced.")
        if reason is ReplacementReason.DAMAGED and not old_card_returned:
            raise OldCardNotReturned
        fees = context.policy.fees
        by_office = reason is ReplacementReason.OFFICE_ERROR
        self._record(
            context,
            CardReplaced,
            card_serial=self.card.serial + 1,
            reason=reason,
            old_card_returned=old_card_returned,
            card_due_on=context.today + timedelta(days=context.policy.card_due_days),
            fee_yuan=fees.office_error if by_office else fees.replacement,
        )

    def deliver_card(self, context: CommandContext) -> None:
        """领证: the holder has collected the current card."""
        self._require_open()
        if self.card.delivered_on is not None:
            return
        self._record(
            context, CardDelivered, card_serial=self.card.serial, delivered_on=context.today
        )

    # -- electronic ----------------------------------------------------------------------------

    def claim(
        self,
        device: Device,
        face_match: FaceMatch | None,
        *,
        confirmed: bool,
        context: CommandContext,
    ) -> None:
        """申领电子居住证 [W2]: P18, P19. Allowed while the card is lost.

        The first device claims, a second one is bound, the same one again changes nothing.

        Raises:
            PermitEnded, FaceMatchRequired, NotConfirmed, TooManyDevices, TooManyDevicesToday
        """
        self._require_open()
        if face_match is None or not face_match.matched:
            raise FaceMatchRequired
        if not confirmed:
            raise NotConfirmed
        if device.thumbprint in self.devices:
            return
        if len(self.devices) >= context.policy.devices_max:
            raise TooManyDevices
        bound_today = self.bound_that_day if self.bound_on == context.today else 0
        if bound_today >= context.policy.devices_bound_per_day_max:
            raise TooManyDevicesToday
        self._record(
            context,
            DeviceBound if self.claimed else ElectronicPermitClaimed,
            device=device,
            face_match=face_match,
        )

    def revoke_device(self, thumbprint: str, context: CommandContext) -> None:
        """Take a phone's right to show the permit; the claim itself stays.

        Raises:
            PermitEnded, UnknownDevice
        """
        self._require_open()
        if thumbprint not in self.devices:
            raise UnknownDevice
        # Without the day's limit, which bounds the bindings: a stolen phone is revoked in any case.
        self.trigger_event(DeviceRevoked, thumbprint=thumbprint, **context.stamp)

    # -- change --------------------------------------------------------------------------------

    def change_address(self, residence: Residence, moved_on: date, context: CommandContext) -> None:
        """住址变更: P25. A late report is a warning on the event, never a refusal.

        Raises:
            PermitEnded, InvalidDetails
        """
        self._require_open()
        residence = residence.normalised()
        problems = list(residence.problems(context.policy))
        if moved_on > context.today:
            problems.append(FieldProblem("moved_on", "must not be in the future"))
        require_valid(*problems)
        if residence == self.residence:
            return
        report_by = moved_on + timedelta(days=context.policy.address_report_days)
        self._record(
            context,
            AddressChanged,
            residence=residence,
            moved_on=moved_on,
            reported_late=context.today > report_by,
        )

    def correct_identity(
        self,
        *,
        name: str | None = None,
        citizen_id_number: str | None = None,
        sex: str | None = None,
        birth_date: date | None = None,
        hukou_address: str | None = None,
        context: CommandContext,
    ) -> None:
        """身份信息更正: P26. ``None`` leaves a field; equal values are left out of the event.

        A number that replaces one assigned in error comes with its own birth date or sex, so the
        corrected person has to agree as a whole. [P4]

        Raises:
            PermitEnded, InvalidDetails
        """
        self._require_open()
        given = {
            "name": name,
            "citizen_id_number": citizen_id_number,
            "sex": sex,
            "birth_date": birth_date,
            "hukou_address": hukou_address,
        }
        current = self.person
        wanted: dict[str, Any] = {
            field: value for field, value in given.items() if value is not None
        }
        corrected = replace(current, **wanted).normalised()
        changed = {
            field: getattr(corrected, field)
            for field in wanted
            if getattr(corrected, field) != getattr(current, field)
        }
        require_valid(*correction_problems(corrected, changed, self.issued_on, context))
        if changed:
            corrections = {field: changed.get(field) for field in given}
            self._record(
                context, IdentityCorrected, **corrections, outdates_card=is_on_card(changed)
            )

    # -- end -----------------------------------------------------------------------------------

    def cancel(self, reason: CancellationReason, context: CommandContext) -> None:
        """注销: P23. Both tracks end at once; a holder who returns gets a new permit.

        Raises:
            PermitEnded, OtherDistrict
        """
        self._require_open()
        self._require_own_district(Ending(reason), context)
        self._record(context, PermitCancelled, reason=reason)

    def void(self, finding: str, context: CommandContext) -> None:
        """Obtained by fraud [N18]: P24.

        Raises:
            PermitEnded, OtherDistrict, InvalidDetails
        """
        self._require_open()
        self._require_own_district(Ending.VOIDED, context)
        finding = text.line(finding.strip())
        reason = text.unseen(finding)
        if not 1 <= len(finding) <= FINDING_LENGTH_MAX:
            reason = f"a finding has 1 to {FINDING_LENGTH_MAX} characters"
        if reason:
            raise InvalidDetails([FieldProblem("finding", reason)])
        self._record(context, PermitVoided, finding=finding)

    def _require_own_district(self, ending: Ending, context: CommandContext) -> None:
        """An end that needs no visit of the holder is recorded where the holder lives."""
        policy = context.policy
        if ending not in policy.endings_in_own_district:
            return
        if policy.district_of(context.station) != self.settled_district(policy, context.today):
            raise OtherDistrict

    def settled_district(self, policy: Policy, today: date) -> str:
        """The district where the holder has lived for some time, by what is on record.

        A move counts once it has been on record for ``move_settles_days``: an officer who records
        one first doesn't make the permit's end an affair of the own district. A residence outside
        the city has no station here: then the district that issued the permit counts.
        """
        settled_by = today - timedelta(days=policy.move_settles_days)
        first, *moves = self.homes
        division = [first, *(home for home in moves if home[0] <= settled_by)][-1][1]
        own = policy.retired_divisions.get(division, division)
        if own not in policy.divisions:
            own = policy.district_of(self.issuing_authority) or own
        return own

    @property
    def erased(self) -> bool:
        return self.erasure is not None

    @property
    def person(self) -> Identity:
        """The holder.

        Raises:
            PermitEnded: the holder is erased, which ended the permit.
        """
        if self.identity is ERASED:
            raise PermitEnded
        return self.identity

    def _record(
        self, context: CommandContext, event_class: type[PermitEvent], **facts: Any
    ) -> None:
        """
        Raises:
            TooManyToday: this account has added as many events today as the policy allows.
        """
        self.acts.require_another(context)
        self.trigger_event(event_class, **facts, **context.stamp)

    def _require_open(self) -> None:
        """P11, for every command; a restricted holder's details are not used."""
        if self.end is not None:
            raise PermitEnded
        if self.restricted:
            raise HolderIsRestricted


register_topic(Permit.TOPIC, Permit)
