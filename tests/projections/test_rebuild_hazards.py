"""Erasures, retries and upgrades between one build of a view and the next."""

from multiprocessing import get_context
from threading import Event

import pytest

from ledger.database.connections import connect
from projections.projector.quarantine import list_quarantined
from projections.quarantine.retry import Retrier
from projections.rebuild import loading
from projections.rebuild.rebuild import OtherColumns, Rebuild
from projections.rebuild.switching import Tables
from tests.projections.parts import parts

COMMANDS = 60
WORKERS = 2


def build_with_two(database_url):
    """The program of a process to be killed: it waits in the middle of a build, with its workers
    running."""
    loading.IN_PROCESS_EVENTS_MAX = 0
    with connect(database_url) as connection:
        Rebuild(connection, database_url, parts, "physical").run(
            workers=WORKERS, progress=lambda *_: Event().wait()
        )


@pytest.fixture
def rebuild(database_url):
    """``rebuild(view, …)``: one run, with the rights of the database's owner."""

    def rebuild(view, **options):
        with connect(database_url) as connection:
            build = Rebuild(connection, database_url, parts, view)
            return build.run(**{"workers": 1, **options})

    return rebuild


@pytest.fixture
def roll_back(database_url):
    """``roll_back(view)``: switch back, and return the position."""

    def roll_back(view):
        with connect(database_url) as connection:
            return Rebuild(connection, database_url, parts, view).roll_back()

    return roll_back


@pytest.fixture
def lived(life, projected):
    """A random life, applied to the views."""
    living = life(31)
    living.go_on(COMMANDS)
    projected()
    return living


@pytest.fixture
def indexes_anywhere(admin):
    """``indexes_anywhere(index)``: the tables of any generation, and the records of differences,
    that hold this blind index."""

    def indexes_anywhere(index):
        tables = [
            name
            for (name,) in admin.execute(
                "SELECT table_schema || '.' || table_name FROM information_schema.tables"
                " WHERE table_schema LIKE 'views%' AND table_type = 'BASE TABLE'"
            ).fetchall()
        ]
        return [
            table
            for table in tables
            if admin.execute(
                f"SELECT 1 FROM {table} AS t WHERE t::text LIKE %s LIMIT 1",
                [f"%{index}%"],
            ).fetchone()
        ]

    return indexes_anywhere


def test_a_refused_build_keeps_nothing_of_erased_holders(
    lived, rebuild, projected, admin, rows, indexes_anywhere
):
    """Neither in its tables nor in its differences."""
    number = lived.issue()
    projected()
    index = rows("views.permit_search")[number]["citizen_index"]
    admin.execute(
        "UPDATE views.permit_search SET citizen_index = 'other' WHERE permit_number = %s", [number]
    )
    assert not rebuild("search").switched

    lived.erase(number)
    projected()

    assert [] == indexes_anywhere(index)


