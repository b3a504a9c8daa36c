"""The context of a command: who acts, when, and under which policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TypedDict

from .calendar import shanghai_date
from .policy import Policy


class Stamp(TypedDict):
    """The fields that every event carries."""

    timestamp: datetime
    actor: str
    station: str | None
    policy_version: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class CommandContext:
    """One actor at one instant.

    ``actor`` is the officer or the holder, ``station`` the police station (派出所) or entrusted
    service point, none for a holder; ``at`` is aware; ``correlation_id`` ties the event to the
    request that caused it.
    """

    actor: str
    station: str | None
    correlation_id: str
    at: datetime
    policy: Policy

    @property
    def today(self) -> date:
        return shanghai_date(self.at)

    @property
    def stamp(self) -> Stamp:
        return Stamp(
            timestamp=self.at,
            actor=self.actor,
            station=self.station,
            policy_version=self.policy.version,
            correlation_id=self.correlation_id,
        )
