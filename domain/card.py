"""The plastic card (实体居住证)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from .errors import FieldProblem


class CardStatus(StrEnum):
    ISSUED = "issued"
    REPORTED_LOST = "reported_lost"


@dataclass(frozen=True, slots=True)
class Card:
    """The current card of a permit; earlier serials are dead for ever."""

    serial: int
    due_on: date
    """The office has the card ready by this day. [N9]"""
    status: CardStatus = CardStatus.ISSUED
    identity_stale: bool = False
    """Its face shows a name or number that has been corrected since. [P26]"""
    delivered_on: date | None = None

    @property
    def is_lost(self) -> bool:
        return self.status is CardStatus.REPORTED_LOST

    def reported_lost(self) -> Card:
        return replace(self, status=CardStatus.REPORTED_LOST)

    def found(self) -> Card:
        return replace(self, status=CardStatus.ISSUED)

    def outdated(self) -> Card:
        return replace(self, identity_stale=True)

    def delivered(self, day: date) -> Card:
        return replace(self, delivered_on=day)


def loss_problems(lost_on: date | None, issued_on: date, today: date) -> Iterator[FieldProblem]:
    """Check the day since when a card is missing, if it is known. [P12]"""
    if lost_on is not None and not issued_on <= lost_on <= today:
        yield FieldProblem("lost_on", "must be between the day of issue and today")
