"""A permit as it was at one instant, as far as was known at another: bitemporal reads of one log.

*Recorded* is when an event was appended; *true from* is since when what it states holds. The second
is stored nowhere: it follows from the event (:attr:`~domain.events.PermitEvent.true_from`). To read
the permit at an instant, the events that were recorded by then are folded in the order in which
they became true, up to that instant.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate
from typing import Any

from .calendar import shanghai_date
from .events import (
    CardReissued,
    CardReplaced,
    DeviceBound,
    ElectronicPermitClaimed,
    HolderErased,
    IdentityCorrected,
    PermitEvent,
    PermitIssued,
)
from .permit import Permit
from .personal import ERASED
from .standing import Facts, Standing

_FRESH_FACE = (CardReissued, CardReplaced, HolderErased)
"""After these no card in use shows a wrong person."""
_ADDS_DEVICE = (ElectronicPermitClaimed, DeviceBound)

Apply = Callable[[Any, Permit], None]


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of one event, or a part of it, and since when it is true; ``recorded_at`` never
    decreases from one version to the next, whatever the clocks said."""

    true_from: datetime
    recorded_at: datetime
    event: PermitEvent
    apply: Apply

    @property
    def order(self) -> tuple[datetime, int]:
        return self.true_from, self.event.originator_version

    def applied(self, permit: Permit | None) -> Permit:
        """Apply it to the permit in place; the first effect is the issue, which makes the
        permit."""
        if isinstance(self.event, PermitIssued):
            return self.event.mutate(None)
        assert permit is not None  # noqa: S101  nothing is true before the issue
        self.apply(self.event, permit)
        return permit


@dataclass(frozen=True, slots=True)
class AsOf:
    """A permit at an instant. ``version`` is the newest one of the events that it is made of;
    ``uncertain`` names what is no longer known, since the holder's key is destroyed."""

    at: datetime
    permit: Permit
    version: int
    uncertain: tuple[str, ...]

    @property
    def standing(self) -> Standing:
        """Its standing on that day."""
        return Standing(
            replace(Facts.of(self.permit), version=self.version), shanghai_date(self.at)
        )


class History:
    """All events of one permit, in the order of their versions."""

    def __init__(self, happened: Sequence[PermitEvent]) -> None:
        """``happened`` begins with the issue, version 1, and has no gaps."""
        self.events = tuple(happened)
        self.recorded_at = list(accumulate((event.timestamp for event in happened), max))
        in_turn = EffectsInTurn()
        self._effects = [in_turn.of(event) for event in self.events]
        self._sorted: dict[int, list[Effect]] = {}
        self._folded: dict[tuple[int, int], tuple[Permit, int, tuple[str, ...]]] = {}

    def known_by(self, instant: datetime) -> int:
        """How many of the events were recorded by then; they are the first ones."""
        return bisect_right(self.recorded_at, instant)

    def true_from(self, version: int) -> datetime:
        """Since when the first effect of this version is true."""
        return self._effects[version - 1][0].true_from

    def effects(self, known: int) -> list[Effect]:
        """The effects of the first ``known`` events, in the order in which they became true."""
        if known not in self._sorted:
            found = [effect for of_event in self._effects[:known] for effect in of_event]
            self._sorted[known] = sorted(found, key=lambda effect: effect.order)
        return self._sorted[known]

    def as_of(self, at: datetime, known: int) -> AsOf | None:
        """The permit at an instant, from the first ``known`` events; ``None`` if not issued yet.

        Results share their permits: don't change them.
        """
        effects = self.effects(known)
        effects = effects[: bisect_right(effects, at, key=lambda effect: effect.true_from)]
        if not effects:
            return None
        key = known, len(effects)
        if key not in self._folded:
            self._folded[key] = _fold(effects)
        permit, version, uncertain = self._folded[key]
        return AsOf(at, permit, version, uncertain)


class EffectsInTurn:
    """Derives the effects of a permit's events, one event after the other from the issue on.

    None is true before the permit was issued, nor before the last event of its own sequence.
    """

    def __init__(self) -> None:
        self._issued: datetime | None = None
        self._recorded: datetime | None = None
        self._last: dict[str, datetime] = {}

    def of(self, event: PermitEvent) -> tuple[Effect, ...]:
        """The effects of the next event."""
        recorded = self._recorded = max(event.timestamp, self._recorded or event.timestamp)
        since = event.true_from or recorded
        if self._issued is not None:
            since = max(since, self._issued)
        if event.SEQUENCE:
            since = self._last[event.SEQUENCE] = max(since, self._last.get(event.SEQUENCE, since))
        if self._issued is None:
            self._issued = since
        if isinstance(event, IdentityCorrected):
            return (
                Effect(since, recorded, event, IdentityCorrected.correct_person),
                Effect(recorded, recorded, event, IdentityCorrected.outdate_card),
            )
        return (Effect(since, recorded, event, type(event).apply),)


def _fold(effects: Sequence[Effect]) -> tuple[Permit, int, tuple[str, ...]]:
    permit: Permit | None = None
    uncertain: dict[str, bool] = {}
    for effect in effects:
        permit = effect.applied(permit)
        _note_uncertain(effect, uncertain)
    assert permit is not None  # noqa: S101  there is at least the issue
    version = max(effect.event.originator_version for effect in effects)
    return permit, version, tuple(name for name, is_so in uncertain.items() if is_so)


def _note_uncertain(effect: Effect, uncertain: dict[str, bool]) -> None:
    """Once the holder is erased it is unknown which phones could show the permit, and whether a
    correction of an earlier version concerned the card."""
    event = effect.event
    if effect.apply is IdentityCorrected.outdate_card and isinstance(event, IdentityCorrected):
        if event.outdates_card is None and event.name is ERASED:
            uncertain["identity_stale"] = uncertain["physical.effective"] = True
    elif isinstance(event, _FRESH_FACE):
        uncertain["identity_stale"] = uncertain["physical.effective"] = False
    if isinstance(event, _ADDS_DEVICE):
        uncertain["electronic.devices"] = event.device is ERASED
    elif isinstance(event, HolderErased):
        uncertain["electronic.devices"] = False
