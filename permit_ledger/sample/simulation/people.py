"""Made-up people: names, numbers of area 99, homes, faces. They are no real people."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from importlib.resources import files
from itertools import count
from typing import Any

from domain import citizen_id
from domain.calendar import MONTHS_A_YEAR, add_months, age_on
from domain.person import Guardian, Identity, Residence
from ledger.crypto.portraits import Portrait

from .chance import Chance, Weighted
from .portraits import portrait, variant_for

_AREAS, _SEQUENCES_OF_A_SEX = 10_000, 500
_NUMBERS = _AREAS * _SEQUENCES_OF_A_SEX
_SEED_STRIDE = 3_090_169
"""About the golden section of ``_NUMBERS``: seeds 1, 2, 3 … begin far from one another."""
_TWO_CHARACTERS_SHARE, _RARE_SHARE = 0.78, 0.004
_FEMALE_SHARE, _MOTHER_SHARE = 0.44, 0.55
_PARENT_YEARS_MIN, _PARENT_YEARS_MAX = 21, 40


@dataclass(frozen=True, slots=True)
class Person:
    """An applicant, with a guardian if under age."""

    identity: Identity
    guardian: Guardian | None
    portrait: Portrait


class Population:
    """Draws people; no two of a run share a citizen number.

    A number's area and sequence count up through 5 million places, so up to that many people per
    run differ by construction; the seed decides where the counting starts.
    """

    def __init__(self, chance: Chance, seed: int, guardian_below_age: int) -> None:
        people, places = _read("people.toml"), _read("places.toml")
        self._chance = chance
        self._guardian_below_age = guardian_below_age
        self._places = _places(seed)
        self._people = people
        self._surnames = Weighted[str](people["surnames"])
        self._ethnicities = Weighted[str](people["ethnicities"])
        self._ages = Weighted[tuple[int, int]](
            ((band["youngest"], band["oldest"]), band["weight"]) for band in people["ages"]
        )
        self._divisions = Weighted[str](places["shares"])
        self._streets: dict[str, list[str]] = places["streets"]
        self._elsewhere: list[dict[str, Any]] = places["elsewhere"]
        self._estates: list[str] = places["estates"]
        self._villages: list[str] = places["villages"]
        self._hukou = Weighted[str](
            (county, province["weight"] / len(province["counties"]))
            for province in places["hukou"]
            for county in province["counties"]
        )

    def person(self, applied_on: date) -> Person:
        """A person of a usual age for an application."""
        chance = self._chance
        age = chance.randint(*self._ages.pick(chance))
        birth_date = _birthday(chance, applied_on, age)
        female = chance.happens(_FEMALE_SHARE)
        ethnicity = self._ethnicities.pick(chance)
        surname = self._surnames.pick(chance)
        face = portrait(variant_for(female=female, age=age, pick=chance.getrandbits(16)))
        identity = Identity(
            name=self._name(surname, ethnicity, female=female),
            sex=citizen_id.FEMALE if female else citizen_id.MALE,
            ethnicity=ethnicity,
            birth_date=birth_date,
            citizen_id_number=self._citizen_number(birth_date, female=female),
            hukou_address=self.hukou_address(),
            portrait=face.digest,
        )
        young = age_on(birth_date, applied_on) < self._guardian_below_age
        return Person(identity, self._parent(identity, surname) if young else None, face)

    def again(self, identity: Identity, applied_on: date) -> Person:
        """A returning person without a guardian, with a new picture."""
        age = age_on(identity.birth_date, applied_on)
        female = identity.sex == citizen_id.FEMALE
        face = portrait(variant_for(female=female, age=age, pick=self._chance.getrandbits(16)))
        return Person(replace(identity, portrait=face.digest), None, face)

    def other_name(self, identity: Identity) -> str:
        """The name as it should have been: one character of it was wrong."""
        given = self._given_characters(female=identity.sex == citizen_id.FEMALE)
        choices = [character for character in given if character != identity.name[-1]]
        return identity.name[:-1] + self._chance.choice(choices)

    def other_number(self, identity: Identity) -> str:
        """A number of the same birth date and sex."""
        female = identity.sex == citizen_id.FEMALE
        return self._citizen_number(identity.birth_date, female=female)

    def hukou_address(self) -> str:
        chance = self._chance
        village, house = chance.choice(self._villages), chance.randint(1, 199)
        return f"{self._hukou.pick(chance)}{village}{house}号"

    def home(self) -> Residence:
        """Somewhere in the city."""
        chance = self._chance
        division = self._divisions.pick(chance)
        return Residence(division, self._address(chance.choice(self._streets[division])))

    def home_elsewhere(self) -> Residence:
        """Somewhere else in the province."""
        place = self._chance.choice(self._elsewhere)
        return Residence(place["division"], self._address(self._chance.choice(place["streets"])))

    def _address(self, street: str) -> str:
        chance = self._chance
        door = f"{chance.randint(1, 30)}幢{chance.randint(1, 18)}0{chance.randint(1, 4)}室"
        return f"{street}{chance.randint(1, 899)}号{chance.choice(self._estates)}{door}"

    def _name(self, surname: str, ethnicity: str, *, female: bool) -> str:
        chance, people = self._chance, self._people
        if ethnicity in people["dotted_ethnicities"]:
            own = people["dotted_female" if female else "dotted_male"]
            return f"{chance.choice(own)}·{chance.choice(people['dotted_father'])}"
        characters = self._given_characters(female=female)
        given = chance.choice(characters)
        if chance.happens(_TWO_CHARACTERS_SHARE):
            given += chance.choice(characters)
        if chance.happens(_RARE_SHARE):
            given = given[:-1] + chance.choice(people["given_rare"])
        return surname + given

    def _given_characters(self, *, female: bool) -> str:
        return str(self._people["given_female" if female else "given_male"])

    def _parent(self, child: Identity, surname: str) -> Guardian:
        """Either parent; the child has its father's surname."""
        chance = self._chance
        mother = chance.happens(_MOTHER_SHARE)
        years = chance.randint(_PARENT_YEARS_MIN, _PARENT_YEARS_MAX)
        birth_date = _birthday(chance, child.birth_date, years)
        surname = self._surnames.pick(chance) if mother else surname
        name = self._name(surname, child.ethnicity, female=mother)
        return Guardian(name, self._citizen_number(birth_date, female=mother))

    def _citizen_number(self, birth_date: date, *, female: bool) -> str:
        place = next(self._places)
        sequence = 2 * (place // _AREAS) + (not female)
        area = f"{citizen_id.SYNTHETIC_AREA}{place % _AREAS:04d}"
        return citizen_id.compose(area, birth_date, sequence)


def residence_registered_on(chance: Chance, issued_on: date, months_min: int) -> date:
    """Long enough before the issue, by up to a year and a half."""
    return add_months(issued_on, -months_min) - timedelta(days=chance.randint(0, 540))


def _places(seed: int) -> Iterator[int]:
    start = seed * _SEED_STRIDE
    return (number % _NUMBERS for number in count(start))


def _birthday(chance: Chance, on: date, age: int) -> date:
    """A birth date of someone who is ``age`` years old ``on`` that day."""
    return add_months(on, -MONTHS_A_YEAR * age) - timedelta(days=chance.randint(1, 364))


def _read(file: str) -> dict[str, Any]:
    source = files(__package__) / file
    return tomllib.loads(source.read_text(encoding="utf-8"))
