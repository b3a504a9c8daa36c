"""The submission for a first identity card, and whether it is complete."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from domain import text
from domain.calendar import age_on
from domain.context import CommandContext
from domain.errors import FieldProblem, GuardianRequired, require_valid
from domain.person import Guardian
from domain.policy import IdCardPolicy

from .errors import CommitmentMissing, MaterialsMissing, NotAvailable, NotFirst, NotInterprovincial
from .materials import Material, missing
from .people import Applicant, companion_problems

_PROVINCE = re.compile(r"[1-9][0-9]")
GUARDIAN, COMMITMENT = "guardian", "commitment_letter"
"""What can be missing, besides materials."""
CARD_TERMS = ((16, 5), (26, 10), (46, 20))
"""(age, years): below this age the card is valid for so many years; from the last on, for good.
[C14]"""


class CollectionMethod(StrEnum):
    """How the card is to be handed over. [C10, C11]"""

    IN_PERSON = "in_person"
    AGENT = "agent"
    MAIL = "mail"


@dataclass(frozen=True, slots=True)
class Submission:
    """An applicant with everything that was brought.

    ``guardian_relation_registered``: the household register shows the relation to the guardian.
    """

    applicant: Applicant
    hukou_province: str
    """By the household register, not by the citizen number. [C1]"""
    materials: frozenset[Material]
    proofs_without_photo: frozenset[Material]
    guardian: Guardian | None
    guardian_relation_registered: bool
    commitment_signed: bool
    ever_held_id_card: bool
    temporary_card_requested: bool
    collection: CollectionMethod

    def normalised(self) -> Submission:
        guardian = self.guardian.normalised() if self.guardian else None
        province = text.code(self.hukou_province)
        applicant = self.applicant.normalised()
        return replace(self, applicant=applicant, guardian=guardian, hukou_province=province)

    def require_acceptable(self, context: CommandContext) -> None:
        """Refuse for the first reason that applies: fields that can't be true; rules that no
        material can satisfy; missing materials, all of them named at once.

        Raises:
            InvalidDetails: fields that can't be true, all of them.
            NotInterprovincial, NotFirst, NotAvailable: in this order. [C1, C2, C12]
            GuardianRequired, MaterialsMissing, CommitmentMissing: likewise. [C3, C4, C6]
        """
        require_valid(*self._problems(context))
        rules = context.policy.id_cards
        if self.hukou_province not in rules.provinces:
            raise NotInterprovincial
        if self.ever_held_id_card:
            raise NotFirst
        if self.temporary_card_requested:
            raise NotAvailable
        self._require_complete(rules, context.today)

    def is_child(self, rules: IdCardPolicy, today: date) -> bool:
        return age_on(self.applicant.birth_date, today) < rules.guardian_below_age

    def _require_complete(self, rules: IdCardPolicy, today: date) -> None:
        is_child = self.is_child(rules, today)
        lacks_guardian = is_child and self.guardian is None
        materials = [
            *missing(
                self.materials,
                is_child=is_child,
                relation_registered=self.guardian_relation_registered,
            )
        ]
        commitment = [] if self.commitment_signed else [COMMITMENT]
        if lacks_guardian:
            raise GuardianRequired([GUARDIAN, *materials, *commitment])
        if materials:
            raise MaterialsMissing([*materials, *commitment])
        if commitment:
            raise CommitmentMissing(commitment)

    def _problems(self, context: CommandContext) -> Iterator[FieldProblem]:
        yield from self.applicant.problems(context.policy, context.today)
        if not _PROVINCE.fullmatch(self.hukou_province):
            reason = "a province is a code of two digits (GB/T 2260)"
            yield FieldProblem("applicant.hukou_province", reason)
        if self.guardian:
            yield from companion_problems("guardian", self.guardian, self.applicant, context.policy)


def card_term_years(birth_date: date, today: date) -> int | None:
    """The validity in years of a card applied for today; ``None``: for good (长期). [C14]"""
    age = age_on(birth_date, today)
    return next((years for below, years in CARD_TERMS if age < below), None)
