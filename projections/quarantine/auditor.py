"""The auditor: folds permits picked at random from the log again, and compares them with the views.

It runs for as long as the service does, slowly. A permit that differs is compared once more while
the views are held, and put in quarantine: a row that the log does not account for is good for no
check.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from threading import Event
from typing import Any

import structlog

from domain.stream_types import is_number
from ledger.database.connections import Connection
from ledger.database.leader import Lease, run_as_leader
from ledger.database.named_sql import Queries
from ledger.database.retry import Outage
from ledger.database.rows import scalar, scalars
from ledger.errors import LedgerError
from ledger.eventlog.recognition import RegisterCheck
from projections.projector.folding import Records
from projections.projector.pages import EventOpener
from projections.projector.quarantine import FailedEvent, put_in_quarantine, quarantined
from projections.projector.runner import lock_position, position
from projections.views.view import CHANGES_WITH_THE_KEY, Record, View

from .refold import Refolded, Refolder

LOCK = 0x61756474  # "audt"
POLL_S = 2.0
BATCH_PERMITS_MAX = 50
TALLY_S = 5.0
"""How often the number of permits that were compared is recorded."""
QUARANTINED_MAX = 100
"""With so many the cause is not the rows: further differences are counted and logged only."""
_sql = Queries("projections", "sql/auditor.sql")
_ledger_sql = Queries("ledger", "sql/queries.sql")
_log = structlog.get_logger(__name__)


class Auditor:
    """Owns one connection. Of several that run, one audits and the others stand by.

    ``permits_per_s`` is an upper bound. With ``register`` the rows of the permits' holders are
    compared with the log too; that of a difference names the holder in the service's log.
    """

    def __init__(
        self,
        database_url: str,
        views: Sequence[View[Any]],
        opener: EventOpener,
        stop: Event,
        *,
        permits_per_s: int,
        register: RegisterCheck | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self._database_url = database_url
        self._comparer = _Comparer(views, opener)
        self._picker = _Picker(views, chance or random.Random())  # noqa: S311  not for secrets
        self._register = register
        self._stop = stop
        self._permits_per_s = permits_per_s
        self._uncounted = 0
        self._counted_at_s = time.monotonic()

    def run(self) -> None:
        """Audit until ``stop`` is set, through lost connections and restarts."""
        run_as_leader(
            self._database_url,
            Lease(LOCK, "permit-ledger audit", POLL_S),
            self._audit_until_stopped,
            self._stop,
            prepare=_prepare,
            report=_report,
        )

    def audit(self, connection: Connection, permits: int) -> int:
        """Compare at most so many permits, and their holders' rows; returns how many differ."""
        with connection.transaction():
            connection.execute(_sql.snapshot)
            reached = position(connection)
            numbers = self._picker.pick(connection, permits, reached)
            suspects = self._comparer.differences(connection, numbers, reached)
            rows = self._register.of_streams(connection, numbers) if self._register else []
        self._uncounted += len(numbers)
        for row in rows:
            connection.execute(_sql.count_difference)
            _log.error("register differs from the log", reason=str(row))
        differing = sum(self._compare_again(connection, one.permit_number) for one in suspects)
        return differing + len(rows)

    def count(self, connection: Connection) -> None:
        """Record how many permits were compared since the last call."""
        connection.execute(_sql.count_permits, [self._uncounted])
        self._uncounted, self._counted_at_s = 0, time.monotonic()

    def _audit_until_stopped(self, connection: Connection, outage: Outage) -> None:
        batch = min(self._permits_per_s, BATCH_PERMITS_MAX)
        pause_s = batch / self._permits_per_s
        while not self._stop.is_set():
            began_s = time.monotonic()
            self.audit(connection, batch)
            outage.is_over()
            if began_s - self._counted_at_s >= TALLY_S:
                self.count(connection)
            self._stop.wait(pause_s - min(time.monotonic() - began_s, pause_s))
        self.count(connection)

    def _compare_again(self, connection: Connection, permit_number: str) -> bool:
        """Compare with the views held in place, so that a difference is not one in time."""
        with connection.transaction():
            reached = lock_position(connection)
            difference = self._comparer.differences(connection, [permit_number], reached)
            if not difference:
                return False
            connection.execute(_sql.count_difference)
            is_quarantined = scalar(connection, _sql.quarantined_by_auditor) < QUARANTINED_MAX
            if is_quarantined:
                put_in_quarantine(connection, difference)
        if is_quarantined:
            _log.error("views differ from the log, permit quarantined", reason=difference[0].reason)
        else:
            _log.error("views differ from the log", reason=difference[0].reason)
        return True


