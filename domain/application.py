"""An application for a permit (申领), and whether the applicant is eligible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from .calendar import add_months, age_on
from .context import CommandContext
from .errors import FieldProblem, GuardianRequired, NotEligible, require_valid
from .person import Guardian, Identity, Residence
from .policy import Ground, Policy

YEARS_MAX = 100
CARD_SERIAL_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Application:
    """The facts that an applicant presents at the counter.

    ``issued_on`` is the anchor; ``years`` and ``card_serial`` are above one only for a permit taken
    over from another system, named in ``taken_over_from``.
    """

    identity: Identity
    residence: Residence
    residence_registered_on: date | None
    ground: str | None
    issued_on: date
    guardian: Guardian | None = None
    years: int = 1
    card_serial: int = 1
    taken_over_from: str | None = None

    def normalised(self) -> Application:
        identity, residence = self.identity.normalised(), self.residence.normalised()
        guardian = self.guardian.normalised() if self.guardian else None
        if (identity, residence, guardian) == (self.identity, self.residence, self.guardian):
            return self
        return replace(self, identity=identity, residence=residence, guardian=guardian)

    def require_valid(self, context: CommandContext) -> None:
        """
        Raises:
            InvalidDetails: fields that can't be true, all of them. [P4]
        """
        policy, today = context.policy, context.today
        require_valid(
            *self.identity.problems(policy, today),
            *self.residence.problems(policy),
            *(self.guardian.problems(policy, self.identity) if self.guardian else ()),
            *self._date_problems(today),
            *self._number_problems(),
        )

    def require_eligible(self, policy: Policy) -> tuple[date, Ground]:
        """Return the registration date and the ground, once both are known to suffice. [P1, P3]

        Raises:
            NotEligible: naming every missing thing, a guardian included.
            GuardianRequired: when nothing but the guardian is missing.
        """
        missing = []
        if not self._has_lived_here(policy):
            missing.append("residence_registered_six_months")
        if self.ground not in policy.grounds:
            missing.append("ground")
        age = age_on(self.identity.birth_date, self.issued_on)
        guardian_missing = age < policy.guardian_below_age and self.guardian is None
        if missing:
            raise NotEligible([*missing, "guardian"] if guardian_missing else missing)
        if guardian_missing:
            raise GuardianRequired(["guardian"])
        assert self.residence_registered_on is not None and self.ground  # noqa: S101, PT018
        return self.residence_registered_on, Ground(self.ground)

    def _has_lived_here(self, policy: Policy) -> bool:
        registered_on = self.residence_registered_on
        if registered_on is None or registered_on > self.issued_on:
            return False
        return add_months(registered_on, policy.residence_months_min) <= self.issued_on

    def _number_problems(self) -> Iterator[FieldProblem]:
        taken_over = self.taken_over_from is not None
        years_max, serial_max = (YEARS_MAX, CARD_SERIAL_MAX) if taken_over else (1, 1)
        if not 1 <= self.years <= years_max:
            yield FieldProblem("years", f"must be 1 to {years_max}")
        if not 1 <= self.card_serial <= serial_max:
            yield FieldProblem("card_serial", f"must be 1 to {serial_max}")

    def _date_problems(self, today: date) -> Iterator[FieldProblem]:
        if self.issued_on > today:
            yield FieldProblem("issued_on", "must not be in the future")
        if self.issued_on < self.identity.birth_date:
            yield FieldProblem("issued_on", "must not be before the holder's birth")
