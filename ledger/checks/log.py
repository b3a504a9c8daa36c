"""Every check of a permit, on record before it is answered: a log of its own.

A check's state is JSON with its members sorted, so that the same check has the same bytes wherever
they are hashed. Who looked, and at what, is sealed with the holder's key; a check that is nobody's
has nobody to hide it from, and says it in the clear.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

import orjson

from domain.personal import ERASED, Erased
from ledger.crypto import envelope, randomness
from ledger.crypto.holder_keys import HolderKey
from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.errors import SealBroken, UnreadableEvent

TYPE = "permit.checked.v1"
PERSONAL = frozenset({"card_serial", "code", "device", "fields", "verifier"})
"""What tells who looked at somebody, with which of their phones and for what."""
_sql = Queries("ledger", "sql/checks.sql")
_NOT_OF_THE_CHECK = {"type", "verifier_index", envelope.FIELD}


@dataclass(frozen=True, slots=True)
class Check:
    """Who asked what of which permit, what was answered, and which fields were shown.

    ``code`` is the code's keyed digest (hex), ``device`` the thumbprint of the phone that showed
    it. Of a check that was read after its holder's erasure, the personal fields are ``ERASED``.
    """

    check_id: UUID
    checked_at: datetime
    verifier: str | Erased
    scenario: str
    track: str
    permit_number: str | None
    card_serial: int | Erased | None
    code: str | Erased | None
    device: str | Erased | None
    outcome: str
    reason: str | None
    fields: list[str] | Erased
    as_of_position: int

    def record(self, verifier_index: bytes, key: HolderKey | None) -> CheckRecord:
        """For the log; ``key`` is the holder's, where there is one."""
        state = {name: getattr(self, name) for name in _FIELDS}
        personal = {name: state.pop(name) for name in PERSONAL}
        if key is None:
            state |= personal
        else:
            state[envelope.FIELD] = envelope.seal(personal, key, _place(self.check_id))
        state |= {"type": TYPE, "verifier_index": verifier_index.hex()}
        content = orjson.dumps(state, option=orjson.OPT_SORT_KEYS)
        return CheckRecord(self.check_id, content)


_FIELDS = tuple(field.name for field in fields(Check))


class CheckRecord(NamedTuple):
    """What goes into ``ledger.checks``, where the state is divided into columns."""

    check_id: UUID
    state: bytes

    @property
    def claims(self) -> frozenset[Hashable]:
        """It can lose a race to nobody."""
        return frozenset()

    @property
    def rows(self) -> int:
        return 1

    @property
    def size_bytes(self) -> int:
        return len(self.state)


class SealedCheck(NamedTuple):
    """A check as it is stored, its personal part still closed."""

    position: int
    state: bytes

    @property
    def is_closed(self) -> bool:
        """Whether it has a personal part that is sealed, or can't be read at all."""
        try:
            return envelope.FIELD in orjson.loads(self.state)
        except (orjson.JSONDecodeError, TypeError):
            return True

    def open(self, key: HolderKey | Erased) -> Check:
        """
        Raises:
            UnreadableEvent: it is no check, or its seal does not open.
        """
        try:
            state: dict[str, Any] = orjson.loads(self.state)
            if (sealed := state.get(envelope.FIELD)) is not None:
                closed = envelope.Envelope.of(sealed)
                if key is ERASED:
                    state |= dict.fromkeys(PERSONAL, ERASED)
                else:
                    state |= closed.open(key, _place(UUID(state["check_id"])))
            # Before checks had codes there were none.
            known = {"code": None, "device": None, **state}
            own = {name: known[name] for name in known.keys() - _NOT_OF_THE_CHECK}
            own["check_id"] = UUID(own["check_id"])
            own["checked_at"] = datetime.fromisoformat(own["checked_at"]).astimezone(UTC)
            return Check(**own)
        except (SealBroken, ValueError, TypeError, KeyError, AttributeError):
            raise UnreadableEvent(f"check {self.position} can't be read") from None


def new_check_id() -> UUID:
    """A UUID of version 7 (RFC 9562 §5.7), so that new ones stand beside each other in an index."""
    milliseconds = time.time_ns() // 1_000_000
    tail = bytearray(randomness.source.take(10))
    tail[0] = 0x70 | tail[0] & 0x0F
    tail[2] = 0x80 | tail[2] & 0x3F
    return UUID(bytes=milliseconds.to_bytes(6) + bytes(tail))


def stored_positions(connection: Connection, records: Iterable[CheckRecord]) -> dict[UUID, int]:
    """Of those that are on record. Waits for whoever is writing checks: afterwards a check is there
    or never will be."""
    ids = [record.check_id for record in records]
    with connection.transaction():
        connection.execute(_sql.settle_checks_head)
        rows = connection.execute(_sql.stored_checks, [ids]).fetchall()
    return dict(cast("list[tuple[UUID, int]]", rows))


def _place(check_id: UUID) -> tuple[str, ...]:
    """Where a check's seal belongs, and nowhere else."""
    return (str(check_id), TYPE)
