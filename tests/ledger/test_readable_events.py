"""The log for people with psql: what an event holds, in columns."""

import json
from datetime import UTC, datetime

import pytest
from psycopg.conninfo import make_conninfo
from psycopg.errors import InsufficientPrivilege
from psycopg.rows import dict_row

from ledger.database.connections import as_service, connect

PERSONAL = ["欧阳测试", "蠡湖大道", "安徽省", "1990"]
INSERT = "INSERT INTO ledger.events VALUES (%s, %s, 1, 'test.happened.v1', %s)"
UNREADABLE = {
    "empty": b"",
    "cut off": b'{"actor": "officer-1"',
    "not UTF-8": b'{"actor": "\xff"}',
    "a zero byte": b'{"actor": "\x00"}',
    "a zero character": b'{"actor": "\\u0000"}',
    "half a character": b'{"actor": "\\ud800"}',
    "an array": b'["actor"]',
    "a string": b'"actor"',
    "null": b"null",
    "a number that is too large": b'{"actor": 1e400000}',
    "nested too deep": b"[" * 100_000 + b"]" * 100_000,
}


@pytest.fixture
def readable(database_url):
    """``readable()``: every row of the view."""

    def readable():
        with connect(database_url) as connection, connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(
                "SELECT * FROM ledger.readable_events ORDER BY position"
            ).fetchall()

    return readable


def test_an_issued_permit_can_be_read(issue, ledger, readable, context):
    """Its stamp in columns of its own, the rest as facts; nothing is left out, and what is personal
    is as sealed there as in the log."""
    number = issue()
    [stored] = ledger.log.stored(number)

    [row] = readable()

    facts = row.pop("facts")
    assert {
        "position": 1,
        "stream": number,
        "version": 1,
        "topic": "permit.issued.v1",
        "recorded_at": context.at,
        "actor": "officer-1",
        "station": "320211-01",
        "policy_version": context.policy.version,
        "correlation_id": "a-request",
    } == row
    assert {"holder", "key", "box", "digests"} == set(facts["sealed"])
    assert not [text for text in PERSONAL if text in str(facts)]
    assert {"division": "320211"} == facts["residence"]
    state = json.loads(stored.state)
    stamp = {"timestamp", "actor", "station", "policy_version", "correlation_id"}
    assert {name: value for name, value in state.items() if name not in stamp} == facts


@pytest.mark.parametrize("broken", UNREADABLE.values(), ids=UNREADABLE)
def test_a_broken_state_hides_no_other_row(admin, readable, broken):
    """Its own row names the place, and nothing of the content."""
    for position, state in enumerate([b'{"actor": "one"}', broken, b'{"actor": "three"}'], start=1):
        admin.execute(INSERT, [position, f"permit {position}", state])

    one, row, three = readable()

    assert ("one", "three") == (one["actor"], three["actor"])
    assert (2, "permit 2", 1, "test.happened.v1", *[None] * 6) == tuple(row.values())


@pytest.mark.parametrize(
    ("instant", "recorded_at"),
    [
        ('"2026-11-23T02:00:00.123456+00:00"', datetime(2026, 11, 23, 2, 0, 0, 123456, UTC)),
        ('"2026-11-23T10:00:00+08:00"', datetime(2026, 11, 23, 2, tzinfo=UTC)),
        ('"the day before yesterday"', None),
        ('"2026-02-30T00:00:00+00:00"', None),
        ("null", None),
        ("{}", None),
    ],
)
def test_an_invalid_instant_is_null(admin, readable, instant, recorded_at):
    """The other columns are shown."""
    state = f'{{"timestamp": {instant}, "actor": "officer-1", "n": 1}}'
    admin.execute(INSERT, [1, "a", state.encode()])

    [row] = readable()

    assert (recorded_at, "officer-1", {"n": 1}) == (
        row["recorded_at"],
        row["actor"],
        row["facts"],
    )


def test_one_event_is_found_by_its_position(admin):
    """Reading one row of a long log does not read the others."""
    admin.execute("SET enable_seqscan = off")
    plan = admin.execute(
        "EXPLAIN SELECT * FROM ledger.readable_events WHERE position = 7"
    ).fetchall()

    assert "events_position" in str(plan)


def test_the_service_may_not_read_the_view(database_url):
    """Nor may any other user without a grant: it shows officers and stations."""
    with connect(as_service(database_url)) as service, pytest.raises(InsufficientPrivilege):
        service.execute("SELECT * FROM ledger.readable_events")


def test_an_auditor_can_be_granted_the_view_alone(admin, database_url, new_login):
    """As docs/operations.md describes; the tables behind it stay inaccessible."""
    auditor = new_login()
    admin.execute(INSERT, [1, "a", b'{"actor": "one"}'])
    admin.execute(f"GRANT USAGE ON SCHEMA ledger TO {auditor}")
    admin.execute(f"GRANT SELECT ON ledger.readable_events TO {auditor}")

    with connect(make_conninfo(database_url, user=auditor)) as connection:
        assert ("one",) == connection.execute("SELECT actor FROM ledger.readable_events").fetchone()
        with pytest.raises(InsufficientPrivilege):
            connection.execute("SELECT * FROM ledger.events")
