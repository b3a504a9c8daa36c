"""What one command writes, and how a batch of appends goes to the database.

An append whose outcome is unknown is looked up. Every event carries its request's correlation id
and instant, so equal bytes under equal versions are this append's own. An append without events is
recognised by its idempotent response.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import LiteralString, NamedTuple

from eventsourcing.persistence import StoredEvent
from psycopg.rows import args_row, class_row

from ledger.crypto.portraits import SealedPortrait
from ledger.database.connections import Connection, connect_to_append
from ledger.database.named_sql import Queries
from ledger.errors import AppendConflict, HolderTaken, KekClosed, KeyTaken, VersionTaken

from .group_commit import WAIT_S, GroupCommit, Rejected
from .idempotency import PendingAnswer
from .registry import ApplyProtection, ChangeCitizenNumber, ClaimHolder, HolderChange, ReleaseHolder

_CONFLICTS: dict[str, type[AppendConflict]] = {
    "key": KeyTaken,
    "version": VersionTaken,
    "holder": HolderTaken,
    "kek": KekClosed,
}

COLUMNS = {
    "event": {
        "command": "integer",
        "stream": "text",
        "version": "integer",
        "topic": "text",
        "state": "bytea",
    },
    "answer": {
        "command": "integer",
        "caller": "text",
        "key": "text",
        "fingerprint": "bytea",
        "accepted": "boolean",
        "body": "bytea",
        "version": "integer",
        "position": "bigint",
        "event": "integer",
    },
    "take": {
        "command": "integer",
        "citizen_index": "bytea",
        "holder_id": "text",
        "permit_number": "text",
        "kek_id": "text",
        "wrapped": "bytea",
    },
    "reindex": {
        "command": "integer",
        "citizen_index": "bytea",
        "permit_number": "text",
        "new_citizen_index": "bytea",
    },
    "release": {"citizen_index": "bytea", "permit_number": "text"},
    "portrait": {"stream": "text", "version": "integer", "image": "bytea"},
    "protect": {
        "command": "integer",
        "holder_id": "text",
        "permits": "integer",
        "measure": "text",
    },
}
"""The columns of each kind of row that an append may have, as ``ledger.append`` takes them: each
column is an array, named ``kind_column``."""

Row = tuple[object, ...]

_sql = Queries("ledger", "sql/queries.sql")


@dataclass(frozen=True, slots=True)
class Append:
    """What one command writes, all of it or nothing.

    ``events`` is empty for a command that changed nothing but whose response is kept.
    """

    events: Sequence[StoredEvent]
    holder_changes: Sequence[HolderChange] = ()
    answer: PendingAnswer | None = None
    portrait: SealedPortrait | None = None

    @property
    def is_empty(self) -> bool:
        return not self.events and not self.holder_changes and not self.answer

    @property
    def size_bytes(self) -> int:
        """The memory that it takes, approximately."""
        size = sum(len(event.state) for event in self.events)
        size += len(self.answer.body) if self.answer else 0
        return size + (len(self.portrait.image) if self.portrait else 0)

    @property
    def rows(self) -> int:
        """Events; a response alone is a row as well."""
        return len(self.events) or 1

    @property
    def claims(self) -> set[Hashable]:
        """What it may conflict over: streams, its idempotency key, persons. Appends that share no
        claim are independent of each other."""
        claims: set[Hashable] = {event.originator_id for event in self.events}
        for change in self.holder_changes:
            claims |= change.people
        if self.answer:
            claims.add((self.answer.key.caller, self.answer.key.key))
        return claims


Positions = list[int]
"""Of an append's events, in their order."""


class _Outcome(NamedTuple):
    """A row of ``ledger.append``: the position before the first event, and an append in conflict if
    there is one."""

    before: int
    loser: int | None
    lost_to: str | None


def write(connection: Connection, appends: Sequence[Append]) -> int | Rejected:
    """Write all appends with one statement. They have no claim in common, or only streams, with
    consecutive versions.

    Outside of a transaction the statement is one of its own, and durable on return.

    Returns:
        The position before the first event; or, with nothing written, the appends in conflict.
    """
    sent = _rows(appends)
    with connection.cursor(row_factory=class_row(_Outcome)) as cursor:
        rows = cursor.execute(_statement(tuple(sent)), list(_columns(sent))).fetchall()
    if rows[0].loser is None:
        return rows[0].before
    # Of several conflicts the first counts: a taken key means that the command is a retry.
    return {
        row.loser: _CONFLICTS[row.lost_to]
        for row in reversed(rows)
        if row.loser is not None and row.lost_to is not None
    }


def positions(before: int, appends: Sequence[Append]) -> list[Positions]:
    """The positions of each append's events, after ``before``."""
    found = []
    for append in appends:
        end = before + len(append.events)
        found.append(list(range(before + 1, end + 1)))
        before = end
    return found


