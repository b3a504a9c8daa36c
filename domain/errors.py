"""Why the domain refuses a command.

::

    DomainError
    ├── Invalid                 the facts given can't be true, whatever the permit's state
    │   └── InvalidDetails      one or more fields, all named at once
    ├── TooManyToday            the account may go on tomorrow; nothing is kept as the answer
    └── Refused                 the facts are fine; a rule forbids the act now
        ├── NotEligible, GuardianRequired, AlreadyHoldsPermit        issue
        ├── TooEarlyToEndorse, ReissueFirst                          endorse
        ├── NotReportedLost, OldCardNotReturned                      lose, reissue, replace
        ├── NoPhysicalPermit, FaceMatchRequired, NotConfirmed,
        │   TooManyDevices, TooManyDevicesToday, UnknownDevice                            electronic
        ├── ScenarioNotAllowed, ChallengeNotOpen                     show and check
        ├── NotInterprovincial, NotFirst, NotAvailable, MaterialsMissing,
        │   CommitmentMissing, WrongStage, OtherStation,
        │   CollectionNotAsChosen, CollectionIncomplete
        │                                       identity cards, domain.id_cards.errors
        ├── HolderIsRestricted, NotRestricted, TwoOfficersRequired   data protection
        ├── OtherDistrict                                            end
        └── PermitEnded                                              anything after the end

The first line of each docstring is the message to the caller unless another one is given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import ClassVar, Self

from .calendar import last_midnight


class DomainError(Exception):
    """The command is invalid or refused."""

    code: ClassVar[str]

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or (type(self).__doc__ or "").partition("\n")[0]
        super().__init__(self.detail)


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """A field that can't be accepted: its name, a code for programs, a reason for people."""

    field: str
    reason: str
    code: str = "INVALID_REQUEST"


class Invalid(DomainError):
    """The facts given can't be true."""

    code = "INVALID_REQUEST"


class InvalidDetails(Invalid):
    """Some fields can't be accepted."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{p.field}: {p.reason}" for p in self.problems))

    @property
    def code(self) -> str:  # type: ignore[override]  # the worst of its fields
        codes = {problem.code for problem in self.problems}
        return "INVALID_CITIZEN_ID" if "INVALID_CITIZEN_ID" in codes else "INVALID_REQUEST"


def require_valid(*problems: FieldProblem) -> None:
    """
    Raises:
        InvalidDetails: if there is any problem.
    """
    if problems:
        raise InvalidDetails(problems)


class TooManyToday(DomainError):
    """This account has changed this record as often today as the policy allows: go on tomorrow."""

    code = "RATE_LIMITED"

    def __init__(self, at: datetime) -> None:
        """``at`` is the instant of the command."""
        tomorrow = last_midnight(at) + timedelta(days=1)
        self.wait_s = math.ceil((tomorrow - at).total_seconds())
        super().__init__()


class Refused(DomainError):
    """A rule forbids this.

    ``about`` names the records that the refusal tells of besides the one that was asked for: those
    of another person. No answer names them.
    """

    about: tuple[str, ...] = ()

    def telling_of(self, *streams: str) -> Self:
        """State the records that it tells of."""
        self.about = streams
        return self


class Incomplete(Refused):
    """Something is missing.

    ``missing`` names every missing thing at once, so that one more visit is enough.
    """

    def __init__(self, missing: Sequence[str], detail: str | None = None) -> None:
        self.missing = tuple(missing)
        super().__init__(detail or f"{type(self).__doc__} Missing: {', '.join(self.missing)}.")


class NotEligible(Incomplete):
    """The conditions for a residence permit are not met."""

    code = "NOT_ELIGIBLE"


class GuardianRequired(Incomplete):
    """Someone under sixteen applies through a guardian."""

    code = "GUARDIAN_REQUIRED"


class AlreadyHoldsPermit(Refused):
    """This person already holds a residence permit in the province."""

    code = "ALREADY_HOLDS_PERMIT"


class NumberOnRecord(Refused):
    """This citizen number has a record of its own, from an earlier permit. Cancel this permit and
    issue another under that number: the measures that concern the record go on to it."""

    code = "NUMBER_ON_RECORD"


class TooEarlyToEndorse(Refused):
    """The endorsement window has not opened yet."""

    code = "TOO_EARLY"

    def __init__(self, opens: date) -> None:
        self.opens = opens
        super().__init__(f"The endorsement window opens on {opens.isoformat()}.")


class ReissueFirst(Refused):
    """The card is reported lost: reissue it first; the receipt for it then counts as the card."""

    code = "REISSUE_FIRST"


class NotReportedLost(Refused):
    """The card is not reported lost."""

    code = "NOT_REPORTED_LOST"


class OldCardNotReturned(Refused):
    """A damaged card is replaced only against the old card."""

    code = "OLD_CARD_NOT_RETURNED"


class NoPhysicalPermit(Refused):
    """No physical permit was ever issued to this holder, so there is nothing to claim."""

    code = "NO_PHYSICAL_PERMIT"


class FaceMatchRequired(Refused):
    """The identity provider's live-portrait match is required."""

    code = "FACE_MATCH_REQUIRED"


class NotConfirmed(Refused):
    """The holder has to confirm that the details are right."""

    code = "NOT_CONFIRMED"


class TooManyDevices(Refused):
    """This permit is bound to as many devices as the policy allows: revoke one first."""

    code = "TOO_MANY_DEVICES"


class TooManyDevicesToday(Refused):
    """As many devices as the policy allows were bound to this permit today: wait until tomorrow."""

    code = "TOO_MANY_DEVICES_TODAY"


class UnknownDevice(Refused):
    """This device is not bound to the permit."""

    code = "UNKNOWN_DEVICE"


class ScenarioNotAllowed(Refused):
    """In this scenario you may not ask for that. [W1]"""

    code = "SCENARIO_NOT_ALLOWED"


class ChallengeNotOpen(Refused):
    """There is no open challenge with these digits: have the checker show a new one."""

    code = "CHALLENGE_NOT_OPEN"


class OtherDistrict(Refused):
    """Only a station of the district where the holder lives may end this permit in this way."""

    code = "OTHER_DISTRICT"


class PermitEnded(Refused):
    """This permit has ended; its history stays, and nothing more can happen to it."""

    code = "PERMIT_ENDED"


class HolderIsRestricted(Refused):
    """The holder's details are restricted: kept, and not used until that is lifted."""

    code = "HOLDER_RESTRICTED"


class NotRestricted(Refused):
    """The holder's details are not restricted."""

    code = "NOT_RESTRICTED"


class TwoOfficersRequired(Refused):
    """An erasure can't be undone: a second officer has to approve what the first one asked for, on
    the same legal basis and in the same case."""

    code = "TWO_OFFICERS_REQUIRED"


class NoErasureRequested(Refused):
    """No request to erase this holder waits for approval."""

    code = "NO_ERASURE_REQUESTED"
