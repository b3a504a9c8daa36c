"""The application (申领), from its acceptance to the collection of the card.

Each command decides first and then triggers one event. A stage is reached once: a command that
would repeat it is refused and names the current stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from eventsourcing.domain import BaseAggregate
from eventsourcing.utils import register_topic

from domain import text
from domain.aggregate import ActsOfDay
from domain.calendar import WorkdayCalendar, due_date
from domain.context import CommandContext
from domain.errors import FieldProblem, HolderIsRestricted, InvalidDetails
from domain.person import Erasure, ErasureRequest
from domain.personal import Erased

from .collection import CollectedBy, Collection
from .errors import OtherStation, WrongStage
from .events import (
    ApplicationAccepted,
    ApplicationApproved,
    ApplicationReturned,
    ApplicationWithdrawn,
    CardArrived,
    CardCollected,
    CardProduced,
    DueDateSet,
    SentToHukouPolice,
)
from .materials import Advice, Material, advice
from .people import Applicant
from .stages import COMES_FROM, Stage
from .submission import CollectionMethod, Submission, card_term_years

REASON_LENGTH_MAX = 500


class IdCardApplication(BaseAggregate[str]):
    """The aggregate; its id is the receipt number. State holds facts."""

    TOPIC = "id-card"

    def __init__(
        self,
        *,
        holder_id: str,
        identity: Applicant | Erased,
        hukou_province: str,
        station: str | None,
        materials: Sequence[Material],
        proofs_without_photo: Sequence[Material],
        collection: CollectionMethod,
        accepted_on: date,
        due_date: date,
        due_date_provisional: bool,
        card_term_years: int | None,
        fee_yuan: int,
    ) -> None:
        """The state after :class:`ApplicationAccepted`, from the event's own fields."""
        self.holder_id = holder_id
        self.identity = identity
        self.hukou_province = hukou_province
        self.accepted_by = station
        self.materials = materials
        self.proofs_without_photo = proofs_without_photo
        self.collection = collection
        self.accepted_on = accepted_on
        self.due_date = due_date
        self.due_date_provisional = due_date_provisional
        self.card_term_years = card_term_years
        self.fee_yuan = fee_yuan
        self.stage = Stage.ACCEPTED
        self.return_reason: str | Erased | None = None
        self.collected_by: CollectedBy | None = None
        self.restricted = False
        self.erasure: Erasure | None = None
        self.erasure_request: ErasureRequest | None = None
        self.acts = ActsOfDay()

    @classmethod
    def accept(
        cls,
        receipt_number: str,
        holder_id: str,
        submission: Submission,
        workdays: WorkdayCalendar,
        context: CommandContext,
    ) -> IdCardApplication:
        """受理: C1-C9, C12, C14.

        Raises:
            InvalidDetails, NotInterprovincial, NotFirst, NotAvailable, GuardianRequired,
            MaterialsMissing, CommitmentMissing: see :meth:`Submission.require_acceptable`.
        """
        submission = submission.normalised()
        submission.require_acceptable(context)
        rules, today = context.policy.id_cards, context.today
        due = due_date(today, rules.due_working_days, workdays)
        accepted = ApplicationAccepted(  # type: ignore[call-arg,misc]  # a dataclass by its metaclass
            originator_id=receipt_number,
            originator_version=cls.INITIAL_VERSION,
            originator_topic=cls.TOPIC,
            holder_id=holder_id,
            identity=submission.applicant,
            hukou_province=submission.hukou_province,
            guardian=submission.guardian,
            guardian_relation_registered=submission.guardian_relation_registered,
            materials=sorted(submission.materials),
            proofs_without_photo=sorted(submission.materials & submission.proofs_without_photo),
            collection=submission.collection,
            accepted_on=today,
            due_date=due.day,
            due_date_provisional=due.provisional,
            card_term_years=card_term_years(submission.applicant.birth_date, today),
            fee_yuan=rules.fee_yuan,
            **context.stamp,
        )
        application = accepted.mutate(None)
        application.pending_events.append(accepted)
        return application

    # -- stages --------------------------------------------------------------------------------

    def dispatch(self, context: CommandContext) -> None:
        """Send the papers to the police where the household is registered."""
        self._require_next(Stage.SENT_TO_HUKOU_POLICE, context)
        self.trigger_event(SentToHukouPolice, **context.stamp)

    def approve(self, context: CommandContext) -> None:
        self._require_next(Stage.APPROVED, context)
        self.trigger_event(ApplicationApproved, **context.stamp)

    def send_back(self, reason: str, context: CommandContext) -> None:
        """退回: the end of this application.

        Raises:
            InvalidDetails: no reason, or one that is too long.
        """
        reason = text.line(reason)
        if not 1 <= len(reason) <= REASON_LENGTH_MAX:
            problem = f"a reason has 1 to {REASON_LENGTH_MAX} characters"
            raise InvalidDetails([FieldProblem("reason", problem)])
        if unseen := text.unseen(reason):
            raise InvalidDetails([FieldProblem("reason", unseen)])
        self._require_next(Stage.RETURNED, context)
        self.trigger_event(ApplicationReturned, reason=reason, **context.stamp)

    def produce(self, context: CommandContext) -> None:
        self._require_next(Stage.PRODUCED, context)
        self.trigger_event(CardProduced, **context.stamp)

    def arrive(self, context: CommandContext) -> None:
        self._require_next(Stage.ARRIVED, context)
        self.trigger_event(CardArrived, **context.stamp)

    def withdraw(self, context: CommandContext) -> None:
        """撤回: possible until the card is handed over. [D]"""
        self._require_next(Stage.WITHDRAWN, context)
        self.trigger_event(ApplicationWithdrawn, **context.stamp)

    def collect(self, collection: Collection, context: CommandContext) -> None:
        """领证: C10, C11.

        Raises:
            OtherStation: another station has accepted it.
            InvalidDetails: the agent's details can't be accepted.
            WrongStage, HolderIsRestricted, CollectionNotAsChosen, CollectionIncomplete: in this
                order; of a restricted applicant no details are compared with the agent's.
        """
        self._require_own_station(context)
        if self.restricted:
            self._require_next(Stage.COLLECTED, context)
        collection = collection.normalised()
        collection.require_valid(self.identity, context.policy)
        self._require_next(Stage.COLLECTED, context)
        collection.require_allowed(self.collection)
        self.trigger_event(
            CardCollected,
            by=collection.by,
            receipt_shown=collection.receipt_shown,
            details_checked=collection.details_checked,
            fingerprint_checked=collection.fingerprint_checked,
            signed=collection.signed,
            agent=collection.agent,
            **context.stamp,
        )

    # -- the due date --------------------------------------------------------------------------

    def settle_due_date(self, workdays: WorkdayCalendar, context: CommandContext) -> None:
        """Set the final due date once the calendar knows every day up to it."""
        if not (self.due_date_provisional and self.stage.is_open) or self.restricted:
            return
        due = due_date(self.accepted_on, context.policy.id_cards.due_working_days, workdays)
        if not due.provisional:
            self.trigger_event(DueDateSet, due_date=due.day, **context.stamp)

    # -- reading -------------------------------------------------------------------------------

    @property
    def advice(self) -> list[Advice]:
        return [*advice(self.materials, self.proofs_without_photo)]

    @property
    def erased(self) -> bool:
        return self.erasure is not None

    def _require_own_station(self, context: CommandContext) -> None:
        """The papers and the card are at the station that has accepted the application, and on its
        work list alone. [D]

        Raises:
            OtherStation
        """
        if self.accepted_by is not None and context.station != self.accepted_by:
            raise OtherStation

    def _require_next(self, stage: Stage, context: CommandContext) -> None:
        """
        Raises:
            OtherStation: another station has accepted it.
            WrongStage: it can't follow the current one.
            HolderIsRestricted: the applicant's details are not to be used.
        """
        self._require_own_station(context)
        if self.stage not in COMES_FROM[stage]:
            raise WrongStage(self.stage, COMES_FROM[stage])
        if self.restricted:
            raise HolderIsRestricted


register_topic(IdCardApplication.TOPIC, IdCardApplication)
