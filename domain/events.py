"""The events of a permit, and the effect of each on its state.

A topic is a lasting promise to readers of the log: it names the event and its version, never a
Python path. A changed event is a new version with an upcast from the old.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from eventsourcing.domain import CanInitAggregate
from eventsourcing.utils import register_topic, resolve_topic

from .aggregate import DomainEvent, ErasureEvent, ErasureRequestEvent, OrderEvent
from .calendar import Term, first_instant, shanghai_date
from .card import Card
from .device import Device, FaceMatch
from .endorsement import EndorsementKind
from .person import Guardian, Identity, Residence, is_on_card
from .personal import ERASED, Erased, Personal, Plain
from .policy import Ground

if TYPE_CHECKING:
    from .permit import Permit


class CardPresented(StrEnum):
    """What stands for the card at an endorsement. [P9]"""

    CARD = "card"
    REISSUE_RECEIPT = "reissue_receipt"


class ReplacementReason(StrEnum):
    DAMAGED = "damaged"
    DETAILS_CHANGED = "details_changed"
    OFFICE_ERROR = "office_error"


class CancellationReason(StrEnum):
    MOVED_AWAY = "moved_away"
    LOCAL_HUKOU = "local_hukou"
    DECEASED = "deceased"
    RENOUNCED = "renounced"


class End(StrEnum):
    """How a permit ended."""

    ENDED = "ended"
    VOIDED = "voided"


AnIdentity = TypeVar("AnIdentity", bound=Identity)


BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
"""Before every permit: true from here is what was true from the issue on."""


class PermitEvent(DomainEvent):
    """An event of a permit; a permit's stream holds only this module's direct subclasses."""

    SEQUENCE: ClassVar[str | None] = None
    """Events of one sequence became true in the order in which they were recorded, whatever days
    they carry: a card that was found or reissued on the 5th was not lost on the 3rd."""

    def apply(self, aggregate: Permit) -> None:
        raise NotImplementedError

    @property
    def true_from(self) -> datetime | None:
        """Since when what the event states is true; ``None``: since it was recorded."""
        return None


class PermitIssued(CanInitAggregate[str], PermitEvent):
    """办证: the permit and its first card; taken over from elsewhere, it keeps its years."""

    TOPIC = "permit.issued.v1"

    originator_topic: Plain[str]
    holder_id: Plain[str]
    identity: Personal[Identity]
    residence: Residence
    residence_registered_on: date
    ground: Ground
    guardian: Personal[Guardian | None]
    anchor: date
    years: int
    card_serial: int
    card_due_on: date
    fee_yuan: int
    taken_over_from: Personal[str | None]

    @property
    def true_from(self) -> datetime:
        return first_instant(self.anchor)

    def mutate(self, aggregate: Permit | None) -> Permit:  # type: ignore[override]
        """Return the permit in its first state, without the library's inspection of signatures."""
        assert aggregate is None  # noqa: S101
        permit_class: type[Permit] = resolve_topic(self.originator_topic)
        permit = permit_class.__new__(permit_class)
        permit.__base_init__(self.originator_id, self.originator_version, self.timestamp)
        permit.__init__(  # type: ignore[misc]
            holder_id=self.holder_id,
            identity=self.identity,
            residence=self.residence,
            station=self.station,
            anchor=self.anchor,
            years=self.years,
            card_serial=self.card_serial,
            card_due_on=self.card_due_on,
        )
        return permit


class ElectronicPermitClaimed(PermitEvent):
    """申领电子居住证: from now on the permit can be shown live on this device."""

    TOPIC = "permit.electronic-claimed.v2"

    device: Personal[Device]
    face_match: Personal[FaceMatch]

    def apply(self, aggregate: Permit) -> None:
        aggregate.claimed = True
        aggregate.devices = {}
        _bind(aggregate, self.device, self.timestamp)


class DeviceBound(PermitEvent):
    """One more phone."""

    TOPIC = "permit.device-bound.v2"

    device: Personal[Device]
    face_match: Personal[FaceMatch]

    def apply(self, aggregate: Permit) -> None:
        _bind(aggregate, self.device, self.timestamp)


