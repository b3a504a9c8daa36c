"""Invariant 2: when the answer to an append is lost, the log itself says what happened."""

import socket
from threading import Thread

import psycopg
import pytest

from domain.errors import NotReportedLost
from ledger.errors import OutcomeUnknown, Unavailable, VersionTaken
from ledger.eventlog import append_work, group_commit

COMMITTING = 20260105
"""An advisory lock that a COMMIT waits for."""


@pytest.fixture
def breaks(monkeypatch, admin):
    """``breaks("before", "after")``: the connections of the next writes die before or after they
    are done; with ``meanwhile`` something happens then, before anybody looks."""
    coming = []

    def die(connection, meanwhile):
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
        meanwhile()

    def breaking(act, *, writes):
        def broken(connection, appends):
            when, meanwhile = coming.pop(0) if coming else (None, None)
            if when == "before" or (when == "look" and not writes):
                die(connection, meanwhile)
            outcome = act(connection, appends)
            if when == "after":
                die(connection, meanwhile)
                connection.execute("SELECT")
            return outcome

        return broken

    def breaks(*when, meanwhile=lambda: None):
        coming.extend((each, meanwhile) for each in when)

    for act in (append_work.write, append_work.settle):
        broken = breaking(act, writes=act is append_work.write)
        monkeypatch.setattr(append_work, act.__name__, broken)
    return breaks


@pytest.fixture
def impatient(new_recorder):
    """A recorder whose callers wait a second and a half, less the one that the writer keeps."""
    return new_recorder(wait_s=group_commit.ANSWER_S + 0.5)


def test_a_commit_whose_answer_is_lost_is_found(recorder, stored, breaks):
    """The caller gets its positions, and nothing is written twice."""
    recorder.insert_events([stored("a", 1)])
    breaks("after")

    assert [2, 3] == recorder.insert_events([stored("a", 2), stored("b", 1)])

    log = recorder.select_notifications(None, 10)
    assert [("a", 1), ("a", 2), ("b", 1)] == [
        (event.originator_id, event.originator_version) for event in log
    ]
    assert [4] == recorder.insert_events([stored("a", 3)])


def test_a_break_before_the_commit_is_made_up_for(recorder, stored, breaks):
    """Nothing was written, so the append is tried once more; no position is lost."""
    breaks("before")

    assert [1] == recorder.insert_events([stored("a", 1)])

    assert [1] == [event.originator_version for event in recorder.select_events("a")]


def test_it_is_looked_up_for_as_long_as_somebody_waits(recorder, stored, breaks):
    """A second connection may die as well, before the look or in it."""
    breaks("after", "look", "look")

    assert [1] == recorder.insert_events([stored("a", 1)])

    assert 1 == recorder.head()


def test_who_can_not_be_told_in_time_is_told_so(impatient, stored, admin, database_url):
    """It was sent and is stored, and nobody can say so yet; asked again, it is found."""
    commits = impatient.commits
    assert [1] == impatient.insert_events([stored("a", 1)])
    connect_again = commits._writer._connect

    def unreachable():
        raise psycopg.OperationalError("no route to host")

    def write_and_break(connection, appends):
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
        return write(connection, appends)

    write = append_work.write
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commits._writer, "_connect", unreachable)
        patch.setattr(append_work, "write", write_and_break)
        with pytest.raises(OutcomeUnknown):
            impatient.insert_events([stored("a", 2)])

    assert commits._writer._connect == connect_again
    assert [2] == impatient.insert_events([stored("a", 2)])


def test_what_was_never_sent_is_known_not_to_be_written(impatient, stored, monkeypatch):
    """The database can't be reached: no doubt about the outcome, and nothing comes later."""

    def unreachable():
        raise psycopg.OperationalError("no route to host")

    monkeypatch.setattr(impatient.commits._writer, "_connect", unreachable)
    with pytest.raises(Unavailable) as caught:
        impatient.insert_events([stored("a", 1)])
    monkeypatch.undo()

    assert not isinstance(caught.value, OutcomeUnknown)
    assert [1] == impatient.insert_events([stored("b", 1)])
    assert [] == impatient.select_events("a")


