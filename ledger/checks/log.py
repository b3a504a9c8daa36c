"""The log of checks: every check of a permit is on record before it is answered.

A check's state is JSON with its members sorted, so that the same check has the same bytes wherever
they are hashed. Who checked what is sealed with the holder's key; a check that concerns no holder
has it in the clear. The service's proof is over all other members: the database takes a record of
anyone who may act as the service's role.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from psycopg.rows import args_row

from domain.personal import ERASED, Erased
from domain.verification import Outcome, Reason, Track
from ledger.crypto import envelope, randomness
from ledger.crypto.holder_keys import HolderKey
from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.errors import SealBroken, UnreadableEvent

TYPE = "permit.checked.v1"
PERSONAL = frozenset({"card_code", "card_serial", "code", "device", "fields", "verifier"})
"""Who checked a holder, which of the holder's cards or phones it was, and what was disclosed."""
KEY_BYTES = 32
_PURPOSE = b"permit-ledger proof of a check"
_sql = Queries("ledger", "sql/checks.sql")
_PROOF = "proof"
_NOT_OF_THE_CHECK = {"type", "verifier_index", envelope.FIELD, _PROOF}


class CheckProofs:
    """Proves that a record was made by the service, with a key that is not in the database."""

    def __init__(self, key: bytes) -> None:
        """``key``: 32 secret bytes; another one is derived from them, for records alone."""
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key for proofs of checks has {KEY_BYTES} bytes")
        self._keyed = hmac.new(hmac.digest(key, _PURPOSE, "sha256"), digestmod="sha256")

    def of(self, state: Mapping[str, Any]) -> str:
        """64 hex digits for these members, without the proof itself."""
        mac = self._keyed.copy()
        mac.update(_encoded({name: state[name] for name in state.keys() - {_PROOF}}))
        return mac.hexdigest()

    def covers(self, content: bytes) -> bool:
        """Whether these are the bytes of a record that the service made; no record of an earlier
        version is proven."""
        try:
            state = orjson.loads(content)
            is_canonical = _encoded(state) == content
            return is_canonical and hmac.compare_digest(self.of(state), state[_PROOF])
        except (ValueError, TypeError, KeyError, AttributeError):
            return False


def _encoded(state: Mapping[str, Any]) -> bytes:
    return orjson.dumps(state, option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class Check:
    """Who checked which permit, what was answered, and which fields were disclosed.

    ``code`` is the code's keyed digest (hex), ``device`` the thumbprint of the phone that showed
    it; ``card_code`` says whether the code on a card's face was right, wrong or missing, where one
    was brought or needed. After the holder's erasure, the personal fields are read as ``ERASED``.
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
    card_code: str | Erased | None = None

    def record(
        self, verifier_index: bytes, key: HolderKey | None, proofs: CheckProofs | None = None
    ) -> CheckRecord:
        """The record for the log; ``key`` is the holder's, if there is one. Without ``proofs`` no
        receipt is signed for it later."""
        state = {name: getattr(self, name) for name in _FIELDS}
        personal = {name: state.pop(name) for name in PERSONAL}
        if self.card_code is None:
            del personal["card_code"]
        if key is None:
            state |= personal
        else:
            state[envelope.FIELD] = envelope.seal(personal, key, _place(self.check_id))
        state |= {"type": TYPE, "verifier_index": verifier_index.hex()}
        if proofs:
            state[_PROOF] = proofs.of(state)
        return CheckRecord(self.check_id, _encoded(state))


_FIELDS = tuple(field.name for field in fields(Check))


class CheckRecord(NamedTuple):
    """A row for ``ledger.checks``, which divides the state into columns."""

    check_id: UUID
    state: bytes

    @property
    def claims(self) -> frozenset[Hashable]:
        """None: a record can't be in conflict with another."""
        return frozenset()

    @property
    def rows(self) -> int:
        return 1

    @property
    def size_bytes(self) -> int:
        return len(self.state)


class SealedCheck(NamedTuple):
    """A check as it is stored, its personal part sealed."""

    position: int
    state: bytes

    @property
    def is_closed(self) -> bool:
        """Whether it has a sealed part, or can't be read at all."""
        try:
            return envelope.FIELD in orjson.loads(self.state)
        except (orjson.JSONDecodeError, TypeError):
            return True

    def open(self, key: HolderKey | Erased) -> Check:
        """
        Raises:
            UnreadableEvent: it is no check, or can't be opened.
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
            known = {"code": None, "device": None, "card_code": None, **state}
            own = {name: known[name] for name in known.keys() - _NOT_OF_THE_CHECK}
            own["check_id"] = UUID(own["check_id"])
            own["checked_at"] = datetime.fromisoformat(own["checked_at"]).astimezone(UTC)
            check = Check(**own)
            _require_kinds(check)
        except (SealBroken, ValueError, TypeError, KeyError, AttributeError, OverflowError):
            raise UnreadableEvent(f"check {self.position} can't be read") from None
        return check


def _require_kinds(check: Check) -> None:
    """
    Raises:
        TypeError, ValueError: a member is of another kind than the service writes.
    """
    Track(check.track), Outcome(check.outcome)
    if check.reason is not None:
        Reason(check.reason)
    shown = [] if check.fields is ERASED else check.fields
    texts = [check.verifier, check.code, check.device, check.permit_number]
    numbers = [check.as_of_position, check.card_serial]
    if not (
        isinstance(shown, list)
        and all(isinstance(each, str) for each in (check.scenario, *shown))
        and all(each is None or each is ERASED or isinstance(each, str) for each in texts)
        and all(each is None or each is ERASED or type(each) is int for each in numbers)
        and None not in (check.verifier, check.as_of_position)
    ):
        raise TypeError


def new_check_id() -> UUID:
    """A UUID of version 7 (RFC 9562 §5.7), so that new ones are neighbours in an index."""
    milliseconds = time.time_ns() // 1_000_000
    tail = bytearray(randomness.source.take(10))
    tail[0] = 0x70 | tail[0] & 0x0F
    tail[2] = 0x80 | tail[2] & 0x3F
    return UUID(bytes=milliseconds.to_bytes(6) + bytes(tail))


def stored_positions(connection: Connection, records: Iterable[CheckRecord]) -> dict[UUID, int]:
    """The positions of the checks that are on record.

    Waits for a commit that is under way: afterwards a check is on record or never will be.
    """
    ids = [record.check_id for record in records]
    with connection.transaction():
        connection.execute(_sql.settle_checks_head)
        with connection.cursor(row_factory=args_row(_stored_position)) as cursor:
            return dict(cursor.execute(_sql.stored_checks, [ids]))


def _stored_position(check_id: UUID, position: int) -> tuple[UUID, int]:
    return check_id, position


def _place(check_id: UUID) -> tuple[str, ...]:
    """The place that a check's ciphertext is bound to."""
    return (str(check_id), TYPE)
