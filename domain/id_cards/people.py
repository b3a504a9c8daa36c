"""The applicant, and the guardian or agent who acts for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from domain import citizen_id, fields, text
from domain.errors import FieldProblem
from domain.person import Guardian
from domain.policy import Policy


@dataclass(frozen=True, slots=True)
class Applicant:
    """The applicant, as in the household register."""

    name: str
    sex: str
    ethnicity: str
    birth_date: date
    citizen_id_number: str

    def normalised(self) -> Applicant:
        return Applicant(
            name=text.name(self.name),
            sex=text.code(self.sex),
            ethnicity=text.code(self.ethnicity),
            birth_date=self.birth_date,
            citizen_id_number=citizen_id.normalise(self.citizen_id_number),
        )

    def problems(self, policy: Policy, today: date) -> Iterator[FieldProblem]:
        """Every field that can't be accepted."""
        found = (
            fields.name_problem("applicant.name", self.name),
            fields.citizen_number_problem(
                "applicant.citizen_id_number",
                self.citizen_id_number,
                policy,
                birth_date=self.birth_date,
                sex=self.sex,
            ),
        )
        yield from filter(None, found)
        if self.sex not in fields.SEXES:
            yield FieldProblem("applicant.sex", "a sex code is 0, 1, 2 or 9 (GB/T 2261.1)")
        if self.ethnicity not in fields.ETHNICITIES:
            reason = "an ethnicity code is 01-56, 97 or 98 (GB 3304)"
            yield FieldProblem("applicant.ethnicity", reason)
        if self.birth_date > today:
            yield FieldProblem("applicant.birth_date", "must not be in the future")


def companion_problems(
    field: str, person: Guardian, applicant: Applicant, policy: Policy
) -> Iterator[FieldProblem]:
    """The problems of a guardian's or an agent's details; the number must be their own."""
    number_field = f"{field}.citizen_id_number"
    found = (
        fields.name_problem(f"{field}.name", person.name),
        fields.companion_number_problem(number_field, person.citizen_id_number, policy),
    )
    yield from filter(None, found)
    if person.citizen_id_number == applicant.citizen_id_number:
        yield FieldProblem(number_field, "must not be the applicant's own number")
