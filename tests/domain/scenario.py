"""Given these events, when this command, then those events.

::

    given(issued(ISSUED), claimed(ISSUED))
        .when(lambda permit: permit.report_loss(on(TODAY)))
        .then(loss_reported(TODAY))

The past is given as events, not as the commands that caused them; *then* compares whole events,
with all of their fields. The functions below make one event each, without its place in a stream:
:func:`given` and ``then`` number them. Identity cards have theirs in ``id_cards/scenario.py``.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from domain.aggregate import Aggregate, DomainEvent
from domain.calendar import SHANGHAI, add_months
from domain.context import CommandContext
from domain.data_protection import REQUEST_DAYS, Order
from domain.device import Device, FaceMatch
from domain.endorsement import EndorsementKind
from domain.errors import DomainError, InvalidDetails
from domain.events import (
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
    ErasureRequested,
    ErasureWithdrawn,
    HolderErased,
    HolderRestricted,
    HolderRestrictionLifted,
    IdentityCorrected,
    LossLifted,
    PermitCancelled,
    PermitEndorsed,
    PermitIssued,
    PermitVoided,
    ReplacementReason,
)
from domain.person import Identity, Residence
from domain.policy import Policy
from permit_ledger.bootstrap.policy import load_policy

POLICY = load_policy(synthetic_people=True)
"""Wuxi's policy, made-up people admitted."""
PERMIT_NUMBER, RECEIPT_NUMBER = "7Q2M9K4T8XW5", "7Q2M9K4T8XW57Q2M"
IDENTITY = Identity(
    name="欧阳测试",
    sex="1",
    ethnicity="01",
    birth_date=date(1990, 1, 1),
    citizen_id_number="990000199001010017",
    hukou_address="安徽省合肥市测试路1号",
)
HOME = Residence("320211", "蠡湖大道1号")
FACE_MATCH = FaceMatch.unsigned("identity-provider", 0.98, matched=True)
ORDER = Order("PIPL 47", "case 2026-7")
OFFICERS = ["officer-1", "officer-2"]
FINDING = "forged proof of employment"
CARD_DUE_DAYS, CARD_FEE_YUAN = 15, 20


# -- given, when, then -------------------------------------------------------------------------


@dataclass(frozen=True)
class Happened:
    """An event without its place in a stream."""

    kind: type[DomainEvent]
    fields: Mapping[str, Any]

    def at(self, version: int) -> DomainEvent:
        number = PERMIT_NUMBER if self.kind.TOPIC.startswith("permit.") else RECEIPT_NUMBER
        return self.kind(originator_id=number, originator_version=version, **self.fields)


class Scenario:
    """A stream's events, and the aggregate that they fold to."""

    def __init__(self, *happened: Happened) -> None:
        self.events = [event.at(version) for version, event in enumerate(happened, start=1)]
        self.aggregate: Any = None
        for event in self.events:
            self.aggregate = event.mutate(self.aggregate)
        self._command: Callable[[Any], Aggregate | None] = lambda _: None

    def when(self, command: Callable[[Any], Aggregate | None]) -> "Scenario":
        """The command to give; it gets the aggregate, ``None`` if nothing has happened yet, and
        returns one if it makes one."""
        self._command = command
        return self

    def then(self, *expected: Happened) -> Any:
        """Give the command and compare the new events with these.

        Returns:
            The aggregate after them.
        """
        version = self.aggregate.version if self.aggregate else 0
        self.aggregate = self._command(self.aggregate) or self.aggregate
        events = list(self.aggregate.collect_events())
        assert [event.at(version + n) for n, event in enumerate(expected, start=1)] == events
        return self.aggregate

    def then_nothing(self) -> Any:
        """Give the command, which changes nothing."""
        before = deepcopy(self.aggregate)
        self.then()
        assert before == self.aggregate
        return self.aggregate

    def refused(self, kind: type[DomainError], **attributes: Any) -> DomainError:
        """Give the command, which is refused for this reason and changes nothing.

        Returns:
            The refusal, whose attributes have the values that are named.
        """
        before = deepcopy(self.aggregate)
        try:
            self._command(self.aggregate)
        except DomainError as error:
            refusal = error
        else:
            raise AssertionError(f"not refused with {kind.__name__}")
        assert kind is type(refusal)
        assert attributes == {name: getattr(refusal, name) for name in attributes}
        assert before == self.aggregate
        return refusal

    def invalid(self, *fields: str, code: str = "INVALID_REQUEST") -> None:
        """Give the command, which is refused since these fields can't be accepted."""
        refusal = self.refused(InvalidDetails, code=code)
        assert isinstance(refusal, InvalidDetails)
        assert list(fields) == [problem.field for problem in refusal.problems]


