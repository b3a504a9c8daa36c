"""The history of a card: made, collected, lost, found, damaged, made again."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from domain.context import CommandContext
from domain.events import ReplacementReason

from .city import Life


class Cards:
    """Plans are for one serial, and are dropped if the permit has another one by then."""

    __slots__ = ("_life",)

    def __init__(self, life: Life) -> None:
        self._life = life

    def expect(self, now: datetime) -> None:
        """A card has been ordered: it is collected some days after it is ready."""
        city = self._life.city
        rates, chance = city.rates, city.chance
        if chance.happens(rates.never_collected_share):
            return
        ready = timedelta(days=chance.randint(rates.card_ready_days_min, rates.card_ready_days_max))
        wait = ready + chance.days(rates.collected_after_days_mean)
        self._life.visit_in(wait, partial(self._collect, self._serial), after=now)

    def keep(self, now: datetime) -> None:
        """A card in use is lost or damaged at some time."""
        city = self._life.city
        losses, damages = city.rates.losses_per_year, city.rates.damages_per_year
        wait = city.chance.days_until_next(losses + damages)
        if city.chance.happens(losses / (losses + damages)):
            self._life.visit_in(wait, partial(self._lose, self._serial), after=now)
        else:
            damaged = partial(self.replace, self._serial, ReplacementReason.DAMAGED)
            self._life.visit_in(wait, damaged, after=now)

    def reissue_now(self, context: CommandContext) -> None:
        """At the counter, for a lost card; the caller records it."""
        self._life.permit.reissue(context)
        self.expect(context.at)

    def replace(self, serial: int, reason: ReplacementReason, at: datetime) -> None:
        if not self._still(serial):
            return
        life = self._life
        life.permit.replace(reason, old_card_returned=True, context=life.at_counter(at))
        life.record()
        self.expect(at)

    def _collect(self, serial: int, at: datetime) -> None:
        if not self._still(serial):
            return
        life = self._life
        life.permit.deliver_card(life.at_counter(at))
        life.record()
        self.keep(at)
        if life.city.chance.happens(life.city.rates.office_error_share):
            wrong = partial(self.replace, serial, ReplacementReason.OFFICE_ERROR)
            life.visit_in(life.city.chance.days(4), wrong, after=at)

    def _lose(self, serial: int, at: datetime) -> None:
        if not self._still(serial):
            return
        life, rates, chance = self._life, self._life.city.rates, self._life.city.chance
        life.permit.report_loss(life.at_counter(at))
        life.record()
        if chance.happens(rates.found_share):
            wait = timedelta(days=chance.randint(1, rates.found_after_days_max))
            life.visit_in(wait, partial(self._find, serial), after=at)
        else:
            wait = chance.days(rates.reissued_after_days_mean)
            life.visit_in(wait, partial(self._reissue, serial), after=at)

    def _find(self, serial: int, at: datetime) -> None:
        if self._is_lost(serial):
            self._life.permit.lift_loss(self._life.at_counter(at))
            self._life.record()
            self.keep(at)

    def _reissue(self, serial: int, at: datetime) -> None:
        if self._is_lost(serial):
            self.reissue_now(self._life.at_counter(at))
            self._life.record()

    @property
    def _serial(self) -> int:
        return self._life.permit.card.serial

    def _still(self, serial: int) -> bool:
        """The planned card is the current one, and has not been lost since."""
        return self._serial == serial and not self._life.permit.card.is_lost

    def _is_lost(self, serial: int) -> bool:
        return self._serial == serial and self._life.permit.card.is_lost
