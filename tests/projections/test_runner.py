"""The projector: the views are what the log says, whatever happens to the projector."""

from functools import partial
from threading import Event, Thread

import psycopg
import pytest
from psycopg.errors import CheckViolation
from structlog.testing import capture_logs

from ledger.follow import follow
from projections.runner import Overtaken, Projector, position
from projections.view import all_views
from tests.projections import columns

COMMANDS = 120
TOPICS_MIN = 12
KILLS = 6
PROJECTOR, FOLLOWER = "permit-ledger project", "permit-ledger follow"
TABLES = ("views.physical_permits", "views.electronic_permits", "views.permit_search")


@pytest.fixture
def views_are_the_log(ledger, blind_index, rows, lag):
    """``views_are_the_log()``: every column of every permit, compared with the aggregate."""

    def views_are_the_log():
        assert lag() == 0
        log = ledger.log.select_notifications(None, 100_000)
        permits = [ledger.permit(number) for number in {event.originator_id for event in log}]
        assert permits
        assert rows("views.physical_permits") == {p.id: columns.physical(p) for p in permits}
        assert rows("views.electronic_permits") == {p.id: columns.electronic(p) for p in permits}
        assert rows("views.permit_search") == {
            p.id: {
                "permit_number": p.id,
                "citizen_index": blind_index.of(p.identity.citizen_id_number).hex(),
            }
            for p in permits
        }

    return views_are_the_log


class Tally:
    """A view that writes down each event it was given, in the page's transaction."""

    CREATE = "CREATE TABLE tally (stream text NOT NULL, version integer NOT NULL)"

    def apply(self, connection, events):
        for event in events:
            connection.execute(
                "INSERT INTO tally VALUES (%s, %s)", [event.originator_id, event.originator_version]
            )


class Failing:
    """A view that can't be written."""

    def apply(self, _connection, _events):
        raise ZeroDivisionError


@pytest.mark.usefixtures("projector")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_views_are_a_fold_of_the_log(life, caught_up, views_are_the_log, ledger, seed):
    """After a random life that they followed."""
    life(seed).go_on(2 * COMMANDS)
    caught_up()

    views_are_the_log()
    topics = {event.topic for event in ledger.log.select_notifications(None, 100_000)}
    assert len(topics) >= TOPICS_MIN


def test_the_views_can_be_built_again(
    life, start_projector, caught_up, views_are_the_log, admin, monkeypatch
):
    """Emptied, they are built from the log alone, a page at a time."""
    monkeypatch.setattr("projections.runner.follow", partial(follow, page_events_max=7))
    life(4).go_on(COMMANDS)
    projecting = start_projector()
    caught_up()
    projecting.end()
    admin.execute(f"TRUNCATE {', '.join(TABLES)}")
    admin.execute("UPDATE views.position SET position = 0")

    start_projector()
    caught_up()

    views_are_the_log()


@pytest.fixture
def first_page(life, ledger):
    """One permit, issued."""
    life().issue()
    return ledger.log.select_notifications(None, 10)


def test_rows_are_not_written_without_the_position(
    first_page, database_url, blind_index, admin, rows
):
    """It can't be moved after the rows were written: the next try finds it all as it was."""
    projector = Projector(database_url, all_views(blind_index), Event())
    admin.execute("ALTER TABLE views.position ADD CONSTRAINT stand_still CHECK (position = 0)")

    with pytest.raises(CheckViolation):
        projector.apply(admin, first_page)
    assert (0, [{}, {}, {}]) == (position(admin), [rows(table) for table in TABLES])

    admin.execute("ALTER TABLE views.position DROP CONSTRAINT stand_still")
    projector.apply(admin, first_page)
    assert (1, [1, 1, 1]) == (position(admin), [len(rows(table)) for table in TABLES])


def test_no_view_is_written_without_the_others(first_page, database_url, blind_index, admin, rows):
    """Nor the position without all of them."""
    projector = Projector(database_url, [*all_views(blind_index), Failing()], Event())

    with pytest.raises(ZeroDivisionError):
        projector.apply(admin, first_page)

    assert (0, [{}, {}, {}]) == (position(admin), [rows(table) for table in TABLES])


def test_a_page_is_applied_where_the_views_are(life, database_url, blind_index, admin, ledger):
    """Neither twice nor over a gap: somebody else has moved them."""
    life().go_on(20)
    first, second, third = (ledger.log.select_notifications(n, 1) for n in (1, 2, 3))
    projector = Projector(database_url, all_views(blind_index), Event())

    with pytest.raises(Overtaken):
        projector.apply(admin, second)
    projector.apply(admin, first)
    for page in (first, third):
        with pytest.raises(Overtaken):
            projector.apply(admin, page)
    assert position(admin) == 1


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
    life, start_projector, caught_up, views_are_the_log, admin, rows, lag, until, column, value
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
    admin.execute(f"UPDATE ledger.events SET {column} = %s WHERE position = 3", [value])

    with capture_logs() as logs:
        start_projector()
        until(lambda: len(logs) >= 3)

    assert {"views stand still"} == {line["event"] for line in logs}
    assert "secret" not in str(logs)
    assert lag() == 2
    row = rows("views.permits")[number]
    assert (1, 1, 2) == (row["card_serial"], row["electronic_card_serial"], row["version"])

    admin.execute(f"UPDATE ledger.events SET {column} = %s WHERE position = 3", [good])
    caught_up()
    views_are_the_log()


def test_other_permits_wait_with_the_unreadable_one(life, start_projector, admin, rows, lag, until):
    """Nothing behind it is applied: a position says that everything before it was."""
    living = life()
    living.issue()
    living.issue()
    admin.execute("UPDATE ledger.events SET state = '' WHERE position = 1")

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
