"""Projectors under concurrency, lost connections and unreadable events."""

from contextlib import suppress
from dataclasses import dataclass
from threading import Thread

import psycopg
import pytest
from structlog.testing import capture_logs

from ledger.database.connections import connect
from ledger.database.leader import try_lock
from ledger.errors import Corrupt
from projections.projector.quarantine import list_quarantined
from projections.projector.runner import LEASE
from projections.views.view import View

COMMANDS = 120
KILLS = 6
PROJECTOR, FOLLOWER = "permit-ledger project", "permit-ledger follow"


@dataclass
class EventRow:
    """The versions of a permit that one page contained."""

    permit_number: str
    versions: list[int]


class Tally(View):
    """A view that records each event it received, in the page's transaction."""

    CREATE = """
        CREATE TABLE public.tally (stream text NOT NULL, version integer NOT NULL);
        GRANT INSERT ON public.tally TO permit_ledger_service
    """

    def __init__(self):
        super().__init__("tally", "tally", EventRow, self.tell, reads_rows=False)

    @staticmethod
    def tell(row, event):
        row = row or EventRow(event.originator_id, [])
        row.versions.append(event.originator_version)
        return row

    def save(self, connection, records, _generation=None):
        for record in records:
            for version in record["versions"]:
                connection.execute(
                    "INSERT INTO public.tally VALUES (%s, %s)", [record["permit_number"], version]
                )


class Raising(View):
    """A view whose handler raises for some events, as often as configured."""

    def __init__(self, times, versions=(2,)):
        super().__init__("raising", "raising", EventRow, self.handle, reads_rows=False)
        object.__setattr__(self, "left", times)
        object.__setattr__(self, "versions", versions)

    def handle(self, _row, event):
        if event.originator_version in self.versions and self.left > 0:
            object.__setattr__(self, "left", self.left - 1)
            raise ZeroDivisionError

    def save(self, _connection, _records, _generation=None):
        pass


@pytest.fixture
def quarantined(admin):
    """``quarantined()``: the quarantined permits, each with position, version and reason."""

    def quarantined():
        return {
            one.permit_number: (one.position, one.version, one.reason)
            for one in list_quarantined(admin)
        }

    return quarantined


def test_two_projectors_apply_each_event_once(
    life, start_projector, caught_up, views_are_the_log, admin, ledger
):
    """They alternate, and each continues when the other is gone."""
    admin.execute(Tally.CREATE)
    one, _other = start_projector(Tally()), start_projector(Tally())
    living = life(5)
    living.go_on(COMMANDS)
    caught_up()
    one.end()
    living.go_on(COMMANDS // 4)
    caught_up()

    log = ledger.events(1, 100_000)
    tallied = admin.execute("SELECT stream, version FROM tally").fetchall()
    assert sorted((event.originator_id, event.originator_version) for event in log) == sorted(
        tallied
    )
    views_are_the_log()


def test_killed_connections_are_opened_again(
    life, start_projector, caught_up, views_are_the_log, admin, kill, until, ledger
):
    """Both the writing and the reading one, repeatedly; no event is applied twice."""
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

    assert (ledger.head(),) == admin.execute("SELECT count(*) FROM tally").fetchone()
    views_are_the_log()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("state", b'{"name": "secret"'),
        ("topic", "permit.unheard-of.v1"),
        ("state", b'{"a": "secret"}'),
    ],
)
@pytest.mark.parametrize("place", ["head", "middle", "twice"])
def test_an_unreadable_event_quarantines_only_its_permit(
    life,
    start_projector,
    caught_up,
    rows,
    quarantined,
    column,
    value,
    place,
    rewrite_log,
    admin,
    until,
):
    """At the beginning of the permit's life, later, or more than once; all others are projected."""
    living = life(7)
    number, other = living.issue(), living.issue()
    for one in (number, other):
        living.claim(one)
        living.new_card(one)
    versions = {"head": [1], "middle": [2], "twice": [2, 4]}[place]
    rewrite_log(
        f"UPDATE ledger.events SET {column} = %s WHERE stream = %s AND version = ANY(%s)",
        [value, number, versions],
    )

    with capture_logs() as logs:
        start_projector()
        caught_up()
        until(lambda: any("reason" in line for line in logs))

    [(stopped, (position, version, reason))] = quarantined().items()
    assert (number, versions[0]) == (stopped, version)
    assert [("error", "permit quarantined", reason, position)] == [
        (line["log_level"], line["event"], line["reason"], line["position"])
        for line in logs
        if "reason" in line
    ]
    assert "secret" not in str(logs) + str(list_quarantined(admin))
    there = rows("views.permits")
    assert 2 == there[other]["card_serial"] == there[other]["electronic_card_serial"]
    assert (place != "head") == (number in there)
    if number in there:
        assert versions[0] - 1 == there[number]["version"]


def test_later_events_wait_in_order_behind_the_unreadable_one(
    life, start_projector, caught_up, rows, quarantined, rewrite_log, admin, lag
):
    """None of them is applied, and each is counted."""
    living = life()
    number = living.issue()
    living.claim(number)
    rewrite_log("UPDATE ledger.events SET state = '' WHERE position = 2")
    start_projector()
    caught_up()

    with suppress(Corrupt):
        living.new_card(number)  # a command has to read it as well
    other = living.issue()
    caught_up()

    assert {number} == set(quarantined())
    assert 1 == rows("views.permits")[number]["version"]
    assert other in rows("views.permits")
    [one] = list_quarantined(admin)
    log = living.ledger.events(1, 100)
    assert len([e for e in log if e.originator_id == number]) - 1 == one.events_waiting


