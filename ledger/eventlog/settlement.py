"""What became of appends whose answer was lost: looked up, never guessed.

Every event carries its request's correlation id and instant, so equal bytes under equal versions
are this append's own. One without events is known by its answer under its key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from eventsourcing.persistence import StoredEvent

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries

from .append import Append
from .idempotency import PendingAnswer

_sql = Queries("ledger", "sql/queries.sql")


def settle(connection: Connection, appends: Sequence[Append]) -> list[list[int] | None]:
    """The positions of each append's events, or ``None`` if it never happened.

    Waits for whoever is appending, which may be the lost connection's own server process.
    """
    with connection.transaction():
        connection.execute(_sql.settle_head)
        stored = _stored_events(connection, [e for append in appends for e in append.events])
        kept = _kept_answers(connection, [a.answer for a in appends if a.answer])
    return [_outcome(append, stored, kept) for append in appends]


def _outcome(
    append: Append, stored: dict[StoredEvent, int], kept: set[tuple[object, ...]]
) -> list[int] | None:
    if append.events:
        found = [stored[event] for event in append.events if event in stored]
        return found if len(found) == len(append.events) else None
    return [] if append.answer and _identity(append.answer) in kept else None


def _stored_events(connection: Connection, events: Sequence[StoredEvent]) -> dict[StoredEvent, int]:
    rows = connection.execute(
        _sql.stored_events,
        [
            [str(event.originator_id) for event in events],
            [event.originator_version for event in events],
        ],
    ).fetchall()
    typed = cast("list[tuple[int, str, int, str, bytes]]", rows)
    return {
        StoredEvent(stream, version, topic, state): position
        for position, stream, version, topic, state in typed
    }


def _kept_answers(
    connection: Connection, answers: Sequence[PendingAnswer]
) -> set[tuple[object, ...]]:
    rows = connection.execute(
        _sql.stored_answers,
        [[answer.key.caller for answer in answers], [answer.key.key for answer in answers]],
    )
    return set(rows.fetchall())


def _identity(answer: PendingAnswer) -> tuple[object, ...]:
    return (answer.key.caller, answer.key.key, answer.key.fingerprint, answer.body)