@pytest.mark.parametrize(
    "others",
    [[("a", 1, b"others"), ("a", 2, b"others")], [("a", 1, b"own")]],
    ids=["other bytes", "not all of it"],
)
def test_somebody_elses_events_are_not_taken_for_ones_own(
    recorder, new_recorder, stored, breaks, others
):
    """Only equal bytes under every version are this append; anything else has won the race."""
    elsewhere = new_recorder()
    theirs = [stored(*event) for event in others]
    breaks("before", meanwhile=lambda: elsewhere.insert_events(theirs))

    with pytest.raises(VersionTaken):
        recorder.insert_events([stored("a", 1, b"own"), stored("a", 2, b"own")])

    assert theirs == recorder.select_events("a")


def test_a_commit_under_way_is_waited_for(recorder, stored, admin, monkeypatch, until):
    """The connection breaks while the server still commits: the answer comes when that is over."""
    admin.execute(
        "CREATE FUNCTION committing() RETURNS trigger LANGUAGE plpgsql AS"
        f" 'BEGIN PERFORM pg_advisory_xact_lock({COMMITTING}); RETURN NULL; END'"
    )
    admin.execute(
        "CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON ledger.events"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION committing()"
    )
    admin.execute("SELECT pg_advisory_lock(%s)", [COMMITTING])
    outcome = []
    writer = Thread(target=lambda: outcome.append(recorder.insert_events([stored("a", 1)])))

    def waiting(event):
        sql = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = %s"
        )
        return admin.execute(sql, [event]).fetchone()[0]

    writer.start()
    until(lambda: waiting("advisory"))
    with socket.socket(fileno=recorder.commits._writer._connection.fileno()) as line:
        line.shutdown(socket.SHUT_RDWR)
        line.detach()
    until(lambda: waiting("transactionid"))
    assert outcome == []
    admin.execute("SELECT pg_advisory_unlock(%s)", [COMMITTING])
    writer.join()

    assert [[1]] == outcome
    assert [1] == [event.originator_version for event in recorder.select_events("a")]


def test_a_command_survives_a_lost_answer(ledger, issue, command, breaks):
    """Its retry under the same key gets the same answer, and the log holds one event."""
    number = issue()
    breaks("after")

    answer = ledger.report_loss(number, command(key="key-1"))
    again = ledger.report_loss(number, command(key="key-1"))

    assert (2, 2, False) == (answer.version, answer.position, answer.replayed)
    assert (2, 2, True) == (again.version, again.position, again.replayed)
    assert ledger.log.head() == 2


def test_a_command_without_a_key_is_not_taken_for_its_own_rival(ledger, issue, command, breaks):
    """Its first sending got through after the look, and the second one loses to it: it has won."""
    number = issue()
    writes = []
    write = append_work.write

    def late(connection, appends):
        """The server runs what the broken connection had sent, after the look found nothing."""
        writes.append(appends)
        if len(writes) == 2:
            write(connection, appends)
        return write(connection, appends)

    with pytest.MonkeyPatch.context() as patch:
        breaks("before")
        write = append_work.write
        patch.setattr(append_work, "write", late)
        answer = ledger.report_loss(number, command())

    assert 2 == len(writes)
    assert (2, 2) == (answer.version, answer.position)
    assert ledger.log.head() == 2


def test_a_refusal_survives_a_lost_answer(ledger, issue, command, breaks):
    """It is kept once, and told again whatever has changed since."""
    number = issue()
    breaks("after")

    with pytest.raises(NotReportedLost):
        ledger.reissue(number, command(key="key-1"))
    ledger.report_loss(number, command())

    again = ledger.reissue(number, command(key="key-1"))
    assert (False, True) == (again.accepted, again.replayed)
    assert ledger.log.head() == 2
