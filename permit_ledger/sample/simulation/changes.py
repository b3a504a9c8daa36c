"""Other events of a holder: a phone, a move, a corrected name, an end."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from domain.calendar import ONE_DAY, age_on, shanghai_date
from domain.context import CommandContext
from domain.events import CancellationReason, ReplacementReason
from ledger.eventlog.registry import ChangeCitizenNumber, HolderChange

from .cards import Cards
from .chance import Weighted
from .city import SimulatedPermit
from .phones import face_match, new_phone
from .years import cancel

_CLAIM_POSTPONED = timedelta(days=30)
_FINDING = "employment contract found to be forged"


class ElectronicTrack:
    """Whether and when the holder claims the e-permit, and the phones that follow."""

    __slots__ = ("_simulated",)

    def __init__(self, simulated: SimulatedPermit) -> None:
        self._simulated = simulated

    def plan(self, now: datetime, *, mean_days: float) -> None:
        simulated, rates = self._simulated, self._simulated.city.rates
        age = age_on(simulated.permit.person.birth_date, shanghai_date(now))
        if age >= rates.own_account_from_age and simulated.city.chance.happens(
            rates.adoption_share
        ):
            simulated.online_in(simulated.city.chance.days(mean_days), self._claim, after=now)

    def _claim(self, at: datetime) -> None:
        simulated = self._simulated
        if simulated.permit.term.is_overdue(shanghai_date(at)):
            simulated.online_in(_CLAIM_POSTPONED, self._claim, after=at)
            return
        self._bind_new_phone(at)

    def _bind_new_phone(self, at: datetime) -> None:
        simulated, chance, rates = (
            self._simulated,
            self._simulated.city.chance,
            self._simulated.city.rates,
        )
        earlier = list(simulated.permit.devices)
        if len(earlier) < simulated.city.policy.devices_max:
            match = face_match(chance, rates)
            context = simulated.by_holder(at)
            simulated.permit.claim(new_phone(chance), match, confirmed=True, context=context)
            simulated.record()
        if earlier and chance.happens(rates.old_phone_revoked_share):
            wait = timedelta(days=chance.randint(1, rates.old_phone_revoked_days_max))
            simulated.online_in(wait, partial(self._revoke, earlier[0]), after=at)
        wait = chance.days_until_next(rates.new_phones_per_year)
        simulated.online_in(wait, self._bind_new_phone, after=at)

    def _revoke(self, thumbprint: str, at: datetime) -> None:
        if thumbprint in self._simulated.permit.devices:
            self._simulated.permit.revoke_device(thumbprint, self._simulated.by_holder(at))
            self._simulated.record()


class Moves:
    """New homes in the province, reported in time or late."""

    __slots__ = ("_simulated",)

    def __init__(self, simulated: SimulatedPermit) -> None:
        self._simulated = simulated

    def plan(self, now: datetime) -> None:
        wait = self._simulated.city.chance.days_until_next(
            self._simulated.city.rates.moves_per_year
        )
        self._simulated.visit_in(wait, self._report, after=now)

    def _report(self, at: datetime) -> None:
        simulated, chance, rates = (
            self._simulated,
            self._simulated.city.chance,
            self._simulated.city.rates,
        )
        people, in_time_days = simulated.city.people, simulated.city.policy.address_report_days
        out_of_city = chance.happens(rates.moves_out_of_city_share)
        home = people.home_elsewhere() if out_of_city else people.home()
        days = chance.randint(0, in_time_days)
        if chance.happens(rates.reported_late_share):
            days = in_time_days + chance.randint(1, rates.reported_late_days_max)
        # Reported to an officer of the new division.
        context = simulated.counter_of(home, at)
        simulated.permit.change_address(home, context.today - timedelta(days=days), context)
        simulated.record()
        self.plan(at)


class Corrections:
    """Names, numbers and hukou addresses that were wrong, and the cards that follow."""

    __slots__ = ("_cards", "_simulated")

    def __init__(self, simulated: SimulatedPermit, cards: Cards) -> None:
        self._simulated = simulated
        self._cards = cards

    def plan(self, now: datetime) -> None:
        wait = self._simulated.city.chance.days_until_next(
            self._simulated.city.rates.corrections_per_year
        )
        self._simulated.visit_in(wait, self._correct, after=now)

    def _correct(self, at: datetime) -> None:
        simulated, chance, rates = (
            self._simulated,
            self._simulated.city.chance,
            self._simulated.city.rates,
        )
        simulated.record(*self._decide(simulated.at_counter(at)))
        if chance.happens(rates.replaced_after_correction_share):
            serial = simulated.permit.card.serial
            reason = ReplacementReason.DETAILS_CHANGED
            days = chance.randint(1, rates.replaced_after_correction_days_max)
            replace = partial(self._cards.replace, serial, reason)
            simulated.visit_in(timedelta(days=days), replace, after=at)
        self.plan(at)

    def _decide(self, context: CommandContext) -> list[HolderChange]:
        simulated, rates = self._simulated, self._simulated.city.rates
        permit, people = simulated.permit, simulated.city.people
        index = simulated.city.blind_index.of
        before = permit.person.citizen_id_number
        name = number = hukou = None
        drawn = simulated.city.chance.random()
        if drawn < rates.corrected_name_share:
            name = people.other_name(permit.person)
        elif drawn < rates.corrected_name_share + rates.corrected_number_share:
            number = people.other_number(permit.person)
        else:
            hukou = people.hukou_address()
        permit.correct_identity(
            name=name, citizen_id_number=number, hukou_address=hukou, context=context
        )
        return [ChangeCitizenNumber(index(before), permit.id, index(number))] if number else []


class Ends:
    """Cancelled on request, or voided when the station finds a fraud."""

    __slots__ = ("_simulated",)

    def __init__(self, simulated: SimulatedPermit) -> None:
        self._simulated = simulated

    def plan(self, now: datetime) -> None:
        simulated, chance, rates = (
            self._simulated,
            self._simulated.city.chance,
            self._simulated.city.rates,
        )
        cancelled = chance.days_until_next(rates.cancellations_per_year)
        voided = chance.days_until_next(rates.voidings_per_year)
        if voided < cancelled:
            simulated.visit_in(voided, self._void, after=now)
        else:
            reason = Weighted[CancellationReason](rates.cancellation_shares).pick(chance)
            simulated.visit_in(
                max(cancelled, ONE_DAY), partial(cancel, simulated, reason), after=now
            )

    def _void(self, at: datetime) -> None:
        self._simulated.permit.void(_FINDING, self._simulated.where_settled(at))
        self._simulated.record(self._simulated.release())
