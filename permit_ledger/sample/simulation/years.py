"""The permit's years: endorsed early, at the last moment, late, or never."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from domain.calendar import Term, shanghai_date
from domain.context import CommandContext
from domain.events import CancellationReason, CardPresented

from .cards import Cards
from .city import Emigrant, SimulatedPermit

_LAST_WEEK_DAYS = 6
_REDRAWS_MAX = 20


class Years:
    """One plan per term: when its holder comes to have it endorsed, if ever."""

    __slots__ = ("_cards", "_simulated")

    def __init__(self, simulated: SimulatedPermit, cards: Cards) -> None:
        self._simulated = simulated
        self._cards = cards

    def plan(self, now: datetime) -> None:
        """Decide when the current term is endorsed; a day already past is drawn again."""
        term, today = self._simulated.permit.term, shanghai_date(now)
        for _ in range(_REDRAWS_MAX):
            day = self._endorsement_day(term)
            if day is None:
                self._plan_leaving(term, now)
                return
            if day > today:
                self._simulated.visit(day, self._endorse, after=now)
                return
        self._simulated.visit_in(self._simulated.city.chance.days(20), self._endorse, after=now)

    def _endorsement_day(self, term: Term) -> date | None:
        rates, chance = self._simulated.city.rates, self._simulated.city.chance
        window, grace_ends = term.endorsement_window, term.grace_ends(self._grace_days)
        last_week = window.closes - timedelta(days=_LAST_WEEK_DAYS)
        drawn = chance.random() - rates.endorsed_early_share
        if drawn < 0:
            return chance.day_between(window.opens, last_week - timedelta(days=1))
        drawn -= rates.endorsed_last_week_share
        if drawn < 0:
            return chance.day_between(last_week, window.closes)
        drawn -= rates.endorsed_in_grace_share
        if drawn < 0:
            return chance.day_between(term.anniversary, grace_ends)
        if drawn < rates.endorsed_after_grace_share:
            return grace_ends + timedelta(days=chance.randint(1, rates.after_grace_days_max))
        return None

    @property
    def _grace_days(self) -> int:
        return self._simulated.city.policy.late_grace_days

    def _endorse(self, at: datetime) -> None:
        context = self._simulated.at_counter(at)
        presented = self._present_card(context)
        self._simulated.permit.endorse(presented, context)
        self._simulated.record()
        self.plan(at)

    def _present_card(self, context: CommandContext) -> CardPresented:
        """One visit can do both: reissue the lost card and endorse on its receipt. [P9]"""
        card = self._simulated.permit.card
        if card.is_lost:
            self._cards.reissue_now(context)
            return CardPresented.REISSUE_RECEIPT
        awaited = card.serial > 1 and card.delivered_on is None and context.today <= card.due_on
        return CardPresented.REISSUE_RECEIPT if awaited else CardPresented.CARD

    def _plan_leaving(self, term: Term, now: datetime) -> None:
        wait_days = self._simulated.city.chance.randint(
            1, self._simulated.city.rates.left_found_out_days_max
        )
        self._simulated.visit(term.anniversary + timedelta(days=wait_days), self._leave, after=now)

    def _leave(self, at: datetime) -> None:
        """The holder has left: the station cancels some of these permits, the others stay
        suspended."""
        if self._simulated.city.chance.happens(self._simulated.city.rates.left_and_cancelled_share):
            cancel(self._simulated, CancellationReason.MOVED_AWAY, at)
        else:
            self._simulated.has_left = True


def cancel(simulated: SimulatedPermit, reason: CancellationReason, at: datetime) -> None:
    """End the permit, and remember its holder if they may come back."""
    simulated.permit.cancel(reason, simulated.where_settled(at))
    simulated.record(simulated.release())
    if reason in {CancellationReason.MOVED_AWAY, CancellationReason.RENOUNCED}:
        gone = Emigrant(simulated.permit.person, simulated.permit.holder_id, shanghai_date(at))
        simulated.city.emigrants.append(gone)
