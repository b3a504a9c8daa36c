"""The roll-ups: what each permit adds to the statistics, as counts in cells.

A cell is a roll-up's name with its keys (``sql/rollups.sql``); it holds a number. A subject is a
permit or an application. What it adds follows from its own events alone, whatever the day is:
validity is a step up on the day from which it is true or known, and a step down on the day on which
it ends. When an event is added, the cells of its subject are computed without and with it, and the
difference is added; so late, backdated and correcting events change the days that they concern.

The rules are those of ``domain/validity.py`` and ``domain/standing.py``. The same definitions, as
SQL over all events, are in ``tests/analytics/recount``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import MAXYEAR, date, datetime, time, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from domain.calendar import MONTHS_A_YEAR, add_months

from .facts import ORDERS

VERSION = 1
"""Raise it when any rule here changes: all roll-ups are then computed again."""

ROLLUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "in_force": ("day", "division", "axis", "claimed"),
        "due": ("valid_until", "division", "day"),
        "outcomes": ("ran_out_on", "endorsed"),
        "deliveries": ("station", "days", "is_late"),
        "card_events": ("day", "name"),
        "application_outcomes": ("accepted_on", "outcome", "due_on", "days"),
        "late_records": ("station", "actor", "name", "days_late"),
        "station_days": ("day", "station", "what"),
        "officer_acts": ("day", "station", "actor", "name"),
        "findings": ("pattern", "permit_number", "times", "within_days", "first_at", "last_at"),
        "check_totals": ("scenario", "track", "outcome", "reason"),
        "check_days": ("day", "scenario", "track", "outcome", "reason"),
        "verifier_checks": ("day", "verifier", "scenario", "what"),
    }
)
"""The key columns of each roll-up; each has a column ``n`` besides, which is never 0. What an event
does not say is ``''``, or 0 for a number."""

STEPS = frozenset({"in_force", "due"})
"""Roll-ups whose cells may be negative."""
TRUE, KNOWN = "true", "known"
PATTERNS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "many_losses": (365, 3),
        "many_phones": (30, 3),
        "replayed_codes": (1, 3),
        "dead_card_shown": (30, 1),
    }
)
"""Within how many days, and how often at least."""
CHECK_PATTERNS: Mapping[str, str] = MappingProxyType(
    {"not_live": "replayed_codes", "superseded_card": "dead_card_shown"}
)
"""The pattern that a check refused for a reason belongs to."""

_CARDS_MADE = frozenset({"issued", "card-reissued", "card-replaced"})
_CARD_EVENTS = frozenset({"card-reported-lost", "loss-lifted", "card-reissued", "card-replaced"})
_TERMS = frozenset({"issued", "endorsed"})
_HOMES = frozenset({"issued", "address-changed"})
_ENDS = frozenset({"voided", "cancelled", "holder-erased"})
_SHAPING = _TERMS | _HOMES | _ENDS | {"electronic-claimed"}
_PHONES = frozenset({"electronic-claimed", "device-bound"})
_BACKDATED = frozenset({"issued", "endorsed", "address-changed", "card-reported-lost"})
_ACTS = frozenset({"voided", "cancelled", "identity-corrected"})
_ENDED_APPLICATION = frozenset({"returned", "withdrawn", "collected", "holder-erased"})
_WORK = {
    "issued": "issued",
    "endorsed": "endorsed",
    "card-reissued": "cards",
    "card-replaced": "cards",
    "card-delivered": "cards",
}
_SHANGHAI = timedelta(hours=8)
_BEGINNING = datetime(1, 1, 1)  # noqa: DTZ001  local time of Shanghai, as all instants here

Cell = tuple[str | int, ...]
Cells = Counter[Cell]


class Past(NamedTuple):
    """One stored event of a subject; dates and instants (UTC) are ISO 8601 texts."""

    version: int
    position: int
    kind: str
    name: str
    recorded_at: str
    station: str | None
    actor: str | None
    anchor: str | None
    years: int | None
    day: str | None
    due_on: str | None
    card_serial: int | None
    division: str | None
    reason: str | None


class Effect(NamedTuple):
    """An event with the two times from which it counts, in Shanghai's local time; ``place`` orders
    a permit's events as they became true."""

    event: Past
    known: datetime
    true: datetime

    @property
    def place(self) -> tuple[datetime, int]:
        return self.true, self.event.version


class Check(NamedTuple):
    """One stored check of a permit."""

    position: int
    checked_at: str
    permit_number: str | None
    track: str
    scenario: str
    outcome: str
    reason: str | None
    verifier: str | None


def cells_of_subject(subject: str, past: Sequence[Past]) -> Cells:
    """Return what the events of one subject add, given in the order of their versions."""
    cells: Cells = Counter()
    permit = [event for event in past if event.kind == "permit"]
    if permit:
        _permit(cells, subject, _effects(permit), any(e.name == "holder-erased" for e in past))
    if application := [event for event in past if event.kind == "id-card"]:
        _application(cells, application)
    for event in past:
        if event.name in ORDERS and event.actor is not None:
            done_on = _text(_local(event.recorded_at).date())
            cells["officer_acts", done_on, event.station or "", event.actor, event.name] += 1
    return cells


