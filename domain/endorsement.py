"""When a permit may be endorsed (签注), and the effect on its term. [N10, J]"""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum

from .calendar import Term
from .errors import TooEarlyToEndorse
from .policy import Policy


class EndorsementKind(StrEnum):
    """When an endorsement was given, which decides whether the anchor stays."""

    ON_TIME = "on_time"
    IN_GRACE = "in_grace"
    RE_ANCHORED = "re_anchored"


def endorsement(term: Term, today: date, policy: Policy) -> tuple[EndorsementKind, Term]:
    """Return the term after an endorsement on this day. [P6, P7, P10]

    On time and within the grace days the anchor stays; later the years of residence start again.

    Raises:
        TooEarlyToEndorse: the window is not open yet.
    """
    opens = term.endorsement_window.opens
    if today < opens:
        raise TooEarlyToEndorse(opens)
    if not term.is_overdue(today):
        return EndorsementKind.ON_TIME, term.endorsed()
    if today <= term.grace_ends(policy.late_grace_days):
        return EndorsementKind.IN_GRACE, term.endorsed()
    return EndorsementKind.RE_ANCHORED, Term(today)


def is_endorsed_for(term: Term, endorsed_on: date | None, today: date, policy: Policy) -> bool:
    """Whether the endorsement requested today was given already. [P8]

    Endorsed in the window, that is until the window closes; endorsed late, through the day itself
    and the grace days of the year that the endorsement began.
    """
    if endorsed_on is None:
        return False
    year_start = term.current_year_start
    if endorsed_on < year_start:
        return today < year_start
    grace = timedelta(days=policy.late_grace_days)
    return today <= max(endorsed_on, year_start + grace)
