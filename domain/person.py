"""The holder's identity, the guardian, the home: values that events carry."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime

from . import citizen_id, fields, text
from .context import CommandContext
from .errors import FieldProblem
from .personal import ERASED, Personal, Plain
from .policy import Policy

PORTRAIT_DIGEST_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Identity:
    """The holder's identity, as the card's face shows it.

    ``portrait`` is the SHA-256 digest (hex) of the picture, which is stored beside the log.
    """

    name: str
    sex: str
    ethnicity: str
    birth_date: date
    citizen_id_number: str
    hukou_address: str
    portrait: str | None = None

    def normalised(self) -> Identity:
        return Identity(
            name=text.name(self.name),
            sex=text.code(self.sex),
            ethnicity=text.code(self.ethnicity),
            birth_date=self.birth_date,
            citizen_id_number=citizen_id.normalise(self.citizen_id_number),
            hukou_address=text.line(self.hukou_address),
            portrait=self.portrait,
        )

    def problems(self, policy: Policy, today: date) -> Iterator[FieldProblem]:
        """Every field that can't be accepted. [P4]"""
        for problem in self.problems_by_field(policy, today).values():
            yield replace(problem, field=f"holder.{problem.field}")

    def problems_by_field(self, policy: Policy, today: date) -> dict[str, FieldProblem]:
        """The same under the names of this class's fields, at most one each."""
        found = [
            fields.name_problem("name", self.name),
            fields.address_problem("hukou_address", self.hukou_address),
            fields.citizen_number_problem(
                "citizen_id_number",
                self.citizen_id_number,
                policy,
                birth_date=self.birth_date,
                sex=self.sex,
            ),
        ]
        if self.sex not in fields.SEXES:
            found.append(FieldProblem("sex", "a sex code is 0, 1, 2 or 9 (GB/T 2261.1)"))
        if self.ethnicity not in fields.ETHNICITIES:
            reason = "an ethnicity code is 01-56, 97 or 98 (GB 3304)"
            found.append(FieldProblem("ethnicity", reason))
        if self.birth_date > today:
            found.append(FieldProblem("birth_date", "must not be in the future"))
        return {problem.field: problem for problem in found if problem}


def is_on_card(changed: Collection[str]) -> bool:
    """Whether the card shows any of these fields: all that can be corrected but the hukou address.
    [P26]"""
    return any(field != "hukou_address" for field in changed)


def correction_problems(
    corrected: Identity, changed: Collection[str], issued_on: date, context: CommandContext
) -> Iterator[FieldProblem]:
    """The problems of a correction, under the fields that were ``changed``. [P26]

    Number, birth date and sex have to agree whichever of them is changed; other fields that stay
    are not validated again.
    """
    problems = corrected.problems_by_field(context.policy, context.today)
    if corrected.birth_date > issued_on:
        reason = "must not be later than the day the permit was issued"
        problems.setdefault("birth_date", FieldProblem("birth_date", reason))
    for field, problem in problems.items():
        if field in changed:
            yield problem
        elif field == "citizen_id_number":
            causes = [cause for cause in ("birth_date", "sex") if cause in changed]
            yield from (replace(problem, field=cause) for cause in causes[:1])


@dataclass(frozen=True, slots=True)
class Guardian:
    """The guardian or agent who acts for the holder, with an own number. [N9]"""

    name: str
    citizen_id_number: str

    def normalised(self) -> Guardian:
        return Guardian(text.name(self.name), citizen_id.normalise(self.citizen_id_number))

    def problems(self, policy: Policy, holder: Identity) -> Iterator[FieldProblem]:
        found = (
            fields.name_problem("guardian.name", self.name),
            fields.companion_number_problem(
                "guardian.citizen_id_number", self.citizen_id_number, policy
            ),
        )
        yield from filter(None, found)
        if self.citizen_id_number == holder.citizen_id_number:
            yield FieldProblem("guardian.citizen_id_number", "must not be the holder's own number")


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """One officer's request to erase. It executes when another officer makes the same one before
    ``expires_at``."""

    officer: str
    legal_basis: str
    case: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Erasure:
    """The record of an erasure: when and why it was done, and who approved it.

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
        return Residence(text.code(self.division), text.line(self.address))

    def problems(self, policy: Policy) -> Iterator[FieldProblem]:
        found = (
            fields.division_problem("residence.division", self.division, policy),
            None
            if self.address is ERASED
            else fields.address_problem("residence.address", self.address),
        )
        yield from filter(None, found)
