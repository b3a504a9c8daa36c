"""The check batcher: one statement for all checks that are waiting for the database.

A check needs the database twice: to read its permit, which uses its code, and to be put on record.
Both times it shares the round trip with the checks beside it, so that each costs a fraction of one.
A single check is not delayed.

A code is used in the commit that reads its permit. If the service stops between that and the
record, or the result of the read is lost, the code is used and the check was not answered.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from psycopg.rows import dict_row

from ledger.checks.log import CheckRecord, stored_positions
from ledger.database.connections import Connection, connect_to_append
from ledger.database.named_sql import Queries
from ledger.eventlog.group_commit import WAIT_S, GroupCommit

from .permits import PermitRow, seen_in

LOOKUP_BYTES = 16 * 1024
"""About the size of a result: a portrait of the usual size."""
AHEAD_MAX = timedelta(seconds=5)
"""By so much the clock of the process that issued a code may be ahead of this one's."""

_sql = Queries("projections", "sql/checks.sql")


class CheckQuery(NamedTuple):
    """A check's subject: a permit by its number, or by a live code.

    ``challenge_digest`` is that of the challenge that the code has to answer, if any; verifier and
    scenario are the check's, and have to be the challenge's as well.
    """

    at: datetime
    permit_number: str | None = None
    code_digest: bytes | None = None
    challenge_digest: bytes | None = None
    verifier_index: bytes | None = None
    scenario: str | None = None

    @property
    def claims(self) -> frozenset[Hashable]:
        """A challenge is answered once, also by two codes of one batch."""
        return frozenset([self.challenge_digest] if self.challenge_digest else [])

    @property
    def size_bytes(self) -> int:
        return LOOKUP_BYTES

    @property
    def rows(self) -> int:
        return 1


class CheckLookup(NamedTuple):
    """What a check is decided on: the permit as both views have it, and whether the code was live.

    ``permit_number`` is the requested permit's, or that of the code, live or not; ``device`` the
    phone that had the code. ``key_row`` holds the holder's wrapped key.
    """

    seen: PermitRow
    is_live: bool
    permit_number: str | None
    device: str | None
    key_row: Mapping[str, Any]

    @property
    def is_quarantined(self) -> bool:
        """Whether the permit is in quarantine, so that its state is unknown."""
        return bool(self.key_row["is_quarantined"])

    @property
    def is_present(self) -> bool:
        """Whether the views hold all events of this permit that were committed before the read."""
        return self.seen.is_fresh

    def with_permit_of(self, other: CheckLookup) -> CheckLookup:
        """The same code, with the permit of another read."""
        return self._replace(seen=other.seen, key_row=other.key_row)


Item = CheckQuery | CheckRecord
Outcome = CheckLookup | int
"""A record's is its position among the checks."""


class CheckWriter:
    """Writes batches of queries and records, mixed."""

    def write(self, connection: Connection, items: Sequence[Item]) -> list[Outcome]:
        records = [item for item in items if isinstance(item, CheckRecord)]
        queries = [item for item in items if isinstance(item, CheckQuery)]
        parameters = _columns(records, queries)
        with connection.cursor(binary=True, row_factory=dict_row) as cursor:
            rows = cursor.execute(_sql.check, parameters, prepare=True).fetchall()
        positions = iter(range(1, len(records) + 1))
        found = iter(rows)
        before = rows[0]["checks_before"] or 0
        return [
            before + next(positions) if isinstance(item, CheckRecord) else _found(item, next(found))
            for item in items
        ]

    def resolve_unknown_outcomes(
        self, connection: Connection, items: Sequence[Item]
    ) -> list[Outcome | None]:
        """Find a record by its id. A query is sent again, though its code may be used by then."""
        records = [item for item in items if isinstance(item, CheckRecord)]
        stored = stored_positions(connection, records)
        return [
            stored.get(item.check_id) if isinstance(item, CheckRecord) else None for item in items
        ]


class CheckBatcher:
    """Belongs to one event loop, except its thread; the caller closes it."""

    def __init__(self, database_url: str, *, wait_s: float = WAIT_S) -> None:
        """``wait_s`` bounds the wait for a result."""
        self._commits: GroupCommit[Item, Outcome] = GroupCommit(
            connecting(database_url), CheckWriter(), wait_s=wait_s
        )

    async def look_up(self, asked: CheckQuery) -> CheckLookup:
        """Read a check's permit, and use its code.

        Raises:
            Unavailable: as :meth:`.GroupCommit.append`; the code may have been used.
        """
        return cast("CheckLookup", await self._commits.append(asked))

    async def record(self, record: CheckRecord) -> int:
        """Put a check on record, durable on return; returns its position.

        Raises:
            Unavailable: the check may be on record, and must not be answered.
        """
        return cast("int", await self._commits.append(record))

    def close(self) -> None:
        self._commits.close()


def connecting(database_url: str) -> Callable[[], Connection]:
    """Make connections on which every read uses an index, also with a plan that was made when the
    tables were small; the plan is made once."""

    def connect() -> Connection:
        connection = connect_to_append(database_url, application_name="permit-ledger check")
        for setting in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"):
            connection.execute(f"SET {setting} = off")
        connection.execute("SET plan_cache_mode = force_generic_plan")
        return connection

    return connect


def _columns(records: Sequence[CheckRecord], queries: Sequence[CheckQuery]) -> dict[str, object]:
    codes = [(n, each) for n, each in enumerate(queries, 1) if each.code_digest]
    return {
        "record_state": [each.state for each in records],
        "permit_number": [each.permit_number for each in queries],
        "code_number": [n for n, _ in codes],
        "code_digest": [each.code_digest for _, each in codes],
        "code_challenge_digest": [each.challenge_digest for _, each in codes],
        "code_verifier_index": [each.verifier_index for _, each in codes],
        "code_scenario": [each.scenario for _, each in codes],
        # The latest of them, so that no code is live for longer because it was in a batch.
        "at": max((each.at for _, each in codes), default=None),
        "ahead_max": AHEAD_MAX,
    }


def _found(asked: CheckQuery, row: Mapping[str, Any]) -> CheckLookup:
    found = CheckLookup(
        seen=seen_in(row),
        is_live=row["is_live"],
        permit_number=asked.permit_number or row["shown_permit"],
        device=row["shown_by"],
        key_row=row,
    )
    if found.is_present:  # no event of this permit is between the views' position and the head
        return found._replace(seen=found.seen.as_of_head())
    return found
