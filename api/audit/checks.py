"""A permit's past checks, each repeated with what is known today."""

from __future__ import annotations

from api.checks.own_checks import shown
from domain.personal import ERASED, Erased
from domain.recheck import PastCheck, RecheckResult, recheck
from domain.validity import History
from domain.verification import CardCode, Reason, Track, Verdict
from ledger.checks.log import Check
from ledger.eventlog.history import StreamHistory

from .answers import AuditedCheckAnswer, TodayAnswer, UnreadableCheckAnswer


def checked_again(
    position: int, check: Check | None, recorded: StreamHistory, history: History
) -> AuditedCheckAnswer | UnreadableCheckAnswer:
    """Render a check as it was answered, with today's answer for its instant."""
    if check is None:
        return UnreadableCheckAnswer(position=position)
    again = recheck(history, _past(check, recorded))
    return AuditedCheckAnswer(
        **shown(position, check).model_dump(),
        differs=again.differs,
        relied_on=again.relied_on,
        today=_today(again, recorded),
    )


def _past(check: Check, recorded: StreamHistory) -> PastCheck:
    return PastCheck(
        track=Track(check.track),
        checked_at=check.checked_at,
        verdict=Verdict(Reason(check.reason) if check.reason else None),
        card_serial=check.card_serial,
        device=check.device,
        code=_code(check),
        fields=ERASED if check.fields is ERASED else tuple(check.fields),
        known=sum(one.position <= check.as_of_position for one in recorded.events),
    )


def _code(check: Check) -> CardCode | Erased | None:
    if check.card_code is ERASED:
        return ERASED
    return None if check.card_code is None else CardCode(check.card_code)


def _today(again: RecheckResult, recorded: StreamHistory) -> TodayAnswer | None:
    if again.verdict is None:
        return None
    return TodayAnswer(
        outcome=again.verdict.outcome,
        reason=again.verdict.reason,
        fields=list(again.fields),
        because=[recorded.events[version - 1].position for version in again.because],
    )
