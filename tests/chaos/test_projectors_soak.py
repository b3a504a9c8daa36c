"""Invariants 3 and 4: the views are correct under any fault of projectors and database."""

import os
import time

from tests.chaos.soak import Soak

SOAK_S = float(os.environ.get("PERMIT_LEDGER_TEST_SOAK_S") or 8)


def test_views_through_random_faults(database_url, seed):
    """The tracks never disagree, no event is skipped, no permit stays quarantined for ever."""
    end = time.monotonic() + SOAK_S
    with Soak(database_url, seed) as soak:
        while time.monotonic() < end:
            soak.hurt()
        wrong = soak.judged()

    assert {} == wrong
    assert soak.seen.rows
    assert soak.faults
