"""Projectors that live through what happens: company, lost connections, unreadable events."""

from threading import Thread

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent
from structlog.testing import capture_logs

COMMANDS = 120
KILLS = 6
PROJECTOR, FOLLOWER = "permit-ledger project", "permit-ledger follow"


class Tally:
    """A view that writes down each event it was given, in the page's transaction."""

    CREATE = """
        CREATE TABLE tally (stream text NOT NULL, version integer NOT NULL);
        GRANT INSERT ON tally TO permit_ledger_service
    """

    def apply(self, connection, events, _keys):
        for event in events:
            connection.execute(
                "INSERT INTO tally VALUES (%s, %s)", [event.originator_id, event.originator_version]
            )


def test_two_projectors_apply_each_event_once(
    life, start_projector, caught_up, views_are_the_log, admin, ledger
):
    """They take turns as they come, and each goes on when the other is gone."""
    admin.execute(Tally.CREATE)
    one, _other = start_projector(Tally()), start_projector(Tally())
    living = life(5)
    living.go_on(COMMANDS)
    caught_up()
    one.end()
    living.go_on(COMMANDS // 4)
    caught_up()

    log = ledger.log.select_notifications(None, 100_000)
    assert [(event.originator_id, event.originator_version) for event in log] == admin.execute(
        "SELECT stream, version FROM tally ORDER BY ctid"
    ).fetchall()
    views_are_the_log()


def test_killed_connections_are_opened_again(
    life, start_projector, caught_up, views_are_the_log, admin, kill, until, ledger
):
    """Time and again, the writing one and the reading one, and no event is applied twice."""
    admin.execute(Tally.CREATE)
    start_projector(Tally())
    living = life(6)
    for turn in range(KILLS):
        name = [PROJECTOR, FOLLOWER][turn % 2]
        until(lambda name=name: kill(name))
        writer = Thread(target=living.go_on, args=[COMMANDS // KILLS])
        writer.start()
        until(lambda name=name: kill(name))
        writer.join()
    caught_up()

    assert (ledger.log.head(),) == admin.execute("SELECT count(*) FROM tally").fetchone()
    views_are_the_log()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("state", b'{"name": "secret"'),
        ("topic", "permit.unheard-of.v1"),
        ("state", b'{"a": "secret"}'),
    ],
)
def test_an_unreadable_event_holds_all_views(
    life,
    start_projector,
    caught_up,
    views_are_the_log,
    admin,
    rows,
    lag,
    until,
    column,
    value,
    rewrite_log,
):
    """In step with each other and visibly behind; mended, they go on by themselves."""
    projecting = start_projector()
    living = life(7)
    number = living.issue()
    living.claim(number)
    caught_up()
    projecting.end()
    living.new_card(number)
    [(good,)] = admin.execute(f"SELECT {column} FROM ledger.events WHERE position = 3").fetchall()
    rewrite_log(f"UPDATE ledger.events SET {column} = %s WHERE position = 3", [value])

    with capture_logs() as logs:
        start_projector()
        until(lambda: len(logs) >= 3)

    assert {"views stand still"} == {line["event"] for line in logs}
    assert "secret" not in str(logs)
    assert lag() == 2
    row = rows("views.permits")[number]
    assert (1, 1, 2) == (row["card_serial"], row["electronic_card_serial"], row["version"])

    rewrite_log(f"UPDATE ledger.events SET {column} = %s WHERE position = 3", [good])
    caught_up()
    views_are_the_log()


def test_what_a_newer_version_writes_is_waited_before(
    life, start_projector, caught_up, ledger, rows, lag, until
):
    """A projector that was running already says so and skips nothing, whatever follows."""
    start_projector()
    living = life()
    number = living.issue()
    caught_up()
    newer = StoredEvent(number, 2, "permit.renamed.v1", b'{"name": "secret"}')

    with capture_logs() as logs:
        ledger.log.insert_events([newer])
        living.issue()
        until(lambda: len(logs) >= 3)

    reason = f"version 2 of {number} has the unknown topic permit.renamed.v1"
    assert {("error", "views stand still", reason)} == {
        (line["log_level"], line["event"], line["reason"]) for line in logs
    }
    assert (2, [number]) == (lag(), list(rows("views.permits")))


def test_other_permits_wait_with_the_unreadable_one(
    life, start_projector, rewrite_log, rows, lag, until
):
    """Nothing behind it is applied: a position says that everything before it was."""
    living = life()
    living.issue()
    living.issue()
    rewrite_log("UPDATE ledger.events SET state = '' WHERE position = 1")

    with capture_logs() as logs:
        start_projector()
        until(lambda: logs)

    assert (2, {}) == (lag(), rows("views.permits"))


def test_a_projector_waits_for_the_database(
    life, start_projector, caught_up, views_are_the_log, monkeypatch, until
):
    """Out of reach when it starts, it is waited for."""
    refused = []

    def refuse(*_args, **_kwargs):
        refused.append(1)
        raise psycopg.OperationalError

    with monkeypatch.context() as out_of_reach:
        out_of_reach.setattr("projections.runner.connect", refuse)
        start_projector()
        until(lambda: len(refused) >= 2)
    life(8).go_on(10)
    caught_up()

    views_are_the_log()


def test_stop_ends_a_projector(start_projector, caught_up):
    """At the end of the log."""
    running = start_projector()
    caught_up()

    running.end()

    assert not running.thread.is_alive()
