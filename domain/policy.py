"""The policy: every figure and list that differs by place or changes by decree.

A policy has a version, and every event records the version it was decided under. New scenarios,
fees and grace days come as a new policy, never as new code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

LATE_GRACE_DAYS_MAX = 180
DISPLAY_CODE_LIFE_S_MIN, DISPLAY_CODE_LIFE_S_MAX = 5, 30
"""A live code is valid just long enough to be scanned from another phone. [W6]"""
CHALLENGE_LIFE_S_MAX = 600
REMOTE_STALENESS_S_MIN, REMOTE_STALENESS_S_MAX = 10, 86_400
DISCLOSABLE = frozenset(
    {
        "name",
        "sex",
        "ethnicity",
        "birth_date",
        "citizen_id_number",
        "portrait",
        "hukou_address",
        "residence",
        "valid_until",
    }
)
"""Fields of a permit that a scenario may ask to see."""
ALWAYS_DISCLOSED = frozenset({"name", "valid_until"})


class Ending(StrEnum):
    """A way to end a permit: the reason of a cancellation (注销), or a voiding."""

    MOVED_AWAY = "moved_away"
    LOCAL_HUKOU = "local_hukou"
    DECEASED = "deceased"
    RENOUNCED = "renounced"
    VOIDED = "voided"


class Ground(StrEnum):
    """Why someone may have a permit (居住证申领条件). [N2]"""

    EMPLOYMENT = "employment"
    DWELLING = "dwelling"
    SCHOOLING = "schooling"


@dataclass(frozen=True, slots=True)
class Fees:
    """In yuan. [N19, N21, J]"""

    first_issue: int
    endorsement: int
    reissue: int
    replacement: int
    office_error: int


@dataclass(frozen=True, slots=True)
class IdCardPolicy:
    """The notice's figures [C]; a policy file may have others under ``[id_cards]``."""

    provinces: tuple[str, ...] = ("31", "33", "34")
    """Whose residents may apply here (GB/T 2260): Shanghai, Zhejiang, Anhui. [C1]"""
    guardian_below_age: int = 16
    """[C4]"""
    due_working_days: int = 20
    """From acceptance to the card. [C8]"""
    fee_yuan: int = 0
    """[C7]"""
    due_soon_days: int = 5
    """An application counts as due soon from this many calendar days before its due date. [D]"""

    def __post_init__(self) -> None:
        """
        Raises:
            ValueError: a figure is out of bounds.
        """
        if not self.provinces:
            raise ValueError("provinces: at least one")
        if min(self.guardian_below_age, self.due_working_days, self.due_soon_days) < 1:
            raise ValueError("guardian_below_age, due_working_days, due_soon_days: above 0")
        if self.fee_yuan < 0:
            raise ValueError("fee_yuan: not below 0")


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one place, from one day on."""

    version: str
    province_prefix: str
    """First two digits of every division of the province (GB/T 2260)."""
    divisions: Mapping[str, str]
    """Divisions of the city, code → Chinese name."""
    retired_divisions: Mapping[str, str]
    """Retired codes → the division that succeeded."""
    stations: Mapping[str, tuple[str, ...]]
    """Division → its stations: police stations (派出所) and entrusted service points."""
    endings_in_own_district: tuple[Ending, ...]
    """Ways to end a permit that only a station of the district of residence may record."""
    residence_months_min: int
    """Registered residence before a first issue. [N2]"""
    grounds: tuple[Ground, ...]
    """Any one of these is enough. [N2]"""
    guardian_below_age: int
    """[N9]"""
    card_due_days: int
    """From acceptance to the card, calendar days. [N9]"""
    late_grace_days: int
    """A late endorsement within these days keeps the anchor. [J]"""
    address_report_days: int
    """Later than this after a move is a warning on the event."""
    devices_max: int
    """Phones that may be bound to one permit at a time."""
    devices_bound_per_day_max: int
    """Phones that may be bound to one permit in a day, whatever becomes of them: a holder can't
    make its history grow without limit."""
    display_code_life_s: int
    """How long a live code (亮证码) may be shown. [W6]"""
    challenge_life_s: int
    """How long a verifier's challenge may be answered."""
    remote_staleness_max_s: int
    """A check from a remote database is undetermined if its data is older than this."""
    fees: Fees
    scenarios: Mapping[str, tuple[str, ...]]
    """Scenario → the fields of the permit that it needs to see. [W1]"""
    challenge_scenarios: tuple[str, ...]
    """Scenarios of high risk, in which the verifier may require a challenge."""
    card_codes_from: date | None = field(default=None, kw_only=True)
    """A check of a card that is due from this day on has to bring the code on its face; ``None``:
    no check has to, and a code that is brought is verified. [D]"""
    permits_per_hour: Mapping[str, int] = field(default_factory=dict, kw_only=True)
    """Scenario → how many different permits one account may check by card in an hour; the
    service's settings bound all scenarios together, also those that have no figure here. [D]"""
    move_settles_days: int = field(default=30, kw_only=True)
    """A move counts for :attr:`endings_in_own_district` once it has been on record for so many
    days: until then the residence before it does. [D]"""
    events_per_account_and_day_max: int = field(default=500, kw_only=True)
    """Events that one account may add to one permit or application in a day: no history grows
    without limit. [D]"""
    id_cards: IdCardPolicy = field(default_factory=IdCardPolicy, kw_only=True)
    """First identity cards across provinces. [C]"""
    synthetic_people: bool = field(default=False, kw_only=True)
    """Accept the made-up people of area 99: for samples and tests, never for a real register."""

    def __post_init__(self) -> None:
        """
        Raises:
            ValueError: a figure or a list is out of bounds.
        """
        positive = {
            "residence_months_min": self.residence_months_min,
            "guardian_below_age": self.guardian_below_age,
            "card_due_days": self.card_due_days,
            "address_report_days": self.address_report_days,
            "devices_max": self.devices_max,
            "devices_bound_per_day_max": self.devices_bound_per_day_max,
            "move_settles_days": self.move_settles_days,
            "events_per_account_and_day_max": self.events_per_account_and_day_max,
        }
        if wrong := [name for name, figure in positive.items() if figure < 1]:
            raise ValueError(f"{', '.join(wrong)}: a number above 0")
        if not 0 <= self.late_grace_days <= LATE_GRACE_DAYS_MAX:
            raise ValueError(f"late_grace_days: from 0 to {LATE_GRACE_DAYS_MAX}")
        if not DISPLAY_CODE_LIFE_S_MIN <= self.display_code_life_s <= DISPLAY_CODE_LIFE_S_MAX:
            raise ValueError(
                f"display_code_life_s: from {DISPLAY_CODE_LIFE_S_MIN} to {DISPLAY_CODE_LIFE_S_MAX}"
            )
        if not self.display_code_life_s <= self.challenge_life_s <= CHALLENGE_LIFE_S_MAX:
            raise ValueError(
                f"challenge_life_s: from display_code_life_s to {CHALLENGE_LIFE_S_MAX}"
            )
        if not REMOTE_STALENESS_S_MIN <= self.remote_staleness_max_s <= REMOTE_STALENESS_S_MAX:
            raise ValueError(
                f"remote_staleness_max_s: from {REMOTE_STALENESS_S_MIN} to {REMOTE_STALENESS_S_MAX}"
            )
        self._require_stations()
        self._require_scenarios()

    def _require_stations(self) -> None:
        if strange := self.stations.keys() - self.divisions.keys():
            raise ValueError(f"stations: no divisions {', '.join(sorted(strange))}")
        known = [station for stations in self.stations.values() for station in stations]
        if not known or len(set(known)) < len(known):
            raise ValueError("stations: at least one, and none twice")

    def _require_scenarios(self) -> None:
        if strange := set(self.challenge_scenarios) - self.scenarios.keys():
            raise ValueError(f"challenge_scenarios: no scenarios {', '.join(sorted(strange))}")
        if strange := set(self.permits_per_hour) - self.scenarios.keys():
            raise ValueError(f"permits_per_hour: no scenarios {', '.join(sorted(strange))}")
        if any(permits < 1 for permits in self.permits_per_hour.values()):
            raise ValueError("permits_per_hour: numbers above 0")
        for scenario, shown in self.scenarios.items():
            if unknown := set(shown) - DISCLOSABLE:
                raise ValueError(f"{scenario}: unknown fields {', '.join(sorted(unknown))}")
            if lacking := ALWAYS_DISCLOSED - set(shown):
                raise ValueError(f"{scenario}: lacks {', '.join(sorted(lacking))}")

    def district_of(self, station: str | None) -> str | None:
        """Return the division that a station belongs to; ``None`` if it is unknown."""
        for division, stations in self.stations.items():
            if station in stations:
                return division
        return None