class DeviceRevoked(PermitEvent):
    """A phone that was sold, lost or stolen shows the permit no more."""

    TOPIC = "permit.device-revoked.v1"

    thumbprint: Personal[str]

    def apply(self, aggregate: Permit) -> None:
        kept = aggregate.devices.items()
        aggregate.devices = {t: since for t, since in kept if t != self.thumbprint}


class PermitEndorsed(PermitEvent):
    """签注: one more year for both tracks at once."""

    TOPIC = "permit.endorsed.v1"
    SEQUENCE = "term"

    endorsed_on: date
    card_presented: CardPresented
    kind: EndorsementKind
    anchor: date
    years: int
    fee_yuan: int

    @property
    def true_from(self) -> datetime:
        return first_instant(self.endorsed_on)

    def apply(self, aggregate: Permit) -> None:
        aggregate.term = Term(self.anchor, self.years)
        aggregate.endorsements += 1
        aggregate.endorsed_on = self.endorsed_on


class CardReportedLost(PermitEvent):
    """挂失: the card has no effect from here; the electronic permit keeps its own."""

    TOPIC = "permit.card-reported-lost.v2"
    SEQUENCE = "card"

    reported_on: date
    card_serial: int
    lost_on: date | None
    """Since when it is missing, where its holder knows."""

    @property
    def true_from(self) -> datetime | None:
        return first_instant(self.lost_on) if self.lost_on else None

    def apply(self, aggregate: Permit) -> None:
        aggregate.card = aggregate.card.reported_lost()


class LossLifted(PermitEvent):
    """解除挂失: found before a reissue."""

    TOPIC = "permit.loss-lifted.v1"
    SEQUENCE = "card"

    lifted_on: date
    card_serial: int

    def apply(self, aggregate: Permit) -> None:
        aggregate.card = aggregate.card.found()


class CardReissued(PermitEvent):
    """补领: a new card for the lost one; the old serial is dead for ever."""

    TOPIC = "permit.card-reissued.v1"
    SEQUENCE = "card"

    card_serial: int
    card_due_on: date
    fee_yuan: int

    def apply(self, aggregate: Permit) -> None:
        aggregate.card = Card(self.card_serial, self.card_due_on)


class CardReplaced(PermitEvent):
    """换领: a new card for one that is damaged, out of date or wrong."""

    TOPIC = "permit.card-replaced.v1"
    SEQUENCE = "card"

    card_serial: int
    reason: ReplacementReason
    old_card_returned: bool
    card_due_on: date
    fee_yuan: int

    def apply(self, aggregate: Permit) -> None:
        aggregate.card = Card(self.card_serial, self.card_due_on)


class CardDelivered(PermitEvent):
    """领证: the card is in its holder's hands."""

    TOPIC = "permit.card-delivered.v1"

    card_serial: int
    delivered_on: date

    def apply(self, aggregate: Permit) -> None:
        aggregate.card = aggregate.card.delivered(self.delivered_on)


class AddressChanged(PermitEvent):
    """住址变更: a move inside the province, same permit."""

    TOPIC = "permit.address-changed.v1"

    residence: Residence
    moved_on: date
    reported_late: bool

    @property
    def true_from(self) -> datetime:
        return first_instant(self.moved_on)

    def apply(self, aggregate: Permit) -> None:
        aggregate.residence = self.residence
        aggregate.homes = (
            *aggregate.homes,
            (shanghai_date(self.timestamp), self.residence.division),
        )


