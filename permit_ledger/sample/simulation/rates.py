"""How often things happen in the simulated district: every figure of the simulation, in one place.

None of them is measured; they are plausible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.events import CancellationReason


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares lie between 0 and 1; ``_per_year`` counts per permit in force and year."""

    # -- issue ---------------------------------------------------------------------------------

    stock_share: float = 0.4
    """Of all permits of the run: taken over on its first night, issued in earlier years."""
    stock_years_max: int = 6
    """Yearly terms that a permit of the stock has had at most."""
    stock_overdue_share: float = 0.06
    """Of the stock: un-endorsed for up to ``after_grace_days_max`` when it is taken over."""
    free_day_factor: float = 0.12
    """Visits on a Saturday, Sunday or holiday, in visits of a working day."""
    spring_peak_factor: float = 3.0
    """Issues on the first working day after Spring Festival, in issues of an ordinary one."""
    spring_peak_days: int = 40
    """From then on the peak falls to nothing over these days."""
    returning_share: float = 0.02
    """Of new permits: issued to someone whose earlier permit was cancelled."""
    returning_after_days: int = 220

    # -- endorse -------------------------------------------------------------------------------

    endorsed_early_share: float = 0.52
    """Of terms: endorsed in the window, before its last week."""
    endorsed_last_week_share: float = 0.32
    endorsed_in_grace_share: float = 0.09
    endorsed_after_grace_share: float = 0.03
    """The rest is never endorsed: the holder has left."""
    after_grace_days_max: int = 180
    left_and_cancelled_share: float = 0.4
    """Of those who left: cancelled by the station when it finds out."""
    left_found_out_days_max: int = 90

    # -- card ----------------------------------------------------------------------------------

    card_ready_days_min: int = 4
    card_ready_days_max: int = 12
    collected_after_days_mean: float = 3.0
    never_collected_share: float = 0.02
    losses_per_year: float = 0.03
    found_share: float = 0.25
    """Of lost cards: found before a reissue."""
    found_after_days_max: int = 10
    reissued_after_days_mean: float = 6.0
    damages_per_year: float = 0.015
    office_error_share: float = 0.003
    """Of delivered cards: wrong by the office's fault, replaced for nothing."""

    # -- electronic ----------------------------------------------------------------------------

    adoption_share: float = 0.7
    """Of holders from ``own_account_from_age`` on: claim the electronic permit."""
    own_account_from_age: int = 16
    claimed_after_days_mean: float = 12.0
    stock_claimed_after_days_mean: float = 120.0
    face_score_mean: float = 0.94
    face_score_deviation: float = 0.03
    face_score_min: float = 0.80
    """A match below this is none."""
    new_phones_per_year: float = 0.22
    old_phone_revoked_share: float = 0.65
    old_phone_revoked_days_max: int = 20

    # -- home and identity ---------------------------------------------------------------------

    moves_per_year: float = 0.14
    """Inside the province."""
    moves_out_of_city_share: float = 0.06
    reported_late_share: float = 0.24
    """Of moves: reported after the policy's days."""
    reported_late_days_max: int = 60
    """Past the policy's days."""
    corrections_per_year: float = 0.008
    corrected_name_share: float = 0.35
    corrected_number_share: float = 0.15
    """The rest are corrected hukou addresses."""
    replaced_after_correction_share: float = 0.9
    replaced_after_correction_days_max: int = 10

    # -- end -----------------------------------------------------------------------------------

    cancellations_per_year: float = 0.07
    cancellation_shares: Mapping[CancellationReason, float] = field(
        default_factory=lambda: {
            CancellationReason.MOVED_AWAY: 0.70,
            CancellationReason.LOCAL_HUKOU: 0.17,
            CancellationReason.RENOUNCED: 0.10,
            CancellationReason.DECEASED: 0.03,
        }
    )
    voidings_per_year: float = 0.001

    # -- identity cards ------------------------------------------------------------------------

    applications_share: float = 0.1
    """Applications for a first identity card, for each permit of the run."""
    application_slow_share: float = 0.08
    application_slow_days: int = 30
    """How much longer these take."""
    application_returned_share: float = 0.04
    application_withdrawn_share: float = 0.03
    card_fetched_after_days_mean: float = 5.0
    card_left_share: float = 0.06
    """Of cards that have arrived: never collected."""
