"""The history of a card: made, collected, lost, found, damaged, made again."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from domain.context import CommandContext
from domain.events import ReplacementReason

from .city import SimulatedPermit


class Cards:
    """Plans are for one serial, and are dropped if the permit has another one by then."""

    __slots__ = ("_simulated",)

    def __init__(self, simulated: SimulatedPermit) -> None:
        self._simulated = simulated

    def expect(self, now: datetime) -> None:
        """A card has been ordered: it is collected some days after it is ready."""
        city = self._simulated.city
        rates, chance = city.rates, city.chance
        if chance.happens(rates.never_collected_share):
            return
        ready = timedelta(days=chance.randint(rates.card_ready_days_min, rates.card_ready_days_max))
        wait = ready + chance.days(rates.collected_after_days_mean)
        self._simulated.visit_in(wait, partial(self._collect, self._serial), after=now)

    def keep(self, now: datetime) -> None:
        """A card in use is lost or damaged at some time."""
        city = self._simulated.city
        losses, damages = city.rates.losses_per_year, city.rates.damages_per_year
        wait = city.chance.days_until_next(losses + damages)
        if city.chance.happens(losses / (losses + damages)):
            self._simulated.visit_in(wait, partial(self._lose, self._serial), after=now)
        else:
            damaged = partial(self.replace, self._serial, ReplacementReason.DAMAGED)
            self._simulated.visit_in(wait, damaged, after=now)

    def reissue_now(self, context: CommandContext) -> None:
        """At the counter, for a lost card; the caller records it."""
        self._simulated.permit.reissue(context)
        self.expect(context.at)

    def replace(self, serial: int, reason: ReplacementReason, at: datetime) -> None:
        if not self._still(serial):
            return
        simulated = self._simulated
        simulated.permit.replace(reason, old_card_returned=True, context=simulated.at_counter(at))
        simulated.record()
        self.expect(at)

    def _collect(self, serial: int, at: datetime) -> None:
        if not self._still(serial):
            return
        simulated = self._simulated
        simulated.permit.deliver_card(simulated.at_counter(at))
        simulated.record()
        self.keep(at)
        if simulated.city.chance.happens(simulated.city.rates.office_error_share):
            wrong = partial(self.replace, serial, ReplacementReason.OFFICE_ERROR)
            simulated.visit_in(simulated.city.chance.days(4), wrong, after=at)

    def _lose(self, serial: int, at: datetime) -> None:
        if not self._still(serial):
            return
        simulated, rates, chance = (
            self._simulated,
            self._simulated.city.rates,
            self._simulated.city.chance,
        )
        simulated.permit.report_loss(simulated.at_counter(at))
        simulated.record()
        if chance.happens(rates.found_share):
            wait = timedelta(days=chance.randint(1, rates.found_after_days_max))
            simulated.visit_in(wait, partial(self._find, serial), after=at)
        else:
            wait = chance.days(rates.reissued_after_days_mean)
            simulated.visit_in(wait, partial(self._reissue, serial), after=at)

    def _find(self, serial: int, at: datetime) -> None:
        if self._is_lost(serial):
            self._simulated.permit.lift_loss(self._simulated.at_counter(at))
            self._simulated.record()
            self.keep(at)

    def _reissue(self, serial: int, at: datetime) -> None:
        if self._is_lost(serial):
            self.reissue_now(self._simulated.at_counter(at))
            self._simulated.record()

    @property
    def _serial(self) -> int:
        return self._simulated.permit.card.serial

    def _still(self, serial: int) -> bool:
        """The planned card is the current one, and has not been lost since."""
        return self._serial == serial and not self._simulated.permit.card.is_lost

    def _is_lost(self, serial: int) -> bool:
        return self._serial == serial and self._simulated.permit.card.is_lost
