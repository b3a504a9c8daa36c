"""The sample city: a plausible year of a few hundred permits, simulated once into an empty log."""

from __future__ import annotations

from datetime import datetime

from rich.console import Console

from domain.calendar import last_midnight
from permit_ledger.bootstrap.cli_context import cli_context
from permit_ledger.console.progress import progress
from permit_ledger.settings import Settings

from .command import simulate
from .simulation.rates import Rates

SAMPLE_PERMITS = 300
SAMPLE_DAYS = 730
SAMPLE_RATES = Rates(applications_share=0.6, application_slow_share=0.35, application_slow_days=45)
"""More than usual, so that there are applications for identity cards to see."""
SAMPLE_SEED = 20160101
"""The day the national regulations came into force; any number would do."""


def grow_sample_city(
    settings: Settings, database_url: str, until: datetime, permits: int, console: Console
) -> None:
    """Simulate the city, unless the log already has events."""
    own = settings.model_copy(update={"database_url": database_url})
    with cli_context(own) as bench:
        if bench.ledger.head():
            return
        with progress(console, "sample city", permits) as report:
            simulate(
                bench.ledger,
                permits=permits,
                days=SAMPLE_DAYS,
                seed=SAMPLE_SEED,
                until=last_midnight(until),
                policy=bench.policy,
                progress=report,
                rates=SAMPLE_RATES,
            )
