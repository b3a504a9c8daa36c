"""Decide a past check again, with today's knowledge of the instant at which it was made.

The answer given then stays as it was. A voided permit is void from its discovery [N18], so a
voiding makes no earlier check differ; checks answered "effective" before it are listed as having
relied on the permit.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from .events import PermitVoided
from .permit import Permit
from .personal import ERASED, Erased
from .standing import Standing
from .validity import AsOf, History
from .verification import (
    CardCode,
    Outcome,
    Reason,
    Track,
    Verdict,
    verify_card,
    verify_display,
)

_NOT_OF_THE_PERMIT: Final = frozenset({Reason.NOT_LIVE, Reason.SCENARIO_NOT_ALLOWED})
"""Reasons that do not depend on the permit."""


@dataclass(frozen=True, slots=True)
class PastCheck:
    """A check and its answer; ``known`` is how many of the permit's events were recorded by then.
    After an erasure the middle four are ``ERASED``. ``code`` stays as it was: what was brought of a
    card does not depend on what is known of the permit."""

    track: Track
    checked_at: datetime
    verdict: Verdict
    card_serial: int | Erased | None
    device: str | Erased | None
    code: CardCode | Erased | None
    fields: Collection[str] | Erased
    known: int


@dataclass(frozen=True, slots=True)
class RecheckResult:
    """``verdict`` is today's; ``None`` where it can no longer be established. ``fields`` are those
    that were shown and would be shown otherwise; ``because`` the versions of the events that were
    recorded after the check and were true by then."""

    verdict: Verdict | None
    fields: tuple[str, ...]
    because: tuple[int, ...]
    differs: bool | None
    relied_on: bool


def recheck(history: History, check: PastCheck) -> RecheckResult:
    """Decide a check again."""
    known = len(history.events)
    today = history.as_of(check.checked_at, known)
    relied_on = check.verdict.outcome is Outcome.EFFECTIVE and any(
        isinstance(event, PermitVoided) for event in history.events[check.known :]
    )
    verdict = _verdict(check, today)
    if verdict is None or check.fields is ERASED:
        return RecheckResult(None, (), (), None, relied_on)
    fields = _otherwise(check.fields, history.as_of(check.checked_at, check.known), today)
    differs = verdict != check.verdict or bool(fields)
    later = range(check.known + 1, known + 1)
    because = [v for v in later if differs and history.true_from(v) <= check.checked_at]
    return RecheckResult(verdict, fields, tuple(because), differs, relied_on)


def _verdict(check: PastCheck, today: AsOf | None) -> Verdict | None:
    if check.verdict.reason in _NOT_OF_THE_PERMIT:
        return check.verdict
    standing = today.standing if today else None
    if check.track is Track.PHYSICAL:
        if not isinstance(check.card_serial, int) or check.code is ERASED:
            return None
        return verify_card(standing, check.card_serial, check.code)
    if check.device is ERASED:
        return None
    is_bound = today is not None and check.device in today.permit.devices
    return verify_display(standing, is_live=True, is_bound=is_bound)


def _otherwise(names: Collection[str], then: AsOf | None, today: AsOf | None) -> tuple[str, ...]:
    """Which of the fields shown have another value by today's knowledge."""
    if then is None or today is None:
        return ()
    before, now = (_face(one.permit, one.standing) for one in (then, today))
    return tuple(name for name in names if before.get(name) != now.get(name))


def _face(permit: Permit, standing: Standing) -> dict[str, Any]:
    """The values that checks may show, by the policy's names."""
    identity = permit.identity
    person = (
        {}
        if identity is ERASED
        else {
            "name": identity.name,
            "sex": identity.sex,
            "ethnicity": identity.ethnicity,
            "birth_date": identity.birth_date,
            "citizen_id_number": identity.citizen_id_number,
            "hukou_address": identity.hukou_address,
            "portrait": identity.portrait,
        }
    )
    return {
        **person,
        "residence": permit.residence,
        "issuing_authority": permit.issuing_authority,
        "issued_on": permit.issued_on,
        "anchor": permit.term.anchor,
        "valid_from": standing.valid_from,
        "valid_until": standing.valid_until,
        "endorsements": permit.endorsements,
        "card_serial": permit.card.serial,
    }
