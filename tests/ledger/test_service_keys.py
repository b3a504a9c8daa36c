"""Keys and pictures are changed by no statement of the service's role; the function that destroys a
key believes the log alone."""

import pytest
from psycopg.conninfo import make_conninfo
from psycopg.errors import InsufficientPrivilege, RestrictViolation

from ledger.database.connections import as_service, connect

HOLDER = """
    INSERT INTO ledger.holders VALUES ('h', 'index', 'a', '{a,b}', false, 'kek', 'wrapped');
    INSERT INTO ledger.holder_keys VALUES ('other', 'kek', 'wrapped');
    INSERT INTO ledger.portraits VALUES ('a', 1, 'sealed'), ('c', 1, 'sealed')"""
BEGUN = """
    INSERT INTO ledger.events
    SELECT ascii(stream) - 96, stream, 1, 'test.happened.v1', '{"holder_id": "h"}'
    FROM unnest('{a,b,c}'::text[]) AS stream"""
ERASED = "INSERT INTO ledger.events VALUES (%s, %s, 2, 'permit.holder-erased.v1', %s)"
DESTROY = "SELECT ledger.destroy_key('h')"
OF_HOLDER = b'{"holder_id": "h"}'


@pytest.fixture
def service(database_url, admin):
    """Acting as it, in a database with a holder of two permits."""
    admin.execute(HOLDER)
    admin.execute(BEGUN)
    with connect(as_service(database_url)) as connection:
        yield connection


@pytest.fixture
def left(admin):
    """``left()``: the holder's key and index, and how many pictures there are."""
    sql = (
        "SELECT wrapped, citizen_index, permit_number, permit_numbers,"
        " (SELECT count(*) FROM ledger.portraits)"
        " FROM ledger.holders WHERE holder_id = 'h'"
    )
    return lambda: admin.execute(sql).fetchone()


WHOLE = (b"wrapped", b"index", "a", ["a", "b"], 2)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger.holder_keys SET wrapped = 'another'",
        "UPDATE ledger.holder_keys SET kek_id = NULL, wrapped = NULL",
        "DELETE FROM ledger.holder_keys",
        "TRUNCATE ledger.holders",
        "UPDATE ledger.holders SET wrapped = 'another'",
        "INSERT INTO ledger.holders (holder_id, kek_id, wrapped) VALUES ('h', 'kek', 'x')"
        " ON CONFLICT (holder_id) DO UPDATE SET wrapped = excluded.wrapped",
        "UPDATE ledger.portraits SET image = ''",
        "DELETE FROM ledger.portraits",
        "TRUNCATE ledger.portraits",
        "UPDATE ledger.key_encryption_keys SET closed_at = now()",
        "DELETE FROM ledger.key_encryption_keys",
    ],
)
def test_the_role_cannot_change_a_key_or_a_picture(service, left, change):
    """It adds them; rotating keys and destroying KEKs is the owner's task."""
    with pytest.raises(InsufficientPrivilege):
        service.execute(change)

    assert WHOLE == left()


@pytest.mark.parametrize(
    "events",
    [
        [],
        [("a", OF_HOLDER)],
        [("a", OF_HOLDER), ("c", OF_HOLDER)],
        [("a", OF_HOLDER), ("b", b'{"holder_id": "other"}')],
        [("a", OF_HOLDER), ("b", b"{}")],
        [("a", OF_HOLDER), ("b", b"no JSON")],
    ],
    ids=["none", "of one", "of another permit", "of another holder", "of nobody", "unreadable"],
)
def test_no_key_is_destroyed_without_an_event_of_each_permit(admin, service, left, events):
    """The log shows whose key was destroyed, and when."""
    for position, (stream, state) in enumerate(events, 4):
        admin.execute(ERASED, [position, stream, state])

    with pytest.raises(RestrictViolation, match="the log does not say that holder h is erased"):
        admin.execute(DESTROY)

    assert WHOLE == left()


def test_no_key_is_destroyed_by_events_in_another_persons_stream(admin, service, left):
    """The list of permits alone says nothing: a stream is its holder's by its first event."""
    admin.execute("UPDATE ledger.holders SET permit_numbers = '{d}' WHERE holder_id = 'h'")
    admin.execute(
        "INSERT INTO ledger.events VALUES (4, 'd', 1, 'test.happened.v1', %s)",
        [b'{"holder_id": "other"}'],
    )
    admin.execute(ERASED, [5, "d", OF_HOLDER])

    with pytest.raises(RestrictViolation):
        admin.execute(DESTROY)

    assert b"wrapped" == left()[0]


def test_with_the_events_this_holders_key_is_destroyed(admin, service, left):
    """With the index and the pictures; repeating it changes nothing."""
    for position, stream in enumerate("ab", 4):
        admin.execute(ERASED, [position, stream, OF_HOLDER])

    for _ in range(2):
        admin.execute(DESTROY)

        assert (None, None, None, ["a", "b"], 1) == left()
        assert [("other",)] == admin.execute(
            "SELECT holder_id FROM ledger.holder_keys WHERE wrapped IS NOT NULL"
        ).fetchall()


def test_the_role_may_not_destroy_a_key_itself(service):
    """Only an append does, with the event."""
    with pytest.raises(InsufficientPrivilege, match="for function destroy_key"):
        service.execute(DESTROY)


def test_no_other_user_may_destroy_a_key(admin, database_url, new_login):
    """A function that runs as its owner is not executable by every user."""
    stranger = new_login()
    admin.execute(f"GRANT USAGE ON SCHEMA ledger TO {stranger}")
    with (
        connect(make_conninfo(database_url, user=stranger)) as connection,
        pytest.raises(InsufficientPrivilege, match="for function destroy_key"),
    ):
        connection.execute(DESTROY)
