"""Batches that cannot be written: the append at fault is found, and fails alone."""

from threading import Event

import psycopg
import pytest
from psycopg.errors import CharacterNotInRepertoire, CheckViolation, RestrictViolation

from ledger.database.connections import connect_to_append
from ledger.errors import OutcomeUnknown, Unavailable, VersionTaken
from ledger.eventlog.append import AppendWriter
from ledger.eventlog.registry import ClaimHolder
from tests.ledger.appends import kinds, on, outcome_of, streams

WAIT_S = 30

NUL, SURROGATE = "a\0b", "a\ud800b"


class LosingWriter(AppendWriter):
    """Of the next batches with events, the connection dies before they are written; ``then`` is
    the server's error for the batch after them."""

    def __init__(self, admin):
        self._admin, self._left = admin, []

    def loses(self, times, then=None):
        self._left = [*[None] * times, *([then] if then else [])]

    def write(self, connection, items):
        if any(append.events for append in items) and self._left:
            if refusal := self._left.pop(0):
                raise refusal
            self._admin.execute(
                "SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid]
            )
        return super().write(connection, items)


@pytest.fixture
def losing(admin):
    return LosingWriter(admin)


@pytest.fixture
def raw_log(new_raw_log, losing):
    return new_raw_log(batches=losing)


# -- what can't be stored ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("poisoned", "error"),
    [
        (on(NUL), psycopg.DataError),
        (on("p", key=NUL), psycopg.DataError),
        (on("p", ClaimHolder(b"p", NUL, "p")), psycopg.DataError),
        (on(SURROGATE), UnicodeEncodeError),
        (on("p", key=SURROGATE), UnicodeEncodeError),
        (on("p", version=0), CheckViolation),
        (on("p", version=2**31), psycopg.DataError),
        (on("p", version=None), RestrictViolation),
    ],
    ids=[
        *("NUL in a stream", "NUL in a key", "NUL in a holder id", "surrogate in a stream"),
        *("surrogate in a key", "version 0", "version too large", "no version"),
    ],
)
@pytest.mark.parametrize("place", [0, 3, 6])
def test_an_append_that_cannot_be_stored_fails_alone(raw_log, in_one_batch, poisoned, error, place):
    """Its caller gets its error; the others are written in order."""
    batch = [on(str(n)) for n in range(6)]
    batch.insert(place, poisoned)

    outcomes = in_one_batch(*batch)

    assert isinstance(outcomes.pop(place), error)
    assert [[n] for n in range(1, 7)] == outcomes
    assert [str(n) for n in range(6)] == streams(raw_log)
    assert [7] == raw_log.append(on("p"))


def test_several_appends_that_cannot_be_stored_and_a_conflict_all_fail_alone(raw_log, in_one_batch):
    """At any place in the batch."""
    raw_log.append(on("a"))

    outcomes = in_one_batch(
        on(NUL), on("b"), on("c", version=0), on("a"), on(SURROGATE), on("d"), on("e")
    )

    assert [
        *(CharacterNotInRepertoire, [2], CheckViolation, VersionTaken),
        *(UnicodeEncodeError, [3], [4]),
    ] == kinds(outcomes)
    assert ["a", "b", "d", "e"] == streams(raw_log)


def test_an_append_that_cannot_be_stored_fails_alone_after_a_lost_response_too(
    raw_log, in_one_batch, losing
):
    """It cannot even be looked up, which does not fail the others."""
    losing.loses(1)

    outcomes = in_one_batch(on("a"), on(NUL), on("b"), on("c"))

    assert [[1], CharacterNotInRepertoire, [2], [3]] == kinds(outcomes)
    assert ["a", "b", "c"] == streams(raw_log)


def test_an_append_behind_one_that_fails_is_written(raw_log, in_one_batch):
    """The next of the same permit goes into the next batch, and finds the version free."""
    outcomes = in_one_batch(on("a", version=0), on("a", key="1"), on("b"))

    assert [CheckViolation, [2], [1]] == kinds(outcomes)


# -- a database that refuses -------------------------------------------------------------------


def test_after_a_lock_timeout_the_outcome_is_certain(new_raw_log, raw_log, head_held, until):
    """The server gave up before it wrote: all callers may retry, after one wait for all."""
    written, connecting = [], Event()

    class CountingWriter(AppendWriter):
        def write(self, connection, items):
            written.append(len(items))
            return super().write(connection, items)

    def impatient(url):
        connecting.set()
        until(lambda: slow.commits.queued == 3 or written)
        connection = connect_to_append(url)
        connection.execute("SET lock_timeout = '50ms'")
        return connection

    slow = new_raw_log(connect=impatient, batches=CountingWriter())
    with head_held():
        started = [slow.start(on("0"))]
        assert connecting.wait(WAIT_S)
        started += [slow.start(on(str(n))) for n in range(1, 4)]
        assert [Unavailable] * 4 == kinds(map(outcome_of, started))

    assert ([1, 3], []) == (written, streams(raw_log))
    assert [1] == slow.append(on("0"))


@pytest.mark.parametrize(
    "refusal",
    [psycopg.errors.LockNotAvailable(), psycopg.errors.ReadOnlySqlTransaction()],
    ids=["lock", "read only"],
)
def test_after_a_lost_response_and_a_refusal_the_outcome_is_unknown(raw_log, losing, refusal):
    """The first statement was not found when it was looked up, but may still arrive."""
    losing.loses(1, then=refusal)

    with pytest.raises(Unavailable) as refused:
        raw_log.append(on("a"))

    assert OutcomeUnknown is type(refused.value)


def test_a_connection_that_can_never_be_made_fails_the_waiting_appends(new_raw_log):
    """Invalid settings are not an outage: callers do not wait for it to end."""
    failures = [psycopg.ProgrammingError("missing ="), ZeroDivisionError()]

    def connect(url):
        if failures:
            raise failures.pop(0)
        return connect_to_append(url)

    raw_log = new_raw_log(connect=connect)

    for error in (psycopg.ProgrammingError, ZeroDivisionError):
        with pytest.raises(error):
            raw_log.append(on("a"))
    assert [1] == raw_log.append(on("a"))


# -- after a commit ----------------------------------------------------------------------------


def test_every_commit_is_reported_once_done(new_raw_log, transactions):
    """Conflicts and failed appends are not: there is nothing to read."""
    reported = []
    raw_log = new_raw_log(committed=lambda: reported.append(len(transactions())))

    assert [1] == raw_log.append(on("a"))
    for losing, error in [(on("a"), VersionTaken), (on(NUL), psycopg.DataError)]:
        with pytest.raises(error):
            raw_log.append(losing)
    assert [2] == raw_log.append(on("b"))
    raw_log.commits.close()

    assert [1, 2] == reported


def test_a_commit_stands_if_reporting_it_fails(new_raw_log):
    """The callers get their positions; the writer continues."""

    def fail():
        raise ZeroDivisionError

    raw_log = new_raw_log(committed=fail)

    assert [[1], [2]] == [raw_log.append(on("a")), raw_log.append(on("b"))]
