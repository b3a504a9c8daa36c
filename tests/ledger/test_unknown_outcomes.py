"""Invariant 2: when the response to an append is lost, the log shows what happened."""

import socket

import psycopg
import pytest

from domain.errors import NotReportedLost
from ledger.database.connections import connect_to_append
from ledger.errors import OutcomeUnknown, Unavailable, VersionTaken
from ledger.eventlog import group_commit
from ledger.eventlog.append import Append, AppendWriter

WAIT_S = 30
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
        def broken(self, connection, appends):
            when, meanwhile = coming.pop(0) if coming else (None, None)
            if when == "before" or (when == "look" and not writes):
                die(connection, meanwhile)
            outcome = act(self, connection, appends)
            if when == "after":
                die(connection, meanwhile)
                connection.execute("SELECT")
            return outcome

        return broken

    def breaks(*when, meanwhile=lambda: None):
        coming.extend((each, meanwhile) for each in when)

    for name in ("write", "resolve_unknown_outcomes"):
        act = getattr(AppendWriter, name)
        monkeypatch.setattr(AppendWriter, name, breaking(act, writes=name == "write"))
    return breaks


class Network:
    """Makes connections while it is up; ``last`` is the newest."""

    def __init__(self):
        self.is_up, self.last = True, None

    def connect(self, url):
        if not self.is_up:
            raise psycopg.OperationalError("no route to host")
        self.last = connect_to_append(url)
        return self.last


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def impatient(new_raw_log, network):
    """A log whose callers wait for a second and a half; the last second is the writer's."""
    return new_raw_log(connect=network.connect, wait_s=group_commit.ANSWER_S + 0.5)


def test_a_commit_with_a_lost_response_is_found(raw_log, stored, breaks):
    """The caller gets its positions, and nothing is written twice."""
    raw_log.append_events([stored("a", 1)])
    breaks("after")

    assert [2, 3] == raw_log.append_events([stored("a", 2), stored("b", 1)])

    log = raw_log.events(1, 10)
    assert [("a", 1), ("a", 2), ("b", 1)] == [
        (event.originator_id, event.originator_version) for event in log
    ]
    assert [4] == raw_log.append_events([stored("a", 3)])


def test_an_append_is_repeated_after_a_break_before_the_commit(raw_log, stored, breaks):
    """Nothing was written; no position is lost."""
    breaks("before")

    assert [1] == raw_log.append_events([stored("a", 1)])

    assert [1] == [event.originator_version for event in raw_log.stored("a")]


def test_an_outcome_is_looked_up_as_long_as_the_caller_waits(raw_log, stored, breaks):
    """A second connection may break as well, before the look-up or during it."""
    breaks("after", "look", "look")

    assert [1] == raw_log.append_events([stored("a", 1)])

    assert 1 == raw_log.head()


def test_an_outcome_that_can_not_be_looked_up_in_time_is_unknown(
    impatient, network, stored, breaks
):
    """It was sent and is stored, which cannot be seen yet; appended again, it is found."""
    assert [1] == impatient.append_events([stored("a", 1)])

    def break_off():
        network.is_up = False

    breaks("after", meanwhile=break_off)
    with pytest.raises(OutcomeUnknown):
        impatient.append_events([stored("a", 2)])

    network.is_up = True
    breaks("before")
    assert [2] == impatient.append_events([stored("a", 2)])


def test_an_append_that_was_never_sent_is_certainly_not_written(impatient, network, stored):
    """The database is unreachable: the outcome is certain, and nothing is written later."""
    network.is_up = False
    with pytest.raises(Unavailable) as caught:
        impatient.append_events([stored("a", 1)])
    network.is_up = True

    assert not isinstance(caught.value, OutcomeUnknown)
    assert [1] == impatient.append_events([stored("b", 1)])
    assert [] == impatient.stored("a")


@pytest.mark.parametrize(
    "others",
    [[("a", 1, b"others"), ("a", 2, b"others")], [("a", 1, b"own")]],
    ids=["other bytes", "not all of it"],
)
def test_another_appends_events_are_not_taken_for_its_own(
    raw_log, new_raw_log, stored, breaks, others
):
    """Only equal bytes under every version are this append; anything else is a conflict."""
    elsewhere = new_raw_log()
    theirs = [stored(*event) for event in others]
    breaks("before", meanwhile=lambda: elsewhere.append_events(theirs))

    with pytest.raises(VersionTaken):
        raw_log.append_events([stored("a", 1, b"own"), stored("a", 2, b"own")])

    assert theirs == raw_log.stored("a")


def test_a_commit_under_way_is_waited_for(new_raw_log, network, stored, admin, until):
    """The connection breaks while the server still commits: the outcome follows when it is done."""
    admin.execute(
        "CREATE FUNCTION committing() RETURNS trigger LANGUAGE plpgsql AS"
        f" 'BEGIN PERFORM pg_advisory_xact_lock({COMMITTING}); RETURN NULL; END'"
    )
    admin.execute(
        "CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON ledger.events"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION committing()"
    )
    admin.execute("SELECT pg_advisory_lock(%s)", [COMMITTING])
    raw_log = new_raw_log(connect=network.connect)

    def waiting(event):
        sql = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = %s"
        )
        return admin.execute(sql, [event]).fetchone()[0]

    outcome = raw_log.start(Append([stored("a", 1)]))
    until(lambda: waiting("advisory"))
    with socket.socket(fileno=network.last.fileno()) as line:
        line.shutdown(socket.SHUT_RDWR)
        line.detach()
    until(lambda: waiting("transactionid"))
    assert not outcome.done()
    admin.execute("SELECT pg_advisory_unlock(%s)", [COMMITTING])

    assert [1] == outcome.result(WAIT_S)
    assert [1] == [event.originator_version for event in raw_log.stored("a")]


def test_a_command_survives_a_lost_response(ledger, issue, command, breaks):
    """Its retry under the same key gets the same response, and the log holds one event."""
    number = issue()
    breaks("after")

    answer = ledger.permits.report_loss(number, command(key="key-1"))
    again = ledger.permits.report_loss(number, command(key="key-1"))

    assert (2, 2, False) == (answer.version, answer.position, answer.replayed)
    assert (2, 2, True) == (again.version, again.position, again.replayed)
    assert ledger.head() == 2


def test_a_command_is_not_in_conflict_with_its_own_first_sending(ledger, issue, command, breaks):
    """Its first sending arrived after the look-up, and the second one conflicts with it: the
    command has succeeded."""
    number = issue()
    writes = []
    breaks("before")
    write = AppendWriter.write

    def late(self, connection, appends):
        """The server runs the broken connection's statement after the look-up found nothing."""
        writes.append(appends)
        if len(writes) == 2:
            write(self, connection, appends)
        return write(self, connection, appends)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AppendWriter, "write", late)
        answer = ledger.permits.report_loss(number, command())

    assert 2 == len(writes)
    assert (2, 2) == (answer.version, answer.position)
    assert ledger.head() == 2


def test_a_refusal_survives_a_lost_response(ledger, issue, command, breaks):
    """It is stored once, and returned again whatever has changed since."""
    number = issue()
    breaks("after")

    with pytest.raises(NotReportedLost):
        ledger.permits.reissue(number, command(key="key-1"))
    ledger.permits.report_loss(number, command())

    again = ledger.permits.reissue(number, command(key="key-1"))
    assert (False, True) == (again.accepted, again.replayed)
    assert ledger.head() == 2
