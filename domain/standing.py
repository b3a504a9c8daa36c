"""The status of a permit on a day: everything that follows from its facts and a date.

The aggregate, both views and every check use this one derivation. Nothing here is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from .calendar import Term, Window
from .card import Card
from .events import End
from .permit import Permit


class PermitStatus(StrEnum):
    IN_FORCE = "in_force"
    USE_SUSPENDED = "use_suspended"
    ENDED = "ended"
    VOIDED = "voided"


class PhysicalStatus(StrEnum):
    ISSUED = "issued"
    REPORTED_LOST = "reported_lost"
    SUPERSEDED = "superseded"
    ENDED = "ended"


class ElectronicStatus(StrEnum):
    UNCLAIMED = "unclaimed"
    ACTIVE = "active"
    USE_SUSPENDED = "use_suspended"
    ENDED = "ended"


class PersonalData(StrEnum):
    """Whether the person behind a permit may be shown."""

    HELD = "held"
    RESTRICTED = "restricted"
    ERASED = "erased"

    @classmethod
    def of(cls, *, restricted: bool, erased: bool) -> PersonalData:
        """Erased comes before restricted: there is nothing left to restrict."""
        if erased:
            return cls.ERASED
        return cls.RESTRICTED if restricted else cls.HELD


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one permit, without the person."""

    permit_number: str
    holder_id: str
    version: int
    term: Term
    endorsements: int
    card: Card
    claimed: bool
    devices: int
    end: End | None
    personal_data: PersonalData = PersonalData.HELD

    @classmethod
    def of(cls, permit: Permit) -> Facts:
        return cls(
            permit_number=permit.id,
            holder_id=permit.holder_id,
            version=permit.version,
            term=permit.term,
            endorsements=permit.endorsements,
            card=permit.card,
            claimed=permit.claimed,
            devices=len(permit.devices),
            end=permit.end,
            personal_data=PersonalData.of(restricted=permit.restricted, erased=permit.erased),
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """The facts, read on one day."""

    facts: Facts
    today: date

    @property
    def status(self) -> PermitStatus:
        if self.facts.end is not None:
            return PermitStatus(self.facts.end.value)
        if self.facts.term.is_overdue(self.today):
            return PermitStatus.USE_SUSPENDED
        return PermitStatus.IN_FORCE

    @property
    def valid_from(self) -> date:
        return self.facts.term.anchor

    @property
    def valid_until(self) -> date:
        return self.facts.term.last_valid_day

    @property
    def endorsement_window(self) -> Window:
        return self.facts.term.endorsement_window

    @property
    def physical_status(self) -> PhysicalStatus:
        if self.facts.end is not None:
            return PhysicalStatus.ENDED
        return PhysicalStatus(self.facts.card.status.value)

    @property
    def physical_effective(self) -> bool:
        card = self.facts.card
        return self._counts and not card.is_lost and not card.identity_stale

    @property
    def electronic_status(self) -> ElectronicStatus:
        if self.facts.end is not None:
            return ElectronicStatus.ENDED
        if not self.facts.claimed:
            return ElectronicStatus.UNCLAIMED
        return ElectronicStatus.ACTIVE if self._in_force else ElectronicStatus.USE_SUSPENDED

    @property
    def electronic_effective(self) -> bool:
        """The right is in force and claimed; whether it is *shown live* is decided by each
        check."""
        return self._counts and self.electronic_status is ElectronicStatus.ACTIVE

    @property
    def is_restricted(self) -> bool:
        """The record is kept and not used: no check is answered from it."""
        return self.facts.personal_data is PersonalData.RESTRICTED

    @property
    def _counts(self) -> bool:
        return self._in_force and self.facts.personal_data is PersonalData.HELD

    @property
    def _in_force(self) -> bool:
        return self.status is PermitStatus.IN_FORCE
