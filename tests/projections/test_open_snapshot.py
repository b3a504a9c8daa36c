"""Beside a snapshot that is held open, as by a backup, a commit costs what it costs without one.

The cost is in pages that a statement touches, so that it does not depend on the machine. Under an
open snapshot the old versions of a row stay: a query that passed them would touch more and more.
"""

from collections.abc import Callable, Iterator
from typing import Any, LiteralString

import pytest

from ledger.database.connections import Connection, as_service, connect
from ledger.database.named_sql import Queries

MOVES = 1_000
PAGES_MORE_MAX = 2
"""An index of the rows that were added meanwhile may have become a level higher."""

SWEPT_AT_ONCE = 20
"""Of what is over, each live code deletes so many rows."""

_views = Queries("projections", "sql/position.sql")
_vitals = Queries("projections", "sql/vitals.sql")
_permits = Queries("projections", "sql/permits.sql")
_log = Queries("ledger", "sql/queries.sql")
_tree = Queries("transparency", "sql/tree.sql")
_relay = Queries("consumers", "sql/relay.sql")

APPEND: LiteralString = """SELECT * FROM ledger.append(
    event_command => '{0}', event_stream => ARRAY['s' || {n}], event_version => '{1}',
    event_topic => '{test.happened.v1}', event_state => ARRAY['{{}}'::bytea])"""
CHECK: LiteralString = """SELECT * FROM ledger.check_batch(
    ARRAY[convert_to(json_build_object(
        'check_id', gen_random_uuid(), 'checked_at', now(), 'track', 'physical', 'scenario', 's',
        'outcome', 'refused', 'as_of_position', 0)::text, 'UTF8')],
    '{}', '{}', '{}', '{}', '{}', now(), '1s')"""
AUDIT_READ: LiteralString = """SELECT ledger.record_read(
    gen_random_uuid(), now(), 'r', NULL, 'w', NULL, '{}', 'ok', 'c')"""
MINT: LiteralString = """SELECT * FROM ledger.mint_code(
    sha256(('code ' || {n})::bytea), 'p' || {n}, 'h', 'd' || {n}, NULL,
    now(), now() + interval '1 minute', NULL, sha256(('proof ' || {n})::bytea))"""
MOVE_VIEWS: LiteralString = """UPDATE views.position SET position = {n} + 1 WHERE position = {n}"""
MOVE_RELAY: LiteralString = "SELECT ledger.move_relay({n}, '{}')"
GROW: LiteralString = """UPDATE ledger.trees SET size = {n} + 1
    WHERE tree = 'checks' AND size = {n}"""
"""What ``ledger.grow_tree`` does with the tree's row."""
MOVING = {
    "an append": APPEND,
    "a batch of checks": CHECK,
    "an audit read": AUDIT_READ,
    "a live code": MINT,
    "a page of the projector": MOVE_VIEWS,
    "a page of the relay": MOVE_RELAY,
    "a step of a tree": GROW,
}
READING: dict[str, tuple[LiteralString, dict[str, Any]]] = {
    "the head": (_log.head, {}),
    "the log's next page": (
        _log.follow_log,
        {"after": 2**40, "until": 2**41, "events_max": 10, "bytes_max": 10},
    ),
    "the views' lock": (_views.lock, {}),
    "both positions": (_views.progress, {}),
    "permits": (_permits.permits, {"permit_numbers": ["7Q2M9K4T8XW5"]}),
    "the health": (_vitals.vitals, {}),
    "a tree": (_tree.select_tree, {"tree": "checks"}),
    "the relay's row": (_relay.cursor, {}),
}


@pytest.fixture
def owner(database_url: str) -> Iterator[Connection]:
    """The operator's connection, which plans as the service does."""
    with connect(database_url) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute(
            "INSERT INTO ledger.device_proofs (proof_digest, expires_at)"
            " SELECT sha256(n::text::bytea), now() - make_interval(secs => n)"
            " FROM generate_series(1, %s) AS n",
            [SWEPT_AT_ONCE * (2 * MOVES + 100)],
        )
        yield connection


@pytest.fixture
def service(database_url: str) -> Iterator[Connection]:
    with connect(as_service(database_url)) as connection:
        connection.execute(_views.prepare)
        yield connection


def pages(connection: Connection, query: Any, parameters: Any = None) -> int:
    """How many pages of the shared buffers a statement touches, what its functions do included."""
    explain = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) " + query
    for _ in range(2):  # the first time the catalogues are read too
        with connection.transaction(force_rollback=True):
            [(document,)] = connection.execute(explain, parameters).fetchall()
    [plan] = document  # type: ignore[misc]
    return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])


@pytest.fixture
def move(owner: Connection) -> Callable[[int, int], None]:
    """``move(after, times)``: move every row so often, one commit after the other."""

    def move(after: int, times: int) -> None:
        for what in MOVING.values():
            statement = what.replace("SELECT", "PERFORM", 1).replace("{n}", "n")
            owner.execute(
                f"DO $$ BEGIN FOR n IN {after} .. {after + times - 1} LOOP"
                f" {statement}; COMMIT; END LOOP; END $$"
            )

    return move


def costs(owner: Connection, service: Connection, after: int) -> dict[str, int]:
    """The pages of each statement that moves a row, and of each that reads one."""
    found = {what: pages(owner, text.replace("{n}", str(after))) for what, text in MOVING.items()}
    for what, (query, parameters) in READING.items():
        found[what] = pages(service, query, parameters)
    return found


def test_a_commit_costs_the_same_beside_an_open_snapshot(
    owner: Connection,
    service: Connection,
    database_url: str,
    move: Callable[[int, int], None],
) -> None:
    """After thousands of commits none of whose old versions can be removed: the same pages."""
    with connect(database_url) as backup, backup.transaction():
        backup.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        backup.execute("SELECT FROM ledger.head")
        move(0, MOVES)
        early = costs(owner, service, MOVES)
        move(MOVES, MOVES)
        late = costs(owner, service, 2 * MOVES)
        every_version = pages(owner, "SELECT * FROM ledger.head")

    grown = {what: (early[what], late[what]) for what in early}
    assert every_version > early["the head"] + PAGES_MORE_MAX, "no version is left to be passed"
    assert {} == {what: pair for what, pair in grown.items() if pair[1] > pair[0] + PAGES_MORE_MAX}
