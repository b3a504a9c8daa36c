"""A permit over true time, as bands in which the states of both tracks are constant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from .calendar import first_instant, shanghai_date
from .permit import Permit
from .standing import ElectronicStatus, Facts, PermitStatus, PhysicalStatus, Standing
from .validity import History


@dataclass(frozen=True, slots=True)
class TrackStates:
    """The states of a permit and its two tracks."""

    status: PermitStatus
    card_serial: int
    physical: PhysicalStatus
    physical_effective: bool
    electronic: ElectronicStatus
    electronic_effective: bool

    @classmethod
    def of(cls, standing: Standing) -> TrackStates:
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
    """A period of constant states; ``until`` is ``None`` for the last one."""

    since: datetime
    until: datetime | None
    states: TrackStates


def bands(history: History, known: int) -> list[Band]:
    """The bands from the issue on, made of the first ``known`` events, with the suspension that
    follows from the date. Adjacent bands differ."""
    changes: list[tuple[datetime, TrackStates]] = []
    for since, states in _changes(history, known):
        if not changes or changes[-1][1] != states:
            changes.append((since, states))
    ends = [since for since, _ in changes[1:]]
    return [
        Band(since, until, states)
        for (since, states), until in zip(changes, [*ends, None], strict=True)
    ]


def _changes(history: History, known: int) -> Iterator[tuple[datetime, TrackStates]]:
    """The states at each instant at which something became true, and at which use was suspended
    before the next."""
    permit: Permit | None = None
    effects = history.effects(known)
    for n, effect in enumerate(effects, start=1):
        permit, since = effect.applied(permit), effect.true_from
        until = effects[n].true_from if n < len(effects) else None
        if since == until:
            continue  # another event became true at the same instant
        yield since, _states_at(permit, since)
        overdue = first_instant(permit.term.anniversary)
        if since < overdue and (until is None or overdue < until):
            yield overdue, _states_at(permit, overdue)


def _states_at(permit: Permit, at: datetime) -> TrackStates:
    return TrackStates.of(Standing(Facts.of(permit), shanghai_date(at)))
