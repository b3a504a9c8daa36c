"""The shared state of a run, and one simulated permit with its holder."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from domain.aggregate import Aggregate, DomainEvent
from domain.calendar import ONE_DAY, shanghai_date
from domain.context import CommandContext
from domain.permit import Permit
from domain.person import Identity, Residence
from domain.policy import Policy
from domain.stream_types import EVENTS
from ledger.commands.bulk import BulkAppender
from ledger.crypto.blind_index import BlindIndex
from ledger.crypto.portraits import Portrait
from ledger.eventlog.registry import HolderChange, ReleaseHolder

from .agenda import Act, Agenda
from .chance import Chance
from .office import Office
from .people import Population
from .rates import Rates

EMIGRANTS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Emigrant:
    """A former holder whose permit was cancelled and who may come back."""

    identity: Identity
    holder_id: str
    left_on: date


@dataclass(slots=True)
class City:
    """The run's random source, its agenda and its appender."""

    policy: Policy
    rates: Rates
    chance: Chance
    office: Office
    people: Population
    agenda: Agenda
    bulk: BulkAppender
    blind_index: BlindIndex
    emigrants: deque[Emigrant] = field(default_factory=lambda: deque(maxlen=EMIGRANTS_MAX))
    """Longest gone first."""
    events: Counter[str] = field(default_factory=lambda: Counter({e.TOPIC: 0 for e in EVENTS}))
    """By topic."""

    def record(
        self,
        permit: Aggregate,
        holder_changes: Sequence[HolderChange] = (),
        portrait: Portrait | None = None,
        *,
        new_holder: bool = False,
    ) -> None:
        """Append the permit's pending events after everything recorded before."""
        for event in permit.pending_events:
            assert isinstance(event, DomainEvent)  # noqa: S101  for the types
            self.events[event.TOPIC] += 1
        self.bulk.add(permit, holder_changes, portrait=portrait, new_holder=new_holder)

    def context(self, actor: str, station: str | None, at: datetime) -> CommandContext:
        return CommandContext(actor, station, self.chance.hex(32), at, self.policy)

    def counter(self, division: str, at: datetime) -> CommandContext:
        """An officer of the division acts."""
        station = self.office.station(division)
        return self.context(self.office.officer(station), station, at)


class SimulatedPermit:
    """A permit and its holder.

    Acts are planned for the next day at the earliest, and dropped once the permit has ended or its
    holder has left for good.
    """

    __slots__ = ("city", "has_left", "permit")

    def __init__(self, city: City, permit: Permit) -> None:
        self.city = city
        self.permit = permit
        self.has_left = False

    def at_counter(self, at: datetime) -> CommandContext:
        """The holder has come to an officer where they live."""
        return self.counter_of(self.permit.residence, at)

    def where_settled(self, at: datetime) -> CommandContext:
        """An officer of the district that may end the permit."""
        district = self.permit.settled_district(self.city.policy, shanghai_date(at))
        return self.city.counter(district, at)

    def counter_of(self, home: Residence, at: datetime) -> CommandContext:
        """An officer of that home's division acts; where it is outside the city, one of the
        division that issued the permit."""
        policy = self.city.policy
        if home.division in policy.divisions:
            return self.city.counter(home.division, at)
        issued_in = policy.district_of(self.permit.issuing_authority)
        return self.city.counter(issued_in or home.division, at)

    def by_holder(self, at: datetime) -> CommandContext:
        """The holder acts by phone."""
        return self.city.context(self.permit.holder_id, None, at)

    def record(self, *holder_changes: HolderChange) -> None:
        self.city.record(self.permit, holder_changes)

    def release(self) -> ReleaseHolder:
        """The permit has ended: its holder may get another."""
        number = self.permit.person.citizen_id_number
        return ReleaseHolder(self.city.blind_index.of(number), self.permit.id)

    def visit(self, day: date, act: Act, *, after: datetime) -> None:
        """Plan to come to the counter on ``day``, or when it is open next."""
        day = max(day, shanghai_date(after) + ONE_DAY)
        if self.city.agenda.reaches(day):
            self.city.agenda.plan(self.city.office.visit(day), self._unless_over(act))

    def visit_in(self, wait: timedelta, act: Act, *, after: datetime) -> None:
        self.visit(shanghai_date(after) + wait, act, after=after)

    def online_in(self, wait: timedelta, act: Act, *, after: datetime) -> None:
        """Plan to do it by phone, on any day; ``wait`` is at least one day."""
        day = shanghai_date(after) + wait
        if self.city.agenda.reaches(day):
            self.city.agenda.plan(self.city.office.online(day), self._unless_over(act))

    def _unless_over(self, act: Act) -> Act:
        def perform(at: datetime) -> None:
            if self.permit.end is None and not self.has_left:
                act(at)

        return perform
