"""What was true of a permit at an instant, as it was known at another: two times, one log.

*Recorded* is when an event came into the log, *true from* since when what it says holds. The second
is stored nowhere: it follows from the event, by the table below, and so does the permit of any day.
Out of the events that were recorded by then, those that were true by then are folded in the order
in which they became true.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from itertools import accumulate
from typing import Any, Final

from . import events
from .calendar import SHANGHAI, shanghai_date
from .events import PermitEvent, PermitIssued
from .permit import Permit
from .personal import ERASED
from .standing import Facts, Standing

BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
"""Of the permit: nothing is true of it before it was issued."""


def first_instant(day: date) -> datetime:
    """At which the legal date begins."""
    return datetime.combine(day, time(), SHANGHAI)


def _recorded(_: PermitEvent, recorded_at: datetime) -> datetime:
    return recorded_at


def _lost(event: events.CardReportedLost, recorded_at: datetime) -> datetime:
    return first_instant(event.lost_on) if event.lost_on else recorded_at


TRUE_FROM: Final[Mapping[type[PermitEvent], Callable[[Any, datetime], datetime]]] = {
    events.PermitIssued: lambda event, _: first_instant(event.anchor),
    events.PermitEndorsed: lambda event, _: first_instant(event.endorsed_on),
    events.AddressChanged: lambda event, _: first_instant(event.moved_on),
    events.CardReportedLost: _lost,
    events.IdentityCorrected: lambda _, __: (
        BEGINNING
    ),  # who it is; the card is stale from recording
    events.PermitVoided: _recorded,  # from discovery [N18]
    events.PermitCancelled: _recorded,
    events.ElectronicPermitClaimed: _recorded,
    events.DeviceBound: _recorded,
    events.DeviceRevoked: _recorded,
    events.LossLifted: _recorded,
    events.CardReissued: _recorded,
    events.CardReplaced: _recorded,
    events.CardDelivered: _recorded,
    events.HolderRestricted: _recorded,
    events.HolderRestrictionLifted: _recorded,
    events.HolderErased: _recorded,
}
"""Since when what an event says is true; the second argument is when it was recorded."""

_FOLLOWS: Final[Mapping[type[PermitEvent], tuple[type[PermitEvent], ...]]] = {
    events.PermitEndorsed: (events.PermitEndorsed,),
    events.CardReportedLost: (
        events.CardReportedLost,
        events.LossLifted,
        events.CardReissued,
        events.CardReplaced,
    ),
}
"""Which others an event is about the outcome of, and so can't have been true before: a card that
was found or made on the fifth was not lost on the third, whatever its holder remembers."""

_NEW_CARD = (events.CardReissued, events.CardReplaced, events.HolderErased)
_OF_A_PHONE = (events.ElectronicPermitClaimed, events.DeviceBound)

Apply = Callable[[Any, Permit], None]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one event does, or a part of it, and since when; ``recorded_at`` never goes back from
    one version to the next, whatever clocks have said."""

    true_from: datetime
    recorded_at: datetime
    event: PermitEvent
    apply: Apply

    @property
    def order(self) -> tuple[datetime, int]:
        return self.true_from, self.event.originator_version

    def applied(self, permit: Permit | None) -> Permit:
        """The permit after it, changed in place; the first effect is the issue, which makes it."""
        if isinstance(self.event, PermitIssued):
            return self.event.mutate(None)
        assert permit is not None  # noqa: S101  nothing is true before the issue
        self.apply(self.event, permit)
        return permit


@dataclass(frozen=True, slots=True)
class AsOf:
    """A permit at an instant. ``version`` is the newest one of the events that it is made of;
    ``uncertain`` names what can't be told any more, since it went with the holder's key."""

    at: datetime
    permit: Permit
    version: int
    uncertain: tuple[str, ...]

    @property
    def standing(self) -> Standing:
        """How it stood on that day."""
        return Standing(
            replace(Facts.of(self.permit), version=self.version), shanghai_date(self.at)
        )


class History:
    """All events of one permit, in the order of their versions."""

    def __init__(self, happened: Sequence[PermitEvent]) -> None:
        """``happened`` begins with the issue, version 1, and lacks none."""
        self.events = tuple(happened)
        self.recorded_at = list(accumulate((event.timestamp for event in happened), max))
        self._effects = _effects(self.events, self.recorded_at)
        self._sorted: dict[int, list[Effect]] = {}
        self._folded: dict[tuple[int, int], tuple[Permit, int, tuple[str, ...]]] = {}

    def known_by(self, instant: datetime) -> int:
        """How many of the events were recorded by then: the first so many."""
        return bisect_right(self.recorded_at, instant)

    def true_from(self, version: int) -> datetime:
        """Since when what this version says is true, the first part of it."""
        return self._effects[version - 1][0].true_from

    def effects(self, known: int) -> list[Effect]:
        """Of the first ``known`` events, in the order in which they became true."""
        if known not in self._sorted:
            found = [effect for of_event in self._effects[:known] for effect in of_event]
            self._sorted[known] = sorted(found, key=lambda effect: effect.order)
        return self._sorted[known]

    def as_of(self, at: datetime, known: int) -> AsOf | None:
        """The permit at an instant, from the first ``known`` events; ``None``: not issued yet.

        The result shares its permit with others: it is for reading.
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


def _effects(
    happened: Sequence[PermitEvent], recorded_at: Sequence[datetime]
) -> list[tuple[Effect, ...]]:
    """Each event's own; none is true before the permit was issued, nor before what it follows."""
    found: list[tuple[Effect, ...]] = []
    last: dict[type[PermitEvent], datetime] = {}
    for event, recorded in zip(happened, recorded_at, strict=True):
        kind = type(event)
        since = TRUE_FROM[kind](event, recorded)
        not_before = [found[0][0].true_from] if found else []
        not_before += [last[other] for other in _FOLLOWS.get(kind, ()) if other in last]
        since = last[kind] = max(since, *not_before) if not_before else since
        if isinstance(event, events.IdentityCorrected):
            found.append(
                (
                    Effect(since, recorded, event, _correct_person),
                    Effect(recorded, recorded, event, _outdate_card),
                )
            )
        else:
            found.append((Effect(since, recorded, event, kind.apply),))
    return found


def _correct_person(event: events.IdentityCorrected, permit: Permit) -> None:
    permit.identity = event.corrected(permit.identity)


def _outdate_card(event: events.IdentityCorrected, permit: Permit) -> None:
    if event.outdates_card:
        permit.card = permit.card.outdated()


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
    """Of somebody erased nobody knows which of their details was corrected, nor on which of their
    phones the permit could be shown."""
    event = effect.event
    if effect.apply is _outdate_card and isinstance(event, events.IdentityCorrected):
        if event.name is ERASED:
            uncertain["identity_stale"] = uncertain["physical.effective"] = True
    elif isinstance(event, _NEW_CARD):
        uncertain["identity_stale"] = uncertain["physical.effective"] = False
    if isinstance(event, _OF_A_PHONE):
        uncertain["electronic.devices"] = event.device is ERASED
    elif isinstance(event, events.HolderErased):
        uncertain["electronic.devices"] = False
