"""A large batch, all of it or nothing, with its events by binary COPY."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import psycopg

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries

from .append import Append, positions, write
from .work import Rejected

_sql = Queries("ledger", "sql/queries.sql")
_COLUMN_TYPES = ("int8", "text", "int4", "text", "bytea")


def write_bulk(connection: Connection, appends: Sequence[Append]) -> int | Rejected:
    """As :func:`ledger.append.write`, in a transaction of its own.

    The appends may share a permit whose versions follow on each other. A version that is taken is
    found by the COPY itself, which fails then.
    """
    n = sum(len(append.events) for append in appends)
    with connection.transaction():
        row = connection.execute(_sql.advance_head, {"n": n}).fetchone()
        before = cast("tuple[int]", row)[0] - n
        outcome = write(connection, _without_events(appends, before))
        if not isinstance(outcome, int):
            raise psycopg.Rollback
        _copy_events(connection, before, appends)
        return before
    return outcome


def _without_events(appends: Sequence[Append], before: int) -> list[Append]:
    """What comes beside the events; answers with the position that theirs will have."""
    beside = []
    for append, of_its_events in zip(appends, positions(before, appends), strict=True):
        answer = append.answer
        if answer and of_its_events:
            answer = replace(answer, position=of_its_events[-1])
        beside.append(replace(append, events=(), answer=answer))
    return beside


def _copy_events(connection: Connection, before: int, appends: Sequence[Append]) -> None:
    with connection.cursor() as cursor, cursor.copy(_sql.copy_events) as copy:
        copy.set_types(_COLUMN_TYPES)
        events = (event for append in appends for event in append.events)
        for position, e in enumerate(events, before + 1):
            copy.write_row((position, e.originator_id, e.originator_version, e.topic, e.state))