def cells_of_check(check: Check) -> Cells:
    """Return what a check adds whatever other checks there are."""
    answered = (check.scenario, check.track, check.outcome, check.reason or "")
    day = _text(_local(check.checked_at).date())
    cells: Cells = Counter({("check_totals", *answered): 1, ("check_days", day, *answered): 1})
    if check.track == "physical" and check.verifier is not None:
        key = ("verifier_checks", day, check.verifier, check.scenario)
        cells[*key, "checks"] += 1
        if check.outcome != "effective":
            cells[*key, "refused"] += 1
    return cells


def cells_of_checked_permit(number: str, checks: Iterable[Check]) -> Cells:
    """Return what the checks of one permit add because they are of the same permit."""
    cells: Cells = Counter()
    shown: dict[str, list[str]] = {}
    pairs: dict[str, list[Check]] = {}
    for check in checks:
        if check.reason is not None and (pattern := CHECK_PATTERNS.get(check.reason)):
            shown.setdefault(pattern, []).append(check.checked_at)
        if check.track == "physical" and check.verifier is not None:
            pairs.setdefault(check.verifier, []).append(check)
    for pattern, instants in shown.items():
        _finding(cells, pattern, number, instants)
    for verifier, own in pairs.items():
        _met(cells, verifier, own)
    return cells


def _met(cells: Cells, verifier: str, checks: Sequence[Check]) -> None:
    """One verifier's checks of one permit's card."""
    first = min(checks)
    days = {(_text(_local(check.checked_at).date()), check.scenario) for check in checks}
    for day, scenario in days:
        cells["verifier_checks", day, verifier, scenario, "permits"] += 1
    for day in {day for day, _ in days}:
        cells["verifier_checks", day, verifier, "", "permits_in_all"] += 1
    day = _text(_local(first.checked_at).date())
    cells["verifier_checks", day, verifier, first.scenario, "never_before"] += 1


def _permit(cells: Cells, subject: str, effects: Sequence[Effect], is_erased: bool) -> None:
    ordered = sorted(effects, key=lambda effect: effect.place)
    shaping = [effect for effect in ordered if effect.event.name in _SHAPING]
    _true_standing(cells, shaping)
    _known_standing(cells, shaping)
    _outcomes(cells, shaping)
    _deliveries(cells, effects)
    for effect in effects:
        _single(cells, effect)
    if not is_erased:
        for pattern, names in (
            ("many_losses", {"card-reported-lost"}),
            ("many_phones", _PHONES),
        ):
            _finding(
                cells,
                pattern,
                subject,
                [e.event.recorded_at for e in effects if e.event.name in names],
            )


def _effects(events: Sequence[Past]) -> list[Effect]:
    """Nothing is true before the issue of the permit, no endorsement before an earlier one, and no
    loss of a card before the card was made or found. Recording times never decrease, even if the
    clock was set back."""
    stated = []
    issued = known = endorsed = card = _BEGINNING
    for event in events:
        known = max(known, _local(event.recorded_at))
        since = known
        if event.name == "issued" and event.anchor is not None:
            since = _begins(event.anchor)
            issued = max(issued, since)
        elif event.name in {"endorsed", "address-changed", "card-reported-lost"}:
            since = _begins(event.day) if event.day is not None else known
        if event.name == "endorsed":
            since = endorsed = max(endorsed, since)
        elif event.name == "card-reported-lost":
            since = card = max(card, since)
        elif event.name in _CARD_EVENTS:
            card = max(card, since)
        stated.append((event, known, since))
    return [Effect(event, known, max(since, issued)) for event, known, since in stated]


def _true_standing(cells: Cells, shaping: Sequence[Effect]) -> None:
    """Steps on the days from which the permit is in force, by all that is known."""
    term: Past | None = None
    home, claimed, ended = "", False, False
    for n, effect in enumerate(shaping):
        event = effect.event
        if event.name in _TERMS:
            term = event
        if event.name in _HOMES:
            home = event.division or ""
        claimed = claimed or event.name == "electronic-claimed"
        ended = ended or event.name in _ENDS
        day = effect.true.date()
        until = shaping[n + 1].true.date() if n + 1 < len(shaping) else date.max
        if term is None or ended or until == day:
            continue
        anniversary = _anniversary(term)
        if day < anniversary:
            valid_until = _text(anniversary - timedelta(days=1))
            cells["in_force", _text(day), home, TRUE, int(claimed)] += 1
            cells["in_force", _text(min(until, anniversary)), home, TRUE, int(claimed)] -= 1
            cells["due", valid_until, home, _text(day)] += 1
            if until < anniversary:
                cells["due", valid_until, home, _text(until)] -= 1


