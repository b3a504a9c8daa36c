"""The events of an application, and the effect of each on its state."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, ClassVar

from eventsourcing.domain import CanInitAggregate
from eventsourcing.utils import register_topic, resolve_topic

from domain.aggregate import DomainEvent, ErasureEvent, ErasureRequestEvent, OrderEvent
from domain.person import Guardian
from domain.personal import ERASED, Personal, Plain

from .collection import CollectedBy
from .materials import Material
from .people import Applicant
from .stages import Stage
from .submission import CollectionMethod

if TYPE_CHECKING:
    from .application import IdCardApplication


class IdCardEvent(DomainEvent):
    """An event of an application, whose receipt number is the ``originator_id``.

    The direct subclasses in this module are all events that an application's stream can hold.
    """

    STAGE: ClassVar[Stage | None] = None
    """The stage that it leads to."""

    def apply(self, aggregate: IdCardApplication) -> None:
        if self.STAGE is not None:
            aggregate.stage = self.STAGE


class ApplicationAccepted(CanInitAggregate[str], IdCardEvent):
    """受理: everything that was needed is there."""

    TOPIC = "id-card.accepted.v1"
    STAGE = Stage.ACCEPTED

    originator_topic: Plain[str]
    holder_id: Plain[str]
    identity: Personal[Applicant]
    hukou_province: Plain[str]
    guardian: Personal[Guardian | None]
    guardian_relation_registered: bool
    materials: Plain[list[Material]]
    proofs_without_photo: Plain[list[Material]]
    collection: CollectionMethod
    accepted_on: date
    due_date: date
    due_date_provisional: bool
    card_term_years: int | None
    fee_yuan: int

    def mutate(self, aggregate: IdCardApplication | None) -> IdCardApplication:  # type: ignore[override]
        """Return the application in its first state."""
        assert aggregate is None  # noqa: S101
        of_class: type[IdCardApplication] = resolve_topic(self.originator_topic)
        application = of_class.__new__(of_class)
        application.__base_init__(self.originator_id, self.originator_version, self.timestamp)
        application.__init__(  # type: ignore[misc]
            holder_id=self.holder_id,
            identity=self.identity,
            hukou_province=self.hukou_province,
            station=self.station,
            materials=tuple(self.materials),
            proofs_without_photo=tuple(self.proofs_without_photo),
            collection=self.collection,
            accepted_on=self.accepted_on,
            due_date=self.due_date,
            due_date_provisional=self.due_date_provisional,
            card_term_years=self.card_term_years,
            fee_yuan=self.fee_yuan,
        )
        return application


class SentToHukouPolice(IdCardEvent):
    """The papers are with the police where the household is registered (户籍地公安机关)."""

    TOPIC = "id-card.sent-to-hukou-police.v1"
    STAGE = Stage.SENT_TO_HUKOU_POLICE


class ApplicationApproved(IdCardEvent):
    """审核通过: they have agreed."""

    TOPIC = "id-card.approved.v1"
    STAGE = Stage.APPROVED


class ApplicationReturned(IdCardEvent):
    """退回: they have not, and say why."""

    TOPIC = "id-card.returned.v1"
    STAGE = Stage.RETURNED

    reason: Personal[str]

    def apply(self, aggregate: IdCardApplication) -> None:
        super().apply(aggregate)
        aggregate.return_reason = self.reason


class CardProduced(IdCardEvent):
    """制证: the card is made."""

    TOPIC = "id-card.produced.v1"
    STAGE = Stage.PRODUCED


class CardArrived(IdCardEvent):
    """The card is at the station that accepted the application."""

    TOPIC = "id-card.arrived.v1"
    STAGE = Stage.ARRIVED


class CardCollected(IdCardEvent):
    """领证: the card is handed over, or posted."""

    TOPIC = "id-card.collected.v1"
    STAGE = Stage.COLLECTED

    by: CollectedBy
    receipt_shown: bool
    details_checked: bool
    fingerprint_checked: bool
    signed: bool
    agent: Personal[Guardian | None]

    def apply(self, aggregate: IdCardApplication) -> None:
        super().apply(aggregate)
        aggregate.collected_by = self.by


class ApplicationWithdrawn(IdCardEvent):
    """撤回: the card is not wanted any more; one that was made is destroyed."""

    TOPIC = "id-card.withdrawn.v1"
    STAGE = Stage.WITHDRAWN


class DueDateSet(IdCardEvent):
    """The calendar has come to know the days that were guessed: the date is final."""

    TOPIC = "id-card.due-date-set.v1"

    due_date: date

    def apply(self, aggregate: IdCardApplication) -> None:
        aggregate.due_date = self.due_date
        aggregate.due_date_provisional = False


class ApplicantRestricted(OrderEvent, IdCardEvent):
    """限制处理: the applicant is kept and not used any more."""

    TOPIC = "id-card.holder-restricted.v1"

    def apply(self, aggregate: IdCardApplication) -> None:
        aggregate.restricted = True


class ApplicantRestrictionLifted(OrderEvent, IdCardEvent):
    """解除限制."""

    TOPIC = "id-card.holder-restriction-lifted.v1"

    def apply(self, aggregate: IdCardApplication) -> None:
        aggregate.restricted = False


class ApplicantErasureRequested(ErasureRequestEvent, IdCardEvent):
    """申请删除: one officer asks; nothing changes before another one has approved."""

    TOPIC = "id-card.erasure-requested.v1"

    def apply(self, aggregate: IdCardApplication) -> None:
        aggregate.erasure_request = self.request


class ApplicantErasureWithdrawn(IdCardEvent):
    """撤回删除申请."""

    TOPIC = "id-card.erasure-withdrawn.v1"

    def apply(self, aggregate: IdCardApplication) -> None:
        aggregate.erasure_request = None


class ApplicantErased(ErasureEvent, IdCardEvent):
    """删除个人信息: the applicant's key is destroyed with this event; what was under way ends."""

    TOPIC = "id-card.holder-erased.v1"

    def apply(self, aggregate: IdCardApplication) -> None:
        """Leads to the same state whether earlier events were read with the key or without."""
        aggregate.identity = ERASED
        if aggregate.return_reason is not None:
            aggregate.return_reason = ERASED
        if aggregate.stage.is_open:
            aggregate.stage = Stage.WITHDRAWN
        aggregate.restricted = False
        aggregate.erasure_request = None
        aggregate.erasure = self.erasure


EVENTS: tuple[type[IdCardEvent], ...] = tuple(IdCardEvent.__subclasses__())
"""All events above, in their order; a stream can hold no other."""

for _event in EVENTS:
    register_topic(_event.TOPIC, _event)