class IdentityCorrected(PermitEvent):
    """身份信息更正: fields that were wrong, each ``None`` where it stays."""

    TOPIC = "permit.identity-corrected.v3"

    name: Personal[str | None]
    citizen_id_number: Personal[str | None]
    sex: Personal[str | None]
    birth_date: Personal[date | None]
    hukou_address: Personal[str | None]
    outdates_card: bool | None
    """Whether the card in use now shows the wrong person [P26], for readers without the holder's
    key. ``None`` in an event of an earlier version, which did not say so in the clear."""

    def __post_init__(self) -> None:
        """
        Raises:
            ValueError: ``outdates_card`` contradicts the corrected fields.
        """
        if self.outdates_card is None or self.name is ERASED:
            return
        if self.outdates_card != is_on_card(self._corrections()):
            raise ValueError("outdates_card contradicts the corrected fields")

    @property
    def true_from(self) -> datetime:
        return BEGINNING  # of the person; the card is stale since it was recorded

    @property
    def may_outdate_card(self) -> bool:
        """Whether it does; true where that is not known: in an event of an earlier version that is
        read without the holder's key."""
        if self.outdates_card is None:
            return is_on_card(self._corrections())
        return self.outdates_card

    def corrected(self, identity: AnIdentity | Erased) -> AnIdentity | Erased:
        corrections = self._corrections()
        if identity is ERASED or ERASED in corrections.values():
            return ERASED
        return replace(identity, **corrections)

    def apply(self, aggregate: Permit) -> None:
        self.correct_person(aggregate)
        self.outdate_card(aggregate)

    def correct_person(self, aggregate: Permit) -> None:
        aggregate.identity = self.corrected(aggregate.identity)

    def outdate_card(self, aggregate: Permit) -> None:
        if self.may_outdate_card:
            aggregate.card = aggregate.card.outdated()

    def _corrections(self) -> dict[str, Any]:
        """The fields that do not stay."""
        fields = {name: getattr(self, name) for name in _CORRECTABLE}
        return {name: value for name, value in fields.items() if value is not None}


_CORRECTABLE = ("name", "citizen_id_number", "sex", "birth_date", "hukou_address")


class PermitCancelled(PermitEvent):
    """注销: both tracks end; history stays."""

    TOPIC = "permit.cancelled.v1"

    reason: CancellationReason

    def apply(self, aggregate: Permit) -> None:
        aggregate.end = End.ENDED


class PermitVoided(PermitEvent):
    """Obtained by fraud: void from discovery; past checks stay as they were answered. [N18]"""

    TOPIC = "permit.voided.v1"

    finding: Personal[str]

    def apply(self, aggregate: Permit) -> None:
        aggregate.end = End.VOIDED


class HolderRestricted(OrderEvent, PermitEvent):
    """限制处理: the person is kept and not used any more; no check is answered from it."""

    TOPIC = "permit.holder-restricted.v1"

    def apply(self, aggregate: Permit) -> None:
        aggregate.restricted = True


class HolderRestrictionLifted(OrderEvent, PermitEvent):
    """解除限制: the person is used again."""

    TOPIC = "permit.holder-restriction-lifted.v1"

    def apply(self, aggregate: Permit) -> None:
        aggregate.restricted = False


class ErasureRequested(ErasureRequestEvent, PermitEvent):
    """申请删除: one officer asks; nothing changes before another one has approved."""

    TOPIC = "permit.erasure-requested.v1"

    def apply(self, aggregate: Permit) -> None:
        aggregate.erasure_request = self.request


class ErasureWithdrawn(PermitEvent):
    """撤回删除申请."""

    TOPIC = "permit.erasure-withdrawn.v1"

    def apply(self, aggregate: Permit) -> None:
        aggregate.erasure_request = None


class HolderErased(ErasureEvent, PermitEvent):
    """删除个人信息: the holder's key is destroyed with this event, which ends the permit.

    It stands in every permit that the holder ever had, as its last event.
    """

    TOPIC = "permit.holder-erased.v1"

    def apply(self, aggregate: Permit) -> None:
        """Leads to the same state whether earlier events were read with the key or without."""
        aggregate.identity = ERASED
        aggregate.residence = replace(aggregate.residence, address=ERASED)
        aggregate.devices = {}
        aggregate.card = replace(aggregate.card, identity_stale=False)
        aggregate.end = aggregate.end or End.ENDED
        aggregate.restricted = False
        aggregate.erasure_request = None
        aggregate.erasure = self.erasure


def _bind(permit: Permit, device: Device | Erased, since: datetime) -> None:
    day = shanghai_date(since)
    permit.bound_that_day = permit.bound_that_day + 1 if permit.bound_on == day else 1
    permit.bound_on = day
    if device is not ERASED:
        permit.devices = {**permit.devices, device.thumbprint: since}


EVENTS: tuple[type[PermitEvent], ...] = tuple(PermitEvent.__subclasses__())
for _event in EVENTS:
    register_topic(_event.TOPIC, _event)
