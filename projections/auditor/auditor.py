"""The auditor: folds permits picked by chance from the log again, and compares them with the views.

It goes on for as long as the service does, slowly. What differs is looked at once more while the
views stand, and parked: a row that nobody can account for is good for no check.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from threading import Event
from typing import Any, cast

import psycopg
import structlog

from ledger.database.backoff import Backoff
from ledger.database.connections import Connection, connect
from ledger.database.named_sql import Queries
from ledger.errors import LedgerError, Unavailable
from projections.projector.opening import EventOpener
from projections.projector.quarantine import park
from projections.views.view import View

from .comparing import Comparer
from .picking import Picker

LOCK = 0x61756474  # "audt"
POLL_S = 2.0
"""How often an auditor whose turn it is not asks again."""
BATCH_PERMITS_MAX = 50
TALLY_S = 5.0
"""How often it is written down how many permits were looked at."""
PARKED_MAX = 100
"""As many and it is not the rows: differences are counted and logged, and no more is parked."""

_sql = Queries("projections", "sql/auditor.sql")
_position_sql = Queries("projections", "sql/position.sql")
_log = structlog.get_logger(__name__)


class Auditor:
    """Owns one connection. Several may run: one audits, the others wait for its end.

    ``permits_per_s`` is a bound, not a promise.
    """

    def __init__(
        self,
        database_url: str,
        views: Sequence[View[Any]],
        opener: EventOpener,
        stop: Event,
        *,
        permits_per_s: int,
        chance: random.Random | None = None,
    ) -> None:
        self._database_url = database_url
        self._comparer = Comparer(views, opener)
        self._picker = Picker(views, chance or random.Random())  # noqa: S311  chance, not secrecy
        self._stop = stop
        self._backoff = Backoff(stop)
        self._permits_per_s = permits_per_s
        self._uncounted = 0
        self._counted_at_s = time.monotonic()

    def run(self) -> None:
        """Audit until asked to stop, through lost connections and restarts."""
        while not self._stop.is_set():
            try:
                with connect(self._database_url, application_name="permit-ledger audit") as conn:
                    conn.execute(_sql.prepare)
                    self._take_turns(conn)
            except (psycopg.OperationalError, Unavailable) as error:
                _log.warning("auditor has no database", error=type(error).__name__)
                self._backoff.pause()
            except Exception as error:  # noqa: BLE001  standing still beats ending: it can be seen
                reason = error.detail if isinstance(error, LedgerError) else type(error).__name__
                _log.error("auditor stands still", reason=reason)
                self._backoff.pause()

    def audit(self, connection: Connection, permits: int) -> int:
        """Look at some permits, at most so many; gives how many differ."""
        with connection.transaction():
            connection.execute(_sql.snapshot)
            position = cast("tuple[int]", connection.execute(_position_sql.select).fetchone())[0]
            numbers = self._picker.pick(connection, permits, position)
            suspects = self._comparer.differences(connection, numbers, position)
        self._uncounted += len(numbers)
        return sum(self._look_again(connection, one.permit_number) for one in suspects)

    def _take_turns(self, connection: Connection) -> None:
        while not self._stop.is_set():
            if connection.execute(_sql.try_to_audit, [LOCK]).fetchone() == (True,):
                self._go_on(connection)
            else:
                self._stop.wait(POLL_S)

    def _go_on(self, connection: Connection) -> None:
        batch = min(self._permits_per_s, BATCH_PERMITS_MAX)
        pause_s = batch / self._permits_per_s
        while not self._stop.is_set():
            began_s = time.monotonic()
            self.audit(connection, batch)
            self._backoff.reset()
            if began_s - self._counted_at_s >= TALLY_S:
                self.count(connection)
            self._stop.wait(pause_s - min(time.monotonic() - began_s, pause_s))
        self.count(connection)

    def count(self, connection: Connection) -> None:
        """Write down how many permits were looked at since the last time."""
        connection.execute(_sql.count_permits, [self._uncounted])
        self._uncounted, self._counted_at_s = 0, time.monotonic()

    def _look_again(self, connection: Connection, permit_number: str) -> bool:
        """With the views held where they are, so that what differs now does so by nobody's move."""
        with connection.transaction():
            position = cast("tuple[int]", connection.execute(_position_sql.lock).fetchone())[0]
            difference = self._comparer.differences(connection, [permit_number], position)
            if not difference:
                return False
            connection.execute(_sql.count_difference)
            there = cast("tuple[int]", connection.execute(_sql.parked_by_auditor).fetchone())[0]
            is_quarantined = there < PARKED_MAX
            if is_quarantined:
                park(connection, difference)
        if is_quarantined:
            _log.error("views differ from the log, permit parked", reason=difference[0].reason)
        else:
            _log.error("views differ from the log", reason=difference[0].reason)
        return True
