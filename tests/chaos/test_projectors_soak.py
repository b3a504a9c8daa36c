"""Invariants 3 and 4: whatever happens to projectors and database, the views never lie."""

import os
import time

from tests.chaos.soak import Soak

SOAK_S = float(os.environ.get("PERMIT_LEDGER_TEST_SOAK_S") or 8)


def test_views_through_random_faults(database_url, seed):
    """No reader sees the tracks disagree, nothing is skipped, nobody stands still for ever."""
    end = time.monotonic() + SOAK_S
    with Soak(database_url, seed) as soak:
        while time.monotonic() < end:
            soak.hurt()
        wrong = soak.judged()

    assert {} == wrong
    assert soak.seen.rows
    assert soak.faults