def given(*happened: Happened) -> Scenario:
    """The events of one stream, in their order; without any there is no aggregate yet."""
    return Scenario(*happened)


def on(day: date, under: Policy = POLICY, **changes: Any) -> CommandContext:
    """officer-1 at a counter in Binhu, at noon of that day."""
    context = CommandContext(
        actor="officer-1",
        station="320211-01",
        correlation_id=f"request-of-{day}",
        at=datetime.combine(day, time(12), SHANGHAI),
        policy=under,
    )
    return replace(context, **changes)


def happened(kind: type[DomainEvent], day: date, /, **fields: Any) -> Happened:
    """An event that a command given :func:`on` that day causes."""
    stamp = {
        "timestamp": datetime.combine(day, time(12), SHANGHAI),
        "actor": "officer-1",
        "station": "320211-01",
        "policy_version": "wuxi-2026.1",
        "correlation_id": f"request-of-{day}",
    }
    return Happened(kind, {**stamp, **fields})


# -- the events of a permit --------------------------------------------------------------------


def phone(number: int) -> Device:
    """One phone for each number."""
    return Device(f"thumbprint-{number}", {"kty": "OKP", "crv": "Ed25519", "x": str(number)})


def issued(day: date, **changes: Any) -> Happened:
    in_order = {
        "originator_topic": "permit",
        "holder_id": "holder-1",
        "identity": IDENTITY,
        "residence": HOME,
        "residence_registered_on": add_months(day, -12),
        "ground": "employment",
        "guardian": None,
        "anchor": day,
        "years": 1,
        "card_serial": 1,
        "card_due_on": day + timedelta(days=CARD_DUE_DAYS),
        "fee_yuan": 0,
        "taken_over_from": None,
    }
    return happened(PermitIssued, day, **{**in_order, **changes})


def claimed(day: date, device: Device | None = None) -> Happened:
    device = device or phone(1)
    return happened(ElectronicPermitClaimed, day, device=device, face_match=FACE_MATCH)


def device_bound(day: date, device: Device) -> Happened:
    return happened(DeviceBound, day, device=device, face_match=FACE_MATCH)


def device_revoked(day: date, device: Device) -> Happened:
    return happened(DeviceRevoked, day, thumbprint=device.thumbprint)


def endorsed(
    day: date,
    anchor: date,
    years: int,
    kind: EndorsementKind = EndorsementKind.ON_TIME,
    presented: CardPresented = CardPresented.CARD,
    **changes: Any,
) -> Happened:
    return happened(
        PermitEndorsed,
        day,
        endorsed_on=day,
        card_presented=presented,
        kind=kind,
        anchor=anchor,
        years=years,
        fee_yuan=0,
        **changes,
    )


def loss_reported(day: date, serial: int = 1, lost_on: date | None = None) -> Happened:
    return happened(CardReportedLost, day, reported_on=day, card_serial=serial, lost_on=lost_on)


def loss_lifted(day: date, serial: int = 1) -> Happened:
    return happened(LossLifted, day, lifted_on=day, card_serial=serial)


def reissued(day: date, serial: int = 2) -> Happened:
    """For 20 yuan, due in 15 days. [N9, N21]"""
    due_on = day + timedelta(days=CARD_DUE_DAYS)
    return happened(
        CardReissued, day, card_serial=serial, card_due_on=due_on, fee_yuan=CARD_FEE_YUAN
    )


