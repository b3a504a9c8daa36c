"""The verdict of a check, and its reason. [W1, W4-W6]

Reasons of the permit come before reasons of one track, so that equal state gives the equal answer
on both. Whatever is unknown is not effective.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from .policy import Policy
from .standing import PermitStatus, Standing


class Track(StrEnum):
    PHYSICAL = "physical"
    ELECTRONIC = "electronic"


class Outcome(StrEnum):
    EFFECTIVE = "effective"
    NOT_EFFECTIVE = "not_effective"


class Reason(StrEnum):
    """Why a permit is not effective for this check."""

    USE_SUSPENDED = "use_suspended"
    REPORTED_LOST = "reported_lost"
    SUPERSEDED_CARD = "superseded_card"
    ENDED = "ended"
    VOIDED = "voided"
    UNKNOWN_PERMIT = "unknown_permit"
    NOT_LIVE = "not_live"
    IDENTITY_STALE = "identity_stale"
    SCENARIO_NOT_ALLOWED = "scenario_not_allowed"
    UNDETERMINED = "undetermined"


class CardCode(StrEnum):
    """What a check of a card brought as the code on its face, where it brought one or had to."""

    RIGHT = "right"
    WRONG = "wrong"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Effective, or the one reason why not."""

    reason: Reason | None

    @property
    def outcome(self) -> Outcome:
        return Outcome.NOT_EFFECTIVE if self.reason else Outcome.EFFECTIVE


UNNAMED_SCENARIO = "unnamed"
_NAME = re.compile(r"[a-z][a-z_]{0,62}[a-z]")


def scenario_on_record(asked: str) -> str:
    """The scenario as the check's record keeps it. A text that can't be a scenario's name may be
    personal data in the wrong field and is not kept."""
    return asked if _NAME.fullmatch(asked) else UNNAMED_SCENARIO


def scenario_fields(
    policy: Policy, scenario: str, registered: frozenset[str]
) -> tuple[str, ...] | None:
    """The fields a verifier may see, or ``None`` where the verifier is not registered for the
    scenario. [P22]"""
    return policy.scenarios.get(scenario) if scenario in registered else None


def verify_card(
    standing: Standing | None, card_serial: int, code: CardCode | None = None
) -> Verdict:
    """Check a card by its permit and serial; ``None`` stands for a permit that does not exist.

    Without the code that it needs, a card is unknown: its permit discloses nothing.
    """
    if standing is None or not 1 <= card_serial <= standing.facts.card.serial:
        return Verdict(Reason.UNKNOWN_PERMIT)
    if code in {CardCode.WRONG, CardCode.MISSING}:
        return Verdict(Reason.UNKNOWN_PERMIT)
    return Verdict(_permit_reason(standing) or _card_reason(standing, card_serial))


def needs_code(standing: Standing | None, policy: Policy) -> bool:
    """Whether a check of this permit's cards has to bring the code on their face.

    The current card decides for those before it too: a number and a small serial would tell the
    permit's state otherwise. A superseded card without a code on its face is unknown then, and as
    ineffective as before.
    """
    if standing is None or policy.card_codes_from is None:
        return False
    return standing.facts.card.due_on >= policy.card_codes_from


def verify_display(standing: Standing | None, *, is_live: bool, is_bound: bool) -> Verdict:
    """Check what a phone shows: ``is_live`` says that its code is, ``is_bound`` that the phone may
    show this permit. [P20, P21]

    A code that is not live discloses nothing about the permit.
    """
    if not is_live or standing is None:
        return Verdict(Reason.NOT_LIVE)
    shown = None if is_bound and standing.facts.claimed else Reason.NOT_LIVE
    return Verdict(_permit_reason(standing) or shown)


def may_challenge(policy: Policy, scenario: str, registered: frozenset[str]) -> bool:
    """Whether this verifier may require a challenge."""
    return scenario in registered and scenario in policy.challenge_scenarios


def _permit_reason(standing: Standing) -> Reason | None:
    if standing.is_restricted:
        return Reason.UNDETERMINED
    match standing.status:
        case PermitStatus.VOIDED:
            return Reason.VOIDED
        case PermitStatus.ENDED:
            return Reason.ENDED
        case PermitStatus.USE_SUSPENDED:
            return Reason.USE_SUSPENDED
        case PermitStatus.IN_FORCE:
            return None


def _card_reason(standing: Standing, card_serial: int) -> Reason | None:
    card = standing.facts.card
    if card_serial < card.serial:
        return Reason.SUPERSEDED_CARD
    if card.is_lost:
        return Reason.REPORTED_LOST
    if card.identity_stale:
        return Reason.IDENTITY_STALE
    return None
