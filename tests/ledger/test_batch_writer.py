"""The writer of batches: what can't be stored is found, and every caller hears the truth."""

import psycopg
import pytest
from psycopg.errors import CharacterNotInRepertoire, CheckViolation, NotNullViolation

from ledger.database.connections import as_service, connect_to_append
from ledger.errors import OutcomeUnknown, Unavailable, VersionTaken
from ledger.eventlog import append_work
from ledger.eventlog.group_commit import GroupCommit
from ledger.eventlog.pending import PendingAppend
from ledger.eventlog.registry import ClaimHolder
from tests.ledger.appends import kinds, on, streams

WAIT_S = 30
NUL, SURROGATE = "a\0b", "a\ud800b"


@pytest.fixture
def commits_by(database_url):
    """``commits_by(connect, …)``: a group commit whose connections are made by this function."""
    made = []

    def commits_by(connect, **how):
        commits = GroupCommit(lambda: connect(as_service(database_url)), **how)
        made.append(commits)
        return commits

    yield commits_by
    for commits in made:
        commits.close()


@pytest.fixture
def loses_answers(admin, monkeypatch):
    """``loses_answers(n)``: of the next n batches with events the connection dies before they
    are written; ``then`` is what the server says to the next."""
    write = append_work.write

    def loses_answers(times, then=None):
        left = [*[None] * times, *([then] if then else [])]

        def losing(connection, appends):
            if not any(append.events for append in appends) or not left:
                return write(connection, appends)
            if refusal := left.pop(0):
                raise refusal
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
            return write(connection, appends)

        monkeypatch.setattr(append_work, "write", losing)

    return loses_answers


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
        (on("p", version=None), NotNullViolation),
    ],
    ids=[
        *("NUL in a stream", "NUL in a key", "NUL in a holder id", "surrogate in a stream"),
        *("surrogate in a key", "version 0", "version too large", "no version"),
    ],
)
@pytest.mark.parametrize("place", [0, 3, 6])
def test_what_can_not_be_stored_fails_alone(recorder, in_one_batch, poisoned, error, place):
    """Its caller hears what was wrong with it; its neighbours are written, in their order."""
    batch = [on(str(n)) for n in range(6)]
    batch.insert(place, poisoned)

    outcomes = in_one_batch(*batch)

    assert isinstance(outcomes.pop(place), error)
    assert [[n] for n in range(1, 7)] == outcomes
    assert [str(n) for n in range(6)] == streams(recorder)
    assert [7] == recorder.append(on("p"))


def test_several_poisoned_and_a_loser(recorder, in_one_batch):
    """Each is found, wherever it stands."""
    recorder.append(on("a"))

    outcomes = in_one_batch(
        on(NUL), on("b"), on("c", version=0), on("a"), on(SURROGATE), on("d"), on("e")
    )

    assert [
        *(CharacterNotInRepertoire, [2], CheckViolation, VersionTaken),
        *(UnicodeEncodeError, [3], [4]),
    ] == kinds(outcomes)
    assert ["a", "b", "d", "e"] == streams(recorder)


def test_the_poisoned_fails_alone_after_a_lost_answer_too(recorder, in_one_batch, loses_answers):
    """It can't even be looked for: that is no reason to give up its neighbours."""
    loses_answers(1)

    outcomes = in_one_batch(on("a"), on(NUL), on("b"), on("c"))

    assert [[1], CharacterNotInRepertoire, [2], [3]] == kinds(outcomes)
    assert ["a", "b", "c"] == streams(recorder)


def test_who_waits_behind_the_poisoned_is_not_lost(recorder, in_one_batch):
    """The next of the same permit goes into the next batch, and finds the version free."""
    outcomes = in_one_batch(on("a", version=0), on("a", key="1"), on("b"))

    assert [CheckViolation, [2], [1]] == kinds(outcomes)


# -- a database that says no -------------------------------------------------------------------


def test_a_lock_that_nobody_gives_back_is_no_doubt(commits_by, recorder, head_held, monkeypatch):
    """The server gave up before it wrote: all may try again, and nobody waits for it once for each
    of them. The next finds it well."""
    write = append_work.write
    written = []

    def impatient(url):
        connection = connect_to_append(url)
        connection.execute("SET lock_timeout = '50ms'")
        return connection

    def counted(connection, appends):
        written.append(len(appends))
        return write(connection, appends)

    commits = commits_by(impatient)
    monkeypatch.setattr(append_work, "write", counted)
    pendings = [PendingAppend(on(str(n)), WAIT_S) for n in range(4)]
    with head_held():
        for pending in pendings[:-1]:
            commits._queue.put(pending)  # the writer begins with the last of them
        commits.submit(pendings[-1])
        assert [True] * 4 == [pending.wait(WAIT_S) for pending in pendings]

    assert [Unavailable] * 4 == [type(pending.error) for pending in pendings]
    assert ([4], []) == (written, streams(recorder))
    assert [1] == commits.append(on("0"))


@pytest.mark.parametrize(
    "refusal",
    [psycopg.errors.LockNotAvailable(), psycopg.errors.ReadOnlySqlTransaction()],
    ids=["lock", "read only"],
)
def test_a_refusal_after_a_lost_answer_leaves_a_doubt(recorder, loses_answers, refusal):
    """It was sent before and had not come through when looked for; it still may."""
    loses_answers(1, then=refusal)

    with pytest.raises(Unavailable) as refused:
        recorder.append(on("a"))

    assert OutcomeUnknown is type(refused.value)


def test_a_connection_that_can_never_be_made_is_told_to_those_who_wait(commits_by):
    """A mistake in the settings is no outage: nobody has to wait for it to pass."""
    failures = [psycopg.ProgrammingError("missing ="), ZeroDivisionError()]

    def connect(url):
        if failures:
            raise failures.pop(0)
        return connect_to_append(url)

    commits = commits_by(connect)

    for error in (psycopg.ProgrammingError, ZeroDivisionError):
        with pytest.raises(error):
            commits.append(on("a"))
    assert [1] == commits.append(on("a"))


# -- telling of a commit -----------------------------------------------------------------------


def test_every_commit_is_told_once_it_is_one(commits_by, in_one_batch, transactions):
    """Neither a lost race nor what can't be stored is worth anybody's look."""
    told = []
    commits = commits_by(connect_to_append, committed=lambda: told.append(len(transactions())))

    assert [1] == commits.append(on("a"))
    for losing, error in [(on("a"), VersionTaken), (on(NUL), psycopg.DataError)]:
        with pytest.raises(error):
            commits.append(losing)
    assert [2] == commits.append(on("b"))
    commits.close()

    assert [1, 2] == told


def test_who_can_not_be_told_of_a_commit_does_not_undo_it(commits_by):
    """The callers have their positions; the writer goes on."""

    def fail():
        raise ZeroDivisionError

    commits = commits_by(connect_to_append, committed=fail)

    assert [[1], [2]] == [commits.append(on("a")), commits.append(on("b"))]