def test_a_handler_that_raises_once_is_retried(
    life, start_projector, caught_up, quarantined, views_are_the_log
):
    """The retry succeeds, and no event is lost."""
    start_projector(raising := Raising(times=1))
    living = life()
    living.claim(living.issue())
    caught_up()

    assert (0, {}) == (raising.left, quarantined())
    views_are_the_log()


def test_a_handler_that_keeps_raising_quarantines_the_permit_in_all_views(
    life, start_projector, caught_up, quarantined, rows
):
    """Although the other views could continue: they stay in step."""
    start_projector(Raising(times=1000))
    living = life()
    number = living.issue()
    living.claim(number)
    caught_up()

    assert {number: (2, 2, "ZeroDivisionError")} == quarantined()
    row = rows("views.permits")[number]
    assert (1, False) == (row["version"], row["claimed"])


def test_a_row_that_the_database_refuses_quarantines_its_permit(
    life, start_projector, caught_up, quarantined, rows, admin
):
    """It is found among the others of its page; no view has a row of the permit that another
    lacks."""
    living = life()
    numbers = [living.issue() for _ in range(9)]
    admin.execute(
        "ALTER TABLE views.electronic_permits ADD CHECK (permit_number <> %s)".replace(
            "%s", f"'{numbers[5]}'"
        )
    )

    start_projector()
    caught_up()

    assert {numbers[5]: (6, 1, "CheckViolation")} == quarantined()
    others = {number for number in numbers if number != numbers[5]}
    assert others == set(rows("views.physical_permits")) == set(rows("views.electronic_permits"))
    assert others == set(rows("views.permit_search"))


def test_too_many_quarantined_permits_stop_all_views(
    life, start_projector, quarantined, lag, until, monkeypatch
):
    """The fault is then not the permits': nothing is written, and the fault is reported."""
    monkeypatch.setattr("projections.projector.quarantine.PERMITS_MAX", 3)
    living = life()
    for _ in range(5):
        living.issue()

    with capture_logs() as logs:
        start_projector(Raising(times=10**9, versions=(1,)))
        until(lambda: len(logs) >= 2)

    assert {"views are held"} == {line["event"] for line in logs}
    assert (5, {}) == (lag(), quarantined())


def test_a_dropped_table_stops_all_views(
    life, start_projector, caught_up, lag, until, quarantined, admin
):
    """It is not one permit's error: no permit is quarantined, and all views continue once the table
    is back."""
    living = life()
    living.issue()
    start_projector()
    caught_up()
    admin.execute("ALTER TABLE views.electronic_permits RENAME TO gone")

    with capture_logs() as logs:
        living.issue()
        until(lambda: len(logs) >= 2)

    assert ({"views are held"}, 1, {}) == ({line["event"] for line in logs}, lag(), quarantined())
    admin.execute("ALTER TABLE views.gone RENAME TO electronic_permits")
    caught_up()


def test_only_one_projector_leads(start_projector, caught_up, admin, life):
    """Of three that start at the same moment; the others read nothing meanwhile."""
    for _ in range(3):
        start_projector()
    life().go_on(10)
    caught_up()

    leaders = admin.execute(
        "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
        " WHERE locktype = 'advisory' AND datname = current_database() AND objid = %s AND granted",
        [LEASE.lock],
    ).fetchone()
    assert (1,) == leaders


def test_another_takes_over_from_a_killed_leader(
    life, start_projector, caught_up, views_are_the_log, kill, until, admin, lag
):
    """As long as there is another one, the views are updated."""
    start_projector()
    start_projector()
    living = life(11)
    for _ in range(3):
        living.go_on(20)
        until(lambda: kill(PROJECTOR))
        caught_up()

    views_are_the_log()


def test_a_follower_works_beside_a_stalled_leader(
    life, start_projector, caught_up, database_url, admin
):
    """Another connection holds the lock and does nothing: the follower works without it."""
    with connect(database_url) as frozen:
        assert try_lock(frozen, LEASE.lock)
        start_projector()
        life().issue()

        with capture_logs() as logs:
            caught_up()

    assert "leader is stalled, stepping in" in {line["event"] for line in logs}


def test_a_leader_frozen_in_the_middle_of_a_page_is_disconnected(
    life, start_projector, caught_up, database_url, views_are_the_log
):
    """The server ends its transaction after a while, and with it the lock on the position."""
    with suppress(psycopg.Error), connect(database_url) as frozen:
        frozen.execute("SET idle_in_transaction_session_timeout = '1s'")
        frozen.execute("BEGIN")
        frozen.execute("SELECT * FROM views.position FOR UPDATE")
        life().issue()
        start_projector()
        caught_up()

    views_are_the_log()


def test_a_projector_waits_for_the_database(
    life, start_projector, caught_up, views_are_the_log, monkeypatch, until
):
    """It may be unreachable when the projector starts."""
    refused = []

    def refuse(*_args, **_kwargs):
        refused.append(1)
        raise psycopg.OperationalError

    with monkeypatch.context() as out_of_reach:
        out_of_reach.setattr("ledger.database.leader.connect", refuse)
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
