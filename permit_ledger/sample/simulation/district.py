"""Issues of the simulated permits: taken over, first ones, and those of returning holders."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random

from domain import permit_number
from domain.application import Application
from domain.calendar import MONTHS_A_YEAR, Term, add_months, age_on, shanghai_date
from domain.context import CommandContext
from domain.permit import Permit
from domain.person import Identity, Residence
from domain.policy import Ground
from ledger.crypto.portraits import Portrait
from ledger.eventlog.registry import ClaimHolder

from .cards import Cards
from .chance import DAYS_A_YEAR, Weighted
from .changes import Corrections, ElectronicTrack, Ends, Moves
from .city import City, Emigrant, SimulatedPermit
from .people import Person, residence_registered_on
from .years import Years

TAKEOVER_ACTOR = "takeover"
_GROUNDS = Weighted[Ground](
    {Ground.EMPLOYMENT: 0.74, Ground.DWELLING: 0.21, Ground.SCHOOLING: 0.05}
)
_LATER_SERIALS = Weighted[int]({1: 0.88, 2: 0.1, 3: 0.02})


class District:
    """Issues the run's permits and plans the acts of each.

    Permit numbers come from a random source of their own, so that every run of one seed begins with
    the same number, whatever its size: the log refuses the second of them at once.
    """

    def __init__(self, city: City, numbers: Random) -> None:
        self._city = city
        self._numbers = numbers
        self.permits = 0

    def take_over(self, at: datetime) -> None:
        """Take over a permit that was issued in earlier years."""
        city = self._city
        chance = city.chance
        term = self._earlier_term(shanghai_date(at))
        person, home = city.people.person(term.anchor), city.people.home()
        application = self._application(
            person,
            home,
            term.anchor,
            years=term.years,
            card_serial=_LATER_SERIALS.pick(chance),
            taken_over_from=f"old-system/{self.permits + 1:08d}",
        )
        context = city.context(TAKEOVER_ACTOR, city.office.station(home.division), at)
        simulated = self._issue(application, None, person.portrait, context)
        cards = self._plan(simulated, at, city.rates.stock_claimed_after_days_mean)
        cards.keep(at)

    def issue(self, at: datetime) -> None:
        """Issue a permit at the counter."""
        city = self._city
        today = shanghai_date(at)
        home = city.people.home()
        person, known = self._returning(today) or (city.people.person(today), None)
        application = self._application(person, home, today)
        context = city.counter(home.division, at)
        simulated = self._issue(application, known, person.portrait, context)
        cards = self._plan(simulated, at, city.rates.claimed_after_days_mean)
        cards.expect(at)

    def _earlier_term(self, today: date) -> Term:
        """A term that runs out within the coming year, or lately has."""
        rates, chance = self._city.rates, self._city.chance
        if chance.happens(rates.stock_overdue_share):
            days = -chance.randint(0, rates.after_grace_days_max)
        else:
            days = chance.randint(1, int(DAYS_A_YEAR) - 1)
        years = chance.randint(1, rates.stock_years_max)
        anniversary = today + timedelta(days=days)
        return Term(add_months(anniversary, -MONTHS_A_YEAR * years), years)

    def _returning(self, today: date) -> tuple[Person, str] | None:
        """The former holder who left longest ago, if long enough ago and by chance."""
        rates, emigrants = self._city.rates, self._city.emigrants
        if not (emigrants and self._city.chance.happens(rates.returning_share)):
            return None
        if not _may_return(emigrants[0], today, rates.returning_after_days):
            return None
        back = emigrants.popleft()
        if age_on(back.identity.birth_date, today) < self._city.policy.guardian_below_age:
            return None
        return self._city.people.again(back.identity, today), back.holder_id

    def _application(
        self,
        person: Person,
        home: Residence,
        issued_on: date,
        *,
        years: int = 1,
        card_serial: int = 1,
        taken_over_from: str | None = None,
    ) -> Application:
        city = self._city
        months_min = city.policy.residence_months_min
        young = person.guardian is not None
        return Application(
            identity=person.identity,
            residence=home,
            residence_registered_on=residence_registered_on(city.chance, issued_on, months_min),
            ground=Ground.SCHOOLING if young else _GROUNDS.pick(city.chance),
            issued_on=issued_on,
            guardian=person.guardian,
            years=years,
            card_serial=card_serial,
            taken_over_from=taken_over_from,
        )

    def _issue(
        self,
        application: Application,
        known: str | None,
        portrait: Portrait,
        context: CommandContext,
    ) -> SimulatedPermit:
        """``known`` is the holder id of a person who is on record."""
        number = permit_number.draw(self._numbers.getrandbits)
        holder_id = known or self._city.chance.hex(32)
        permit = Permit.issue(number, holder_id, application, context)
        index = self._index(permit.person)
        take = ClaimHolder(index, holder_id, number)
        self._city.record(permit, [take], portrait, new_holder=known is None)
        self.permits += 1
        return SimulatedPermit(self._city, permit)

    def _index(self, identity: Identity) -> bytes:
        return self._city.blind_index.of(identity.citizen_id_number)

    def _plan(
        self, simulated: SimulatedPermit, now: datetime, claimed_after_days_mean: float
    ) -> Cards:
        """Plan everything but the card, whose start differs; return the card's plan."""
        cards = Cards(simulated)
        Years(simulated, cards).plan(now)
        ElectronicTrack(simulated).plan(now, mean_days=claimed_after_days_mean)
        Moves(simulated).plan(now)
        Corrections(simulated, cards).plan(now)
        Ends(simulated).plan(now)
        return cards


def _may_return(emigrant: Emigrant, today: date, after_days: int) -> bool:
    return (today - emigrant.left_on).days >= after_days