class _Picker:
    """Picks permits at random: half from the log, half from the views, so that none is missed.

    Of the log, permits with many events are picked more often; of the views, all about as often.
    """

    def __init__(self, views: Sequence[View[Any]], chance: random.Random) -> None:
        self._tables = [(view.table, view.key) for view in views]
        self._chance = chance

    def pick(self, connection: Connection, count: int, position: int) -> list[str]:
        """At most ``count`` permit numbers, each once; of the log up to ``position``."""
        from_views = [self._row(connection) for _ in range(count // 2)]
        if count % 2 and self._chance.random() < 1 / 2:
            from_views.append(self._row(connection))
        found = {number for number in from_views if number is not None}
        return sorted(found | self._streams(connection, count - len(from_views), position))

    def _streams(self, connection: Connection, count: int, position: int) -> set[str]:
        if not position:
            return set()
        positions = [self._chance.randint(1, position) for _ in range(count)]
        return set(scalars(connection, _sql.streams, [positions]))

    def _row(self, connection: Connection) -> str | None:
        """``None`` where the block of the table that was picked holds no row."""
        table, key = self._chance.choice(self._tables)
        blocks = scalar(connection, _of(_sql.blocks, table, key))
        if not blocks:
            return None
        block = self._chance.randrange(blocks)
        within = {"first": f"({block},0)", "beyond": f"({block + 1},0)"}
        found = scalars(connection, _of(_sql.row_in_block, table, key), within)
        return str(found[0]) if found else None


class _Comparer:
    """Compares the rows of the views with those that the log results in, column by column.

    Faces are compared as ciphertexts. The caller sees to it that views, log and quarantine are of
    one instant.
    """

    def __init__(self, views: Sequence[View[Any]], opener: EventOpener) -> None:
        self._views = views
        self._refolder = Refolder(views, opener)

    def differences(
        self, connection: Connection, permit_numbers: Sequence[str], position: int
    ) -> list[FailedEvent]:
        """Those of these permits that differ, as they are put in quarantine.

        Quarantined permits differ by design and are passed over, as are streams of no known type.
        Reasons name views and columns, and no value.

        Args:
            position: the views' position.

        Raises:
            Unavailable: keys are out of reach for the moment.
        """
        there = quarantined(connection, permit_numbers)
        numbers = [number for number in permit_numbers if number not in there]
        held = self._held(connection, numbers)
        made = self._refolder.at(connection, numbers, position)
        rows = [row for n in numbers for row in (*held[n], *made[n].rows) if row is not None]
        destroyed = _destroyed(connection, rows)
        found = []
        for number in numbers:
            if not is_number(number) and not any(held[number]):
                continue
            refolded = made[number]
            if refolded.failed:
                found.append(replace(refolded.failed, found_by="auditor"))
            elif columns := self._columns(held[number], refolded.rows, destroyed):
                reason = f"not what the log makes of it: {', '.join(columns)}"
                found.append(_difference(number, refolded, position, reason))
        return found

    def _held(self, connection: Connection, numbers: Sequence[str]) -> dict[str, Records]:
        loaded = [view.load(connection, numbers) for view in self._views]
        return {
            number: [
                view.record(rows[number], {}) if number in rows else None
                for view, rows in zip(self._views, loaded, strict=True)
            ]
            for number in numbers
        }

    def _columns(self, held: Records, made: Records, destroyed: set[object]) -> list[str]:
        """The columns that differ, each with its view; or the view that lacks the row, or has one
        too many."""
        shown = next((row for row in (*made, *held) if row and "holder_id" in row), {})
        is_under_way = shown.get("holder_id") in destroyed and not shown["erased"]
        passed = CHANGES_WITH_THE_KEY if is_under_way else set()
        found = []
        for view, row, expected in zip(self._views, held, made, strict=True):
            if row is None or expected is None:
                if row is not expected:
                    found.append(f"{view.name} {'lacks its row' if row is None else 'has a row'}")
                continue
            found += [
                f"{view.name}.{column}"
                for column in view.columns
                if column not in passed and row[column] != expected[column]
            ]
        return found


def _destroyed(connection: Connection, rows: Sequence[Record]) -> set[object]:
    """Those of the rows' holders whose keys are destroyed."""
    holder_ids = list({row["holder_id"] for row in rows if "holder_id" in row})
    keys = connection.execute(_ledger_sql.select_holder_keys, {"holder_ids": holder_ids})
    return {holder_id for holder_id, _kek_id, wrapped in keys if wrapped is None}


def _difference(number: str, refolded: Refolded, position: int, reason: str) -> FailedEvent:
    """Quarantine a permit from the next position on, since it is unknown which event failed."""
    last = refolded.stored[-1] if refolded.stored else None
    return FailedEvent(
        permit_number=number,
        position=position + 1,
        version=last.originator_version + 1 if last else 1,
        topic=last.topic if last else "",
        reason=reason,
        trace="",
        found_by="auditor",
    )


def _prepare(connection: Connection) -> None:
    connection.execute(_sql.prepare)


def _report(error: Exception) -> None:
    reason = error.detail if isinstance(error, LedgerError) else type(error).__name__
    _log.error("auditor failed", reason=reason)


def _of(query: str, table: str, key: str) -> Any:
    return query.replace("{table}", table).replace("{key}", key)
