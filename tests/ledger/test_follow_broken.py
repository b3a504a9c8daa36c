"""The errors that end a follower: another log than the one it read, a wrong database."""

import pytest
from psycopg.conninfo import make_conninfo
from psycopg.errors import InsufficientPrivilege, InvalidSchemaName, ProgrammingError

from ledger.errors import Corrupt, LogBehind, LogGap

STRANGER = "follower_without_rights"
RARE = "test.rare.v1"


@pytest.fixture
def five(raw_log, stored):
    """Five events; the third of a rare topic."""
    for version in range(1, 6):
        topic = RARE if version == 3 else "test.happened.v1"
        raw_log.append_events([stored("a", version, topic=topic)])


@pytest.fixture
def stranger(admin):
    """A user who may only connect."""
    admin.execute(f"CREATE ROLE {STRANGER} LOGIN")
    yield STRANGER
    admin.execute(f"DROP ROLE {STRANGER}")


@pytest.mark.usefixtures("five")
@pytest.mark.parametrize("missing", [1, 3, 5], ids=["the first", "one between", "the last"])
def test_a_missing_event_ends_the_follower(following, rewrite_log, nobody_follows, missing):
    """It never continues beyond a gap, which a manual change or a wrong backup leaves."""
    rewrite_log("DELETE FROM ledger.events WHERE position = %s", [missing])

    with following(page_events_max=1) as follower:
        failure = follower.failure()

    assert (LogGap, True) == (type(failure), isinstance(failure, Corrupt))
    assert f"no event at position {missing};" in failure.detail
    assert list(range(1, missing)) == follower.positions
    nobody_follows()


@pytest.mark.usefixtures("five")
def test_a_later_gap_ends_the_follower(following, admin, listening, until):
    """The head has moved and no event was found."""
    with following() as follower:
        until(lambda: len(follower.positions) == 5)
        listening()
        admin.execute("UPDATE ledger.head SET position = 6")
        failure = follower.failure()

    assert LogGap is type(failure)


@pytest.mark.usefixtures("five")
def test_a_log_that_ends_before_the_start_ends_the_follower(following):
    """An older backup: positions that were read would get other events."""
    with following(after=6) as follower:
        failure = follower.failure()

    assert LogBehind is type(failure)
    assert failure.detail == "The log ends at position 5 and was read up to 6 before."


@pytest.mark.usefixtures("five")
def test_a_log_that_becomes_shorter_ends_the_follower(following, rewrite_log, listening, until):
    """Positions that were read would get other events."""
    with following() as follower:
        until(lambda: 3 in follower.positions)
        listening()
        rewrite_log(
            "WITH gone AS (DELETE FROM ledger.events WHERE position > 4)"
            " UPDATE ledger.head SET position = 4"
        )
        failure = follower.failure()

    assert LogBehind is type(failure)


def test_a_log_without_a_head_ends_the_follower(following, admin):
    """Its end is unknown."""
    admin.execute("DELETE FROM ledger.head")

    with following() as follower:
        assert LogBehind is type(follower.failure())


def test_appends_are_never_taken_for_a_gap(following, raw_log, stored, at_once, until):
    """Head and events are read in one snapshot, however many threads append."""
    appends = [
        lambda n=n: [
            raw_log.append_events([stored(f"{n}-{turn}", v) for v in range(1, 2 + turn % 3)])
            for turn in range(12)
        ]
        for n in range(4)
    ]
    with following() as follower, following(page_events_max=1):
        at_once(appends)
        until(lambda: len(follower.positions) == 4 * 24)

    assert list(range(1, 4 * 24 + 1)) == follower.positions


def test_a_database_without_the_schema_ends_the_follower(following_at, postgres_url):
    """The error is not retried for ever."""
    with following_at(make_conninfo(postgres_url, dbname="postgres")) as follower:
        assert InvalidSchemaName is type(follower.failure())


def test_a_user_without_rights_ends_the_follower(following_at, database_url, stranger):
    """Nor is this one."""
    with following_at(make_conninfo(database_url, user=stranger)) as follower:
        assert InsufficientPrivilege is type(follower.failure())


def test_an_invalid_address_ends_the_follower(following_at):
    """It is a mistake in a setting."""
    with following_at("postgresql//nowhere") as follower:
        assert isinstance(follower.failure(), ProgrammingError)
