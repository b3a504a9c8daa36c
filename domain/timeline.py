"""A permit over true time: bands in which both tracks stayed as they were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from .calendar import first_instant, shanghai_date
from .permit import Permit
from .standing import ElectronicStatus, Facts, PermitStatus, PhysicalStatus, Standing
from .validity import History


@dataclass(frozen=True, slots=True)
class Look:
    """How a permit looks at its counters and checks."""

    status: PermitStatus
    card_serial: int
    physical: PhysicalStatus
    physical_effective: bool
    electronic: ElectronicStatus
    electronic_effective: bool

    @classmethod
    def of(cls, standing: Standing) -> Look:
        return cls(
            status=standing.status,
            card_serial=standing.facts.card.serial,
            physical=standing.physical_status,
            physical_effective=standing.physical_effective,
            electronic=standing.electronic_status,
            electronic_effective=standing.electronic_effective,
        )


@dataclass(frozen=True, slots=True)
class Band:
    """From an instant to the next band's; the last one goes on."""

    since: datetime
    until: datetime | None
    look: Look


def bands(history: History, known: int) -> list[Band]:
    """From the issue on, with the suspension that comes when nobody endorses; made of the first
    ``known`` events. Bands beside each other differ."""
    looks: list[tuple[datetime, Look]] = []
    for since, look in _looks(history, known):
        if not looks or looks[-1][1] != look:
            looks.append((since, look))
    ends = [since for since, _ in looks[1:]]
    return [
        Band(since, until, look) for (since, look), until in zip(looks, [*ends, None], strict=True)
    ]


def _looks(history: History, known: int) -> Iterator[tuple[datetime, Look]]:
    """One walk through the life: at each instant at which something became true, and where use was
    suspended before the next."""
    permit: Permit | None = None
    effects = history.effects(known)
    for n, effect in enumerate(effects, start=1):
        permit, since = effect.applied(permit), effect.true_from
        until = effects[n].true_from if n < len(effects) else None
        if since == until:
            continue  # more becomes true in the same instant
        yield since, _look(permit, since)
        overdue = first_instant(permit.term.anniversary)
        if since < overdue and (until is None or overdue < until):
            yield overdue, _look(permit, overdue)


def _look(permit: Permit, at: datetime) -> Look:
    return Look.of(Standing(Facts.of(permit), shanghai_date(at)))
