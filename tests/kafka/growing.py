"""A log that grows: some people's believable lives, appended in pieces."""

import itertools
import threading
from datetime import UTC, datetime
from typing import Self

from domain.policy import Policy
from ledger.commands.blocking import BlockingLedger
from permit_ledger.sample.command import simulate
from permit_ledger.sample.simulation.rates import Rates

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)

_seeds = itertools.count(1_000)
"""Beyond those that anybody names: the same seed is the same people, and they are there already."""


def grow(
    ledger: BlockingLedger, policy: Policy, permits: int = 60, *, applications_share: float = 0
) -> int:
    """Append the life of so many permits, and of applications for identity cards beside them;
    returns the log's head after it."""
    simulate(
        ledger,
        permits=permits,
        days=200,
        seed=next(_seeds),
        until=UNTIL,
        policy=policy,
        rates=Rates(applications_share=applications_share),
    )
    return ledger.head()


class Growth:
    """The same without end, in a thread, within its context."""

    def __init__(
        self,
        ledger: BlockingLedger,
        policy: Policy,
        permits: int = 20,
        *,
        applications_share: float = 0,
    ) -> None:
        self._applications_share = applications_share
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=[ledger, policy, permits])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        """
        Raises:
            whatever has stopped the log from growing.
        """
        self._stop.set()
        self._thread.join()
        if self._error:
            raise self._error

    def _run(self, ledger: BlockingLedger, policy: Policy, permits: int) -> None:
        try:
            while not self._stop.wait(0.02):
                grow(ledger, policy, permits, applications_share=self._applications_share)
        except Exception as error:  # noqa: BLE001  raised at the end
            self._error = error
