"""The line on which checks go to the database: one statement for all that wait.

A check goes twice: to look its permit up, using its code on the way, and to be put on record. Both
times it shares the round trip with its neighbours, whichever of the two they need, so that in a
stream of checks each costs a fraction of one. A check alone is not kept waiting for company.

A code is used in the commit of its look-up. If the service stops between that and the record, or
the answer of the look-up is lost, the code is dead and nobody was answered.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from psycopg.rows import dict_row

from ledger.checks.log import CheckRecord, stored_positions
from ledger.database.connections import Connection, connect_to_append
from ledger.database.named_sql import Queries
from ledger.eventlog.group_commit import GroupCommit

from .permits import PermitRow, seen_in

LOOK_UP_BYTES = 16 * 1024
"""What an answer takes, about: a portrait of the usual size."""
AHEAD_MAX = timedelta(seconds=5)
"""How far the clock of the process that made a code may be ahead of ours."""

_sql = Queries("projections", "sql/checks.sql")


class CheckQuery(NamedTuple):
    """What a verifier asks for: a permit by its number, or whatever a code shows.

    ``challenge_digest`` is that of the challenge which the code is to answer, if any; the verifier
    and the scenario are those of the check, and have to be the challenge's as well.
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
        return LOOK_UP_BYTES

    @property
    def rows(self) -> int:
        return 1


class CheckLookup(NamedTuple):
    """What there is: the permit as both views have it, and what became of the code.

    ``permit_number`` is the permit's that was asked for or whose code this was, dead or alive;
    ``device`` the phone's that had the code. ``key_row`` holds the holder's wrapped key.
    """

    seen: PermitRow
    is_live: bool
    permit_number: str | None
    device: str | None
    key_row: Mapping[str, Any]

    @property
    def is_quarantined(self) -> bool:
        """Whether the permit's views stand still: nobody knows how it stands."""
        return bool(self.key_row["is_parked"])

    @property
    def is_present(self) -> bool:
        """Whether the views hold everything of this permit that was committed before the look."""
        return self.seen.is_fresh

    def with_permit_of(self, other: CheckLookup) -> CheckLookup:
        """The same code, and the permit as another look has it."""
        return self._replace(seen=other.seen, key_row=other.key_row)


Item = CheckQuery | CheckRecord
Outcome = CheckLookup | int
"""A record comes to its position among the checks."""


class CheckWriter:
    """Batches of look-ups and records, mixed."""

    def write(self, connection: Connection, items: Sequence[Item]) -> list[Outcome]:
        records = [item for item in items if isinstance(item, CheckRecord)]
        look_ups = [item for item in items if isinstance(item, CheckQuery)]
        parameters = _columns(records, look_ups)
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
        """A record is found by its id. A look-up is sent again: its code may be dead by then."""
        records = [item for item in items if isinstance(item, CheckRecord)]
        stored = stored_positions(connection, records)
        return [
            stored.get(item.check_id) if isinstance(item, CheckRecord) else None for item in items
        ]


class CheckBatcher:
    """Belongs to one event loop, but for its thread; whoever makes it closes it."""

    def __init__(self, database_url: str) -> None:
        self._commits: GroupCommit[Item, Outcome] = GroupCommit(
            connecting(database_url), CheckWriter()
        )

    async def look_up(self, asked: CheckQuery) -> CheckLookup:
        """
        Raises:
            Unavailable: as :meth:`.GroupCommit.append`; a code may be used.
        """
        return cast("CheckLookup", await self._commits.append(asked))

    async def record(self, record: CheckRecord) -> int:
        """Its position, durable on return.

        Raises:
            Unavailable: it may be on record all the same, and must not be answered.
        """
        return cast("int", await self._commits.append(record))

    def close(self) -> None:
        self._commits.close()


def connecting(database_url: str) -> Callable[[], Connection]:
    """Connections on which each look is one into an index, whatever the planner believes of tables
    that were small when it made its plan; and the plan is made once."""

    def connect() -> Connection:
        connection = connect_to_append(database_url, application_name="permit-ledger check")
        for setting in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"):
            connection.execute(f"SET {setting} = off")
        connection.execute("SET plan_cache_mode = force_generic_plan")
        return connection

    return connect


def _columns(records: Sequence[CheckRecord], look_ups: Sequence[CheckQuery]) -> dict[str, object]:
    codes = [(n, each) for n, each in enumerate(look_ups, 1) if each.code_digest]
    return {
        "record_state": [each.state for each in records],
        "permit_number": [each.permit_number for each in look_ups],
        "code_number": [n for n, _ in codes],
        "code_digest": [each.code_digest for _, each in codes],
        "code_challenge_digest": [each.challenge_digest for _, each in codes],
        "code_verifier_index": [each.verifier_index for _, each in codes],
        "code_scenario": [each.scenario for _, each in codes],
        # The latest of them: no code lives longer because it was asked for in company.
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
    if found.is_present:  # of this permit there is nothing between the views' position and the head
        return found._replace(seen=found.seen.as_of_head())
    return found
