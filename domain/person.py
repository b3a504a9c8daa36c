"""The holder's identity, the guardian, the home: values that events carry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from . import citizen_id, fields
from .errors import FieldProblem
from .personal import ERASED, Personal, Plain
from .policy import Policy

PORTRAIT_DIGEST_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the holder is, as the card's face shows it.

    ``portrait`` is the SHA-256 digest (hex) of the picture, which is kept beside the log.
    """

    name: str
    sex: str
    ethnicity: str
    birth_date: date
    citizen_id_number: str
    hukou_address: str
    portrait: str | None = None

    def normalised(self) -> Identity:
        name = fields.normalise_text(self.name)
        number = citizen_id.normalise(self.citizen_id_number)
        hukou_address = fields.normalise_text(self.hukou_address)
        return Identity(
            name, self.sex, self.ethnicity, self.birth_date, number, hukou_address, self.portrait
        )

    def problems(self, policy: Policy, today: date) -> Iterator[FieldProblem]:
        """Every field that can't be accepted. [P4]"""
        found = (
            fields.name_problem("holder.name", self.name),
            fields.address_problem("holder.hukou_address", self.hukou_address),
            fields.citizen_number_problem(
                "holder.citizen_id_number",
                self.citizen_id_number,
                policy,
                birth_date=self.birth_date,
                sex=self.sex,
            ),
        )
        yield from filter(None, found)
        if self.sex not in fields.SEXES:
            yield FieldProblem("holder.sex", "a sex code is 0, 1, 2 or 9 (GB/T 2261.1)")
        if self.ethnicity not in fields.ETHNICITIES:
            yield FieldProblem("holder.ethnicity", "an ethnicity code is 01-56, 97 or 98 (GB 3304)")
        if self.birth_date > today:
            yield FieldProblem("holder.birth_date", "a birth date lies in the past")


@dataclass(frozen=True, slots=True)
class Guardian:
    """The guardian or agent who comes for the holder, with an own number. [N9]"""

    name: str
    citizen_id_number: str

    def normalised(self) -> Guardian:
        return Guardian(
            fields.normalise_text(self.name), citizen_id.normalise(self.citizen_id_number)
        )

    def problems(self, policy: Policy, holder: Identity) -> Iterator[FieldProblem]:
        found = (
            fields.name_problem("guardian.name", self.name),
            fields.citizen_number_problem(
                "guardian.citizen_id_number", self.citizen_id_number, policy
            ),
        )
        yield from filter(None, found)
        if self.citizen_id_number == holder.citizen_id_number:
            yield FieldProblem("guardian.citizen_id_number", "a guardian is another person")


@dataclass(frozen=True, slots=True)
class Erasure:
    """What stays of an erased person: when and why it was done, and that it was.

    ``key`` is the commitment to the key that was destroyed; up to ``backups_hold_key_until`` copies
    of the database that were made before may still hold it.
    """

    erased_at: datetime
    legal_basis: str
    case: str
    approvals: tuple[str, ...]
    key: str
    backups_hold_key_until: date


@dataclass(frozen=True, slots=True)
class Residence:
    """Where the holder lives (居住地): a division of the province and an address in it."""

    division: Plain[str]
    address: Personal[str]

    def normalised(self) -> Residence:
        if self.address is ERASED:
            return self
        return Residence(self.division, fields.normalise_text(self.address))

    def problems(self, policy: Policy) -> Iterator[FieldProblem]:
        found = (
            fields.division_problem("residence.division", self.division, policy),
            None
            if self.address is ERASED
            else fields.address_problem("residence.address", self.address),
        )
        yield from filter(None, found)