def _known_standing(cells: Cells, shaping: Sequence[Effect]) -> None:
    """The same, for each day by what was known at its end."""
    since = sorted(
        (max(effect.known, effect.true).date(), place, effect.event)
        for place, effect in enumerate(shaping)
    )
    term: tuple[int, Past] | None = None
    home: tuple[int, str] = (-1, "")
    ended = False
    for n, (day, place, event) in enumerate(since):
        if event.name in _TERMS and (term is None or place > term[0]):
            term = place, event
        if event.name in _HOMES and place > home[0]:
            home = place, event.division or ""
        ended = ended or event.name in _ENDS
        until = since[n + 1][0] if n + 1 < len(since) else date.max
        if term is None or ended or until == day:
            continue
        anniversary = _anniversary(term[1])
        if day < anniversary:
            cells["in_force", _text(day), home[1], KNOWN, 0] += 1
            cells["in_force", _text(min(until, anniversary)), home[1], KNOWN, 0] -= 1


def _outcomes(cells: Cells, shaping: Sequence[Effect]) -> None:
    """How each permit year ended; a permit that had ended by then had nothing to endorse."""
    terms = [effect.event for effect in shaping if effect.event.name in _TERMS]
    ends = [effect.true.date() for effect in shaping if effect.event.name in _ENDS]
    for n, term in enumerate(terms):
        endorsed = terms[n + 1].reason if n + 1 < len(terms) else None
        ran_out_on = _anniversary(term)
        if endorsed is not None or not ends or min(ends) >= ran_out_on:
            cells["outcomes", _text(ran_out_on), endorsed or ""] += 1


def _deliveries(cells: Cells, effects: Sequence[Effect]) -> None:
    delivered: dict[int, date] = {}
    for effect in effects:
        event = effect.event
        if event.name == "card-delivered" and event.card_serial is not None and event.day:
            day = _date(event.day)
            delivered[event.card_serial] = min(day, delivered.get(event.card_serial, day))
    for effect in effects:
        event = effect.event
        if event.name not in _CARDS_MADE or event.station is None or event.card_serial is None:
            continue
        if (on := delivered.get(event.card_serial)) is not None:
            is_late = event.due_on is not None and on > _date(event.due_on)
            days = (on - effect.known.date()).days
            cells["deliveries", event.station, days, int(is_late)] += 1


def _single(cells: Cells, effect: Effect) -> None:
    """What an event adds by itself."""
    event, known_on = effect.event, effect.known.date()
    day, station, actor = _text(known_on), event.station or "", event.actor or ""
    if event.name in _CARD_EVENTS:
        cells["card_events", day, event.name] += 1
    if event.station is not None:
        cells["station_days", day, station, _WORK.get(event.name, "other")] += 1
        if event.actor is not None and event.name in _ACTS:
            cells["officer_acts", day, station, actor, event.name] += 1
    if event.name == "identity-corrected":
        cells["late_records", station, actor, event.name, 0] += 1
    elif event.name in _BACKDATED and (late := (known_on - effect.true.date()).days) > 0:
        cells["late_records", station, actor, event.name, late] += 1


def _application(cells: Cells, events: Sequence[Past]) -> None:
    due = [event.due_on for event in events if event.due_on is not None]
    ended = [event for event in events if event.name in _ENDED_APPLICATION]
    outcome, due_on, ended_on = "", due[-1] if due else "", None
    if ended:
        outcome, due_on = ended[0].name, ""
        ended_on = min(_local(event.recorded_at).date() for event in ended)
    for event in events:
        if event.name == "accepted" and event.day is not None:
            days = (ended_on - _date(event.day)).days if ended_on and outcome == "collected" else 0
            cells["application_outcomes", event.day, outcome, due_on, days] += 1


def _finding(cells: Cells, pattern: str, number: str, happened: Sequence[str]) -> None:
    """The most often that it happened within the pattern's days, if that is often enough."""
    within_days, least = PATTERNS[pattern]
    if len(happened) < least:
        return
    ordered = sorted(map(datetime.fromisoformat, happened))
    window = timedelta(days=within_days)
    times = max(n + 1 - bisect_left(ordered, instant - window) for n, instant in enumerate(ordered))
    if times >= least:
        first, last = ordered[0].isoformat(), ordered[-1].isoformat()
        cells["findings", pattern, number, times, within_days, first, last] += 1


@lru_cache(maxsize=20_000)
def _date(text: str) -> date:
    return date.fromisoformat(text)


@lru_cache(maxsize=20_000)
def _text(day: date) -> str:
    return day.isoformat()


@lru_cache(maxsize=20_000)
def _begins(day: str) -> datetime:
    return datetime.combine(_date(day), time())


@lru_cache(maxsize=20_000)
def _local(instant: str) -> datetime:
    return datetime.fromisoformat(instant) + _SHANGHAI


def _anniversary(term: Past) -> date:
    """The first day that is no longer covered; the last day of all calendars at most."""
    assert term.anchor is not None and term.years is not None  # noqa: S101, PT018  they are needed
    anchor = _date(term.anchor)
    if anchor.year + term.years > MAXYEAR:
        return date.max
    return add_months(anchor, term.years * MONTHS_A_YEAR)