def replaced(
    day: date,
    serial: int = 2,
    reason: ReplacementReason = ReplacementReason.DAMAGED,
    *,
    returned: bool = True,
) -> Happened:
    """For 20 yuan unless the office erred, due in 15 days. [N9, N21]"""
    by_office = reason is ReplacementReason.OFFICE_ERROR
    return happened(
        CardReplaced,
        day,
        card_serial=serial,
        reason=reason,
        old_card_returned=returned,
        card_due_on=day + timedelta(days=CARD_DUE_DAYS),
        fee_yuan=0 if by_office else CARD_FEE_YUAN,
    )


def delivered(day: date, serial: int = 1) -> Happened:
    return happened(CardDelivered, day, card_serial=serial, delivered_on=day)


def address_changed(
    day: date, residence: Residence, moved_on: date, *, late: bool = False
) -> Happened:
    return happened(AddressChanged, day, residence=residence, moved_on=moved_on, reported_late=late)


def identity_corrected(day: date, **fields: Any) -> Happened:
    """It outdates the card, unless ``fields`` say otherwise."""
    unchanged = dict.fromkeys(("name", "citizen_id_number", "sex", "birth_date", "hukou_address"))
    return happened(IdentityCorrected, day, **{**unchanged, "outdates_card": True, **fields})


def cancelled(day: date, reason: CancellationReason = CancellationReason.MOVED_AWAY) -> Happened:
    return happened(PermitCancelled, day, reason=reason)


def voided(day: date, finding: str = FINDING) -> Happened:
    return happened(PermitVoided, day, finding=finding)


def holder_restricted(day: date, kind: type[DomainEvent] = HolderRestricted) -> Happened:
    return happened(kind, day, legal_basis=ORDER.legal_basis, case=ORDER.case)


def holder_restriction_lifted(
    day: date, kind: type[DomainEvent] = HolderRestrictionLifted
) -> Happened:
    return happened(kind, day, legal_basis=ORDER.legal_basis, case=ORDER.case)


def erasure_requested(
    day: date,
    kind: type[DomainEvent] = ErasureRequested,
    officer: str = OFFICERS[0],
    order: Order = ORDER,
) -> Happened:
    return happened(
        kind,
        day,
        legal_basis=order.legal_basis,
        case=order.case,
        expires_at=on(day).at + timedelta(days=REQUEST_DAYS),
        actor=officer,
    )


def erasure_withdrawn(day: date, officer: str = OFFICERS[1]) -> Happened:
    return happened(ErasureWithdrawn, day, actor=officer)


def holder_erased(
    day: date,
    backups_hold_key_until: date,
    kind: type[DomainEvent] = HolderErased,
    order: Order = ORDER,
) -> Happened:
    return happened(
        kind,
        day,
        holder_id="holder-1",
        legal_basis=order.legal_basis,
        case=order.case,
        approvals=OFFICERS,
        key="key-commitment",
        backups_hold_key_until=backups_hold_key_until,
        actor=OFFICERS[1],
    )


COMMANDS: Mapping[str, Callable[[Any, CommandContext], None]] = {
    "endorse": lambda permit, now: permit.endorse(CardPresented.CARD, now),
    "report_loss": lambda permit, now: permit.report_loss(now),
    "lift_loss": lambda permit, now: permit.lift_loss(now),
    "reissue": lambda permit, now: permit.reissue(now),
    "replace": lambda permit, now: permit.replace(
        ReplacementReason.DAMAGED, old_card_returned=True, context=now
    ),
    "deliver_card": lambda permit, now: permit.deliver_card(now),
    "claim": lambda permit, now: permit.claim(phone(2), FACE_MATCH, confirmed=True, context=now),
    "revoke_device": lambda permit, now: permit.revoke_device(phone(1).thumbprint, now),
    "change_address": lambda permit, now: permit.change_address(
        Residence("320281", "澄江中路2号"), now.today, now
    ),
    "correct_identity": lambda permit, now: permit.correct_identity(name="欧阳改名", context=now),
    "cancel": lambda permit, now: permit.cancel(CancellationReason.MOVED_AWAY, now),
    "void": lambda permit, now: permit.void(FINDING, now),
}
"""Every command to a permit, by name."""
