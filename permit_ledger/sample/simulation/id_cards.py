"""Applications for first identity cards: another counter of the same city.

They have a random source and people of their own, so that a seed's permits are the same with and
without them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial
from random import Random

from domain.calendar import ONE_DAY, WorkdayCalendar, age_on, shanghai_date
from domain.context import CommandContext
from domain.id_cards import receipt_number
from domain.id_cards.application import IdCardApplication
from domain.id_cards.collection import CollectedBy, Collection
from domain.id_cards.materials import Material
from domain.id_cards.people import Applicant
from domain.id_cards.submission import CollectionMethod, Submission
from domain.person import Guardian
from ledger.eventlog.registry import ClaimHolder, ReleaseHolder

from .chance import Chance, Weighted
from .city import City
from .office import Office
from .people import Person, Population

_PROVINCES = Weighted[str]({"34": 0.72, "33": 0.19, "31": 0.09})
_METHODS = Weighted[CollectionMethod](
    {
        CollectionMethod.IN_PERSON: 0.7,
        CollectionMethod.MAIL: 0.2,
        CollectionMethod.AGENT: 0.1,
    }
)
_PROOFS = Weighted[Material](
    {
        Material.EMPLOYMENT_PROOF: 0.5,
        Material.RESIDENCE_PROOF: 0.35,
        Material.STUDY_PROOF: 0.15,
    }
)
_OTHER_SEED = 1_000_003
"""Far from the permits' people, for all usual seeds."""


class IdCardCounter:
    """Accepts the run's applications and plans the steps of each.

    Receipt numbers come from a random source of their own: every run of one seed begins with the
    same.
    """

    def __init__(self, city: City, seed: int, workdays: WorkdayCalendar) -> None:
        self._city = city
        self._workdays = workdays
        self._chance = Chance(f"applications of seed {seed}")
        self._numbers = Random(f"receipt numbers of seed {seed}")  # noqa: S311
        self._office = Office(city.rates, self._chance, workdays, city.policy.stations)
        below = city.policy.id_cards.guardian_below_age
        self._people = Population(self._chance, seed + _OTHER_SEED, below)
        self.applications = 0

    def plan(self, applications: int, calendar: list[date]) -> None:
        """Spread them over the open days, in proportion to the office's load."""
        weights = [self._office.issues_weight(day) for day in calendar]
        for day in self._chance.choices(calendar, weights=weights, k=applications):
            self._city.agenda.plan(self._office.served(day), self._accept)

    def _accept(self, at: datetime) -> None:
        today = shanghai_date(at)
        person = self._people.person(today)
        station = self._office.station(self._people.home().division)
        context = self._context(station, at)
        application = IdCardApplication.accept(
            receipt_number.draw(self._numbers.getrandbits),
            self._chance.hex(32),
            self._submission(person, today),
            self._workdays,
            context,
        )
        index = self._city.blind_index.of_applicant(person.identity.citizen_id_number)
        self._city.record(
            application,
            [
                ClaimHolder(index, application.holder_id, application.id),
                ReleaseHolder(index, application.id),
            ],
            new_holder=True,
        )
        self.applications += 1
        self._plan_way(application, at)

    def _submission(self, person: Person, today: date) -> Submission:
        identity, chance = person.identity, self._chance
        proof = _PROOFS.pick(chance)
        materials = {Material.HOUSEHOLD_REGISTER, proof}
        young = age_on(identity.birth_date, today) < self._city.policy.id_cards.guardian_below_age
        registered = chance.happens(0.85)
        if young:
            proof = Material.STUDY_PROOF
            materials = {
                Material.HOUSEHOLD_REGISTER,
                Material.GUARDIAN_ID_CARD,
                Material.GUARDIAN_HOUSEHOLD_REGISTER,
                proof,
            }
            if not registered:
                materials.add(Material.BIRTH_CERTIFICATE)
        return Submission(
            applicant=Applicant(
                identity.name,
                identity.sex,
                identity.ethnicity,
                identity.birth_date,
                identity.citizen_id_number,
            ),
            hukou_province=_PROVINCES.pick(chance),
            materials=frozenset(materials),
            proofs_without_photo=frozenset({proof} if chance.happens(0.1) else ()),
            guardian=person.guardian if young else None,
            guardian_relation_registered=registered or not young,
            commitment_signed=True,
            ever_held_id_card=False,
            temporary_card_requested=False,
            collection=_METHODS.pick(chance),
        )

    def _plan_way(self, application: IdCardApplication, accepted_at: datetime) -> None:
        """Each step on a later day than the one before; some take too long, some end early."""
        chance, rates = self._chance, self._city.rates
        slow = rates.application_slow_days if chance.happens(rates.application_slow_share) else 0
        steps: list[tuple[int, Callable[..., None]]] = [
            (chance.randint(1, 3), application.dispatch),
            (chance.randint(3, 9) + slow, application.approve),
            (chance.randint(3, 8), application.produce),
            (chance.randint(1, 4), application.arrive),
        ]
        if chance.happens(rates.application_returned_share):
            reason = "照片与户籍档案不符"
            steps[1:] = [(steps[1][0], partial(application.send_back, reason))]
        elif chance.happens(rates.application_withdrawn_share):
            steps[1:] = [(chance.randint(1, 8), application.withdraw)]
        elif not chance.happens(rates.card_left_share):
            wait = chance.days(rates.card_fetched_after_days_mean)
            steps.append((wait.days, partial(application.collect, self._collection(application))))
        day = shanghai_date(accepted_at)
        for days, act in steps:
            at = self._office.visit(max(day + timedelta(days=days), day + ONE_DAY))
            day = shanghai_date(at)
            self._city.agenda.plan(at, partial(self._do, application, act))

    def _do(self, application: IdCardApplication, act: Callable[..., None], at: datetime) -> None:
        """By an officer of the station that accepted it."""
        station = application.accepted_by or ""
        act(context=self._context(station, at))
        self._city.record(application)

    def _context(self, station: str, at: datetime) -> CommandContext:
        """Without using the permits' random source."""
        officer = self._office.officer(station)
        return CommandContext(officer, station, self._chance.hex(32), at, self._city.policy)

    def _collection(self, application: IdCardApplication) -> Collection:
        if application.collection is CollectionMethod.MAIL:
            return Collection(CollectedBy.MAIL)
        if application.collection is CollectionMethod.AGENT:
            other = self._people.person(application.accepted_on).identity
            agent = Guardian(other.name, other.citizen_id_number)
            return Collection(CollectedBy.AGENT, receipt_shown=True, signed=True, agent=agent)
        return Collection(
            CollectedBy.APPLICANT,
            receipt_shown=True,
            details_checked=True,
            fingerprint_checked=True,
            signed=True,
        )
