"""What the views hold of some permits, beside what the log makes of them: column by column.

Faces are compared as they lie there, sealed: an equal face is an equal box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from domain.stream_types import is_number
from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from projections.projector.folding import Records
from projections.projector.opening import EventOpener
from projections.projector.quarantine import FailedEvent, parked
from projections.quarantine.refold import Refolded, Refolder
from projections.views.view import Record, View

GOES_WITH_THE_KEY = {"face", "portrait_version", "citizen_index"}
"""Columns that can be what they were or nothing, while the views have yet to see an erasure."""

_ledger_sql = Queries("ledger", "sql/queries.sql")


class Comparer:
    """One thread's. The caller sees to it that views, log and quarantine are of one instant."""

    def __init__(self, views: Sequence[View[Any]], opener: EventOpener) -> None:
        self._views = views
        self._refolder = Refolder(views, opener)

    def differences(
        self, connection: Connection, permit_numbers: Sequence[str], position: int
    ) -> list[FailedEvent]:
        """What is to be put on record of those that differ; ``position`` is that of the views.

        Who is parked differs on purpose and is passed over, as are streams of no lifecycle.
        Reasons name views and columns, and no value.

        Raises:
            Unavailable: keys are out of reach for the moment.
        """
        there = parked(connection, permit_numbers)
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
            if refolded.poison:
                found.append(replace(refolded.poison, found_by="auditor"))
            elif columns := self._columns(held[number], refolded.rows, destroyed):
                reason = f"not what the log makes of it: {', '.join(columns)}"
                found.append(_poison(number, refolded, position, reason))
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
        """Those that differ, each with its view; in a view that lacks the row, or has one too many,
        the row is named."""
        shown = next((row for row in (*made, *held) if row and "holder_id" in row), {})
        is_under_way = shown.get("holder_id") in destroyed and not shown["erased"]
        passed = GOES_WITH_THE_KEY if is_under_way else set()
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


def _poison(number: str, refolded: Refolded, position: int, reason: str) -> FailedEvent:
    """From the next position on the permit waits: which of its events went wrong nobody knows."""
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
