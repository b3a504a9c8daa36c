"""Handing the card over. [C10, C11]"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.errors import FieldProblem, require_valid
from domain.person import Guardian
from domain.personal import ERASED, Erased
from domain.policy import Policy

from .errors import CollectionIncomplete, CollectionNotAsChosen
from .people import Applicant, companion_problems
from .submission import CollectionMethod


class CollectedBy(StrEnum):
    APPLICANT = "applicant"
    AGENT = "agent"
    MAIL = "mail"


_AS_CHOSEN = {
    CollectedBy.AGENT: CollectionMethod.AGENT,
    CollectedBy.MAIL: CollectionMethod.MAIL,
}
"""The applicant may come in person in any case. [D]"""


@dataclass(frozen=True, slots=True)
class Collection:
    """What was done at the counter, or that the card was posted. An agent's details are those of
    the agent's own identity card."""

    by: CollectedBy
    receipt_shown: bool = False
    details_checked: bool = False
    fingerprint_checked: bool = False
    signed: bool = False
    agent: Guardian | None = None

    def normalised(self) -> Collection:
        return replace(self, agent=self.agent.normalised()) if self.agent else self

    def require_valid(self, applicant: Applicant | Erased, policy: Policy) -> None:
        """
        Raises:
            InvalidDetails: the agent's details can't be accepted, or no agent collects.
        """
        require_valid(*self._problems(applicant, policy))

    def require_allowed(self, chosen: CollectionMethod) -> None:
        """
        Raises:
            CollectionNotAsChosen: by an agent or by mail, and not chosen at the application.
            CollectionIncomplete: naming every step that is missing.
        """
        if _AS_CHOSEN.get(self.by, chosen) is not chosen:
            raise CollectionNotAsChosen
        if missing := [*self._missing()]:
            raise CollectionIncomplete(missing)

    def _problems(self, applicant: Applicant | Erased, policy: Policy) -> Iterator[FieldProblem]:
        if self.agent is None:
            return
        if self.by is not CollectedBy.AGENT:
            yield FieldProblem("agent", "must be empty unless an agent collects")
        if applicant is not ERASED:
            yield from companion_problems("agent", self.agent, applicant, policy)

    def _missing(self) -> Iterator[str]:
        if self.by is CollectedBy.MAIL:
            return
        if not self.receipt_shown:
            yield "receipt_shown"
        if self.by is CollectedBy.AGENT:
            if self.agent is None:
                yield "agent"
        else:
            if not self.details_checked:
                yield "details_checked"
            if not self.fingerprint_checked:
                yield "fingerprint_checked"
        if not self.signed:
            yield "signed"