def test_an_interrupted_build_keeps_nothing_of_erased_holders(
    lived, rebuild, projected, rows, indexes_anywhere, monkeypatch
):
    """A holder erased before the rebuild starts again is removed from what it left."""
    number = lived.issue()
    projected()
    index = rows("views.permit_search")[number]["citizen_index"]

    def cut_off(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr("projections.rebuild.rebuild.Comparison", cut_off)
        with pytest.raises(KeyboardInterrupt):
            rebuild("search")
    lived.erase(number)
    projected()

    assert [] == indexes_anywhere(index)


def test_a_permit_released_since_is_complete_after_switching_back(
    lived, rebuild, roll_back, projected, rewrite_log, admin, views_are_the_log
):
    """It was quarantined when the build ceased to serve, and no longer is."""
    number = lived.issue()
    lived.claim(number)
    lived.ledger.permits.deliver_card(number, lived.command())
    [(state,)] = admin.execute(
        "SELECT state FROM ledger.events WHERE stream = %s AND version = 2", [number]
    ).fetchall()
    rewrite = "UPDATE ledger.events SET state = %s WHERE stream = %s AND version = 2"
    rewrite_log(rewrite, [b"", number])
    projected()
    assert rebuild("physical").switched
    rewrite_log(rewrite, [state, number])
    views, opener = parts()
    assert Retrier(views, opener).retry(admin, number).released

    roll_back("physical")

    views_are_the_log()


def test_a_row_that_the_database_refuses_does_not_prevent_a_rebuild(
    lived, rebuild, projected, rewrite_log, admin, rows
):
    """Its permit is quarantined, and built up to the event before."""
    number = lived.issue()
    lived.new_card(number)
    rewrite_log(
        "UPDATE ledger.events SET state = convert_to(jsonb_set(convert_from(state, 'UTF8')::jsonb,"
        " '{card_serial}', '9999999999')::text, 'UTF8') WHERE stream = %s AND version = 3",
        [number],
    )
    projected()
    assert [(number, "NumericValueOutOfRange")] == [
        (one.permit_number, one.reason) for one in list_quarantined(admin)
    ]
    before = rows("views.physical_permits")

    built = rebuild("physical")

    assert ([], True) == (built.differences, built.switched)
    assert before == rows("views.physical_permits")


def test_a_build_with_another_versions_columns_is_not_restored(
    lived, rebuild, roll_back, admin, rows
):
    """The service would query columns that do not exist; the current build keeps serving."""
    assert rebuild("physical").switched
    admin.execute("ALTER TABLE views.physical_permits ADD COLUMN later integer")

    with pytest.raises(OtherColumns):
        roll_back("physical")

    assert "later" in next(iter(rows("views.physical_permits").values()))


def test_a_difference_is_reported_while_the_views_are_behind(lived, rebuild, admin, monkeypatch):
    """No projector has to run: events that wait do not explain a card's serial."""
    monkeypatch.setattr("ledger.database.retry.MAX_S", 0.01)
    number = lived.numbers[0]
    admin.execute(
        "UPDATE views.physical_permits SET card_serial = 9 WHERE permit_number = %s", [number]
    )
    lived.restrict(number)

    assert [number] == [one.permit_number for one in rebuild("physical").differences]


@pytest.mark.parametrize("view", ["physical", "electronic", "search"])
def test_an_erasure_that_the_views_have_not_applied_is_no_difference(
    lived, rebuild, projected, views_are_the_log, view
):
    """The new build has no key, while the current one has a face that cannot be decrypted."""
    number = lived.issue()
    projected()
    lived.erase(number)

    built = rebuild(view)

    assert ([], True) == (built.differences, built.switched)
    projected()
    views_are_the_log()


def test_a_permit_released_during_the_build_is_no_difference(
    lived, rebuild, projected, rewrite_log, admin, views_are_the_log, monkeypatch
):
    """The events left out are applied before the final comparison."""
    number = lived.issue()
    lived.claim(number)
    [(state,)] = admin.execute(
        "SELECT state FROM ledger.events WHERE stream = %s AND version = 2", [number]
    ).fetchall()
    rewrite = "UPDATE ledger.events SET state = %s WHERE stream = %s AND version = 2"
    rewrite_log(rewrite, [b"", number])
    projected()
    index_next = Tables.index_next

    def release_and_index(tables):
        rewrite_log(rewrite, [state, number])
        views, opener = parts()
        assert Retrier(views, opener).retry(admin, number).released
        index_next(tables)

    monkeypatch.setattr(Tables, "index_next", release_and_index)

    built = rebuild("electronic")

    assert ([], True) == (built.differences, built.switched)
    views_are_the_log()


@pytest.mark.parametrize(
    ("view", "change"), [("physical", "face = 'x'"), ("search", "citizen_index = permit_number")]
)
def test_more_differences_than_are_listed_are_recorded(
    lived, rebuild, admin, monkeypatch, views_are_the_log, view, change
):
    """All of them, encrypted like the listed ones; after acceptance, the new build serves."""
    monkeypatch.setattr("projections.rebuild.rebuild.SUSPECTS_MAX", 2)
    table = {"physical": "physical_permits", "search": "permit_search"}[view]
    column = change.partition(" ")[0]
    changed = admin.execute(
        f"UPDATE views.{table} SET {change} WHERE {column} IS NOT NULL RETURNING permit_number"
    ).fetchall()
    admin.execute(f"DELETE FROM views.{table} WHERE permit_number = %s", changed[0])

    refused = rebuild(view)
    accepted = rebuild(view, accept_differences=True)

    assert (False, True) == (refused.switched, accepted.switched)
    assert [len(changed)] * 2 == [refused.differing, accepted.differing]
    on_record = admin.execute(
        "SELECT permit_number, columns, live, fresh FROM views.differences WHERE build_id = %s",
        [accepted.build_id],
    ).fetchall()
    assert {number for (number,) in changed} == {number for number, *_ in on_record}
    sealed = {column: "sealed"}
    assert [([column], sealed, sealed)] * (len(changed) - 1) == [
        tuple(rest) for number, *rest in on_record if (number,) != changed[0]
    ]
    assert [(None, "sealed")] == [
        (live, fresh[column]) for number, _, live, fresh in on_record if (number,) == changed[0]
    ]
    views_are_the_log()


def test_workers_end_with_the_process_that_is_killed(lived, database_url, admin, until):
    """None of them writes on to a table that the next rebuild uses."""
    begun = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'permit-ledger rebuild'"
    killed = get_context("spawn").Process(target=build_with_two, args=(database_url,))
    killed.start()
    try:
        until(lambda: admin.execute(begun).fetchone()[0] >= 2 * WORKERS)
    finally:
        killed.kill()
        killed.join()

    until(lambda: admin.execute(begun).fetchone() == (0,))