@cache
def _statement(kinds: tuple[str, ...]) -> LiteralString:
    """A call with the arrays of these kinds of rows; other kinds are left out."""
    arguments = [
        f"{kind}_{name} => %b::{type_name}[]"
        for kind in kinds
        for name, type_name in COLUMNS[kind].items()
    ]
    listed = ", ".join(arguments)
    return f"SELECT before, loser, lost_to FROM ledger.append({listed})"  # noqa: S608  own names


def _columns(rows: dict[str, list[Row]]) -> Iterator[list[object]]:
    for of_kind in rows.values():
        for column in zip(*of_kind, strict=True):
            yield list(column)


def _rows(appends: Sequence[Append]) -> dict[str, list[Row]]:
    """The rows of each kind that occurs."""
    rows: dict[str, list[Row]] = {kind: [] for kind in COLUMNS}
    events = rows["event"]
    for command, append in enumerate(appends):
        for e in append.events:
            events.append((command, e.originator_id, e.originator_version, e.topic, e.state))
        for change in append.holder_changes:
            match change:
                case ClaimHolder(citizen_index, holder_id, number, key):
                    of_key = (key.kek_id, key.wrapped) if key else (None, None)
                    rows["take"].append((command, citizen_index, holder_id, number, *of_key))
                case ChangeCitizenNumber(citizen_index, number, new_citizen_index):
                    rows["reindex"].append((command, citizen_index, number, new_citizen_index))
                case ReleaseHolder(citizen_index, number):
                    rows["release"].append((citizen_index, number))
                case ApplyProtection(holder_id, _, permits, measure):
                    rows["protect"].append((command, holder_id, permits, measure.value))
        if answer := append.answer:
            last_event = len(events) if append.events else None
            rows["answer"].append((command, *_answer_columns(answer), last_event))
        if portrait := append.portrait:
            rows["portrait"].append(portrait)
    return {kind: of_kind for kind, of_kind in rows.items() if of_kind}


def _answer_columns(answer: PendingAnswer) -> tuple[object, ...]:
    key = answer.key
    return (
        key.caller,
        key.key,
        key.fingerprint,
        answer.accepted,
        answer.body,
        answer.version,
        answer.position,
    )


# -- unknown outcomes --------------------------------------------------------------------------


class _KeptAnswer(NamedTuple):
    caller: str
    key: str
    fingerprint: bytes
    body: bytes


def resolve_unknown_outcomes(
    connection: Connection, appends: Sequence[Append]
) -> list[Positions | None]:
    """Look up the positions of each append's events; ``None`` if it was not written.

    Waits for a commit that is under way, as of the lost connection's own server process.
    """
    with connection.transaction():
        connection.execute(_sql.settle_head)
        stored = _stored_events(connection, [e for append in appends for e in append.events])
        kept = _kept_answers(connection, [a.answer for a in appends if a.answer])
    return [_outcome(append, stored, kept) for append in appends]


def _outcome(
    append: Append, stored: dict[StoredEvent, int], kept: set[_KeptAnswer]
) -> Positions | None:
    if append.events:
        found = [stored[event] for event in append.events if event in stored]
        return found if len(found) == len(append.events) else None
    return [] if append.answer and _identity(append.answer) in kept else None


def _stored_events(connection: Connection, events: Sequence[StoredEvent]) -> dict[StoredEvent, int]:
    wanted = [
        [str(event.originator_id) for event in events],
        [event.originator_version for event in events],
    ]
    with connection.cursor(row_factory=args_row(_positioned)) as cursor:
        return dict(cursor.execute(_sql.stored_events, wanted))


def _positioned(
    position: int, stream: str, version: int, topic: str, state: bytes
) -> tuple[StoredEvent, int]:
    return StoredEvent(stream, version, topic, state), position


def _kept_answers(connection: Connection, answers: Sequence[PendingAnswer]) -> set[_KeptAnswer]:
    wanted = [[answer.key.caller for answer in answers], [answer.key.key for answer in answers]]
    with connection.cursor(row_factory=class_row(_KeptAnswer)) as cursor:
        return set(cursor.execute(_sql.stored_answers, wanted))


def _identity(answer: PendingAnswer) -> _KeptAnswer:
    key = answer.key
    return _KeptAnswer(key.caller, key.key, key.fingerprint, answer.body)


# -- the group commit of appends ---------------------------------------------------------------


class AppendWriter:
    """Writes batches of appends; an append's result are the positions of its events."""

    def write(self, connection: Connection, items: Sequence[Append]) -> list[Positions] | Rejected:
        outcome = write(connection, items)
        return positions(outcome, items) if isinstance(outcome, int) else outcome

    def resolve_unknown_outcomes(
        self, connection: Connection, items: Sequence[Append]
    ) -> list[Positions | None]:
        return resolve_unknown_outcomes(connection, items)


AppendCommits = GroupCommit[Append, Positions]


def append_commits(
    database_url: str, *, committed: Callable[[], None] = lambda: None, wait_s: float = WAIT_S
) -> AppendCommits:
    """A group commit of appends; the caller closes it."""
    return GroupCommit(
        lambda: connect_to_append(database_url),
        AppendWriter(),
        committed=committed,
        wait_s=wait_s,
    )
