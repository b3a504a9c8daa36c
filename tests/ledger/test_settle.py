"""Invariant 2: when the answer to COMMIT is lost, the log itself says what happened."""

import socket
from contextlib import contextmanager
from threading import Thread

import psycopg
import pytest

from domain.errors import NotReportedLost
from ledger.errors import Unavailable, VersionTaken

COMMITTING = 20260105
"""An advisory lock that a COMMIT waits for."""


@pytest.fixture
def breaks(monkeypatch, admin):
    """``breaks("before", "after")``: the connections of the next appends die around their COMMIT;
    with ``meanwhile`` something happens then, before anybody looks."""
    transaction = psycopg.Connection.transaction
    coming = []

    def die(connection, meanwhile):
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
        meanwhile()

    @contextmanager
    def breaking(connection):
        when, meanwhile = coming.pop(0) if coming else (None, None)
        with transaction(connection) as current:
            yield current
            if when == "before":
                die(connection, meanwhile)
        if when == "after":
            die(connection, meanwhile)
            connection.execute("SELECT")

    def breaks(*when, meanwhile=lambda: None):
        coming.extend((each, meanwhile) for each in when)

    monkeypatch.setattr(psycopg.Connection, "transaction", breaking)
    return breaks


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


@pytest.mark.parametrize("settling", ["append", "look"])
def test_who_can_not_be_told_what_happened_is_told_so(recorder, stored, breaks, settling):
    """Nothing was written, the caller may try again, and the position is not lost."""
    breaks("before", *([None] if settling == "append" else []), "before")

    with pytest.raises(Unavailable):
        recorder.insert_events([stored("a", 1)])

    assert (0, []) == (recorder.head(), recorder.select_events("a"))
    assert [1] == recorder.insert_events([stored("a", 1)])


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
    used = []
    transaction = psycopg.Connection.transaction

    def noting(connection):
        used.append(connection)
        return transaction(connection)

    monkeypatch.setattr(psycopg.Connection, "transaction", noting)
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
    with socket.socket(fileno=used[0].fileno()) as line:
        line.shutdown(socket.SHUT_RDWR)
        line.detach()
    until(lambda: len(used) == 2 and waiting("transactionid"))
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


def test_a_command_of_unknown_outcome_is_answered_when_it_is_asked_again(
    ledger, issue, command, breaks
):
    """Two connections broke, the second after its COMMIT: the key tells what came of it."""
    number = issue()
    breaks("before", None, "after")

    with pytest.raises(Unavailable):
        ledger.report_loss(number, command(key="key-1"))

    again = ledger.report_loss(number, command(key="key-1"))
    assert (True, 2, 2) == (again.replayed, again.version, again.position)
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
