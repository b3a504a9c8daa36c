"""What one command writes, and how a batch of them goes to the database."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import LiteralString, cast

from eventsourcing.persistence import StoredEvent

from ledger.crypto.portraits import SealedPortrait
from ledger.database.connections import Connection
from ledger.errors import AppendConflict, HolderTaken, KekClosed, KeyTaken, VersionTaken

from .idempotency import PendingAnswer
from .registry import ApplyProtection, ChangeCitizenNumber, ClaimHolder, HolderChange, ReleaseHolder
from .work import Rejected

_LOST_TO: dict[str, type[AppendConflict]] = {
    "key": KeyTaken,
    "version": VersionTaken,
    "holder": HolderTaken,
    "kek": KekClosed,
}

_COLUMNS = {
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
"""The columns of each kind of row that a command may bring, as ``ledger.append`` takes them: an
array for each, ``kind_column``."""

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Append:
    """What one command writes, all of it or nothing.

    ``events`` may be empty for a command that changed nothing but whose answer is to be kept.
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
        """What has to be held in memory for it, about."""
        size = sum(len(event.state) for event in self.events)
        size += len(self.answer.body) if self.answer else 0
        return size + (len(self.portrait.image) if self.portrait else 0)

    @property
    def rows(self) -> int:
        """Events; an answer alone is a row as well."""
        return len(self.events) or 1

    @property
    def claims(self) -> set[Hashable]:
        """What it can lose a race for: permits, its key, people. Appends that share none of these
        are independent of each other."""
        claims: set[Hashable] = {event.originator_id for event in self.events}
        for change in self.holder_changes:
            claims |= change.people
        if self.answer:
            claims.add((self.answer.key.caller, self.answer.key.key))
        return claims


def write(connection: Connection, appends: Sequence[Append]) -> int | Rejected:
    """Write all of ``appends``, which have no claim in common, with one statement.

    Returns the position before the first event, or, with nothing written, the losers. Outside of a
    transaction it is one of its own, and durable on return.
    """
    sent = _rows(appends)
    rows = connection.execute(_statement(tuple(sent)), list(_columns(sent))).fetchall()
    if rows[0][1] is None:
        return cast("int", rows[0][0])
    # Of several reasons the first counts: a taken key means that the command was heard before.
    return {
        cast("int", loser): _LOST_TO[cast("str", conflict)] for _, loser, conflict in reversed(rows)
    }


def positions(before: int, appends: Sequence[Append]) -> list[list[int]]:
    """The positions of each append's events, after ``before``."""
    found = []
    for append in appends:
        end = before + len(append.events)
        found.append(list(range(before + 1, end + 1)))
        before = end
    return found


@cache
def _statement(kinds: tuple[str, ...]) -> LiteralString:
    """A call with the arrays of these kinds of rows: what a batch has none of is left out."""
    arguments = [
        f"{kind}_{name} => %b::{type_name}[]"
        for kind in kinds
        for name, type_name in _COLUMNS[kind].items()
    ]
    listed = ", ".join(arguments)
    return f"SELECT before, loser, lost_to FROM ledger.append({listed})"  # noqa: S608  own names


def _columns(rows: dict[str, list[Row]]) -> Iterator[list[object]]:
    for of_kind in rows.values():
        for column in zip(*of_kind, strict=True):
            yield list(column)


def _rows(appends: Sequence[Append]) -> dict[str, list[Row]]:
    """The rows of each kind, for the kinds that there are."""
    rows: dict[str, list[Row]] = {kind: [] for kind in _COLUMNS}
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
