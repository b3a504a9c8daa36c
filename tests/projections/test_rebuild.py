"""Views are rebuilt beside those that serve."""

from collections import Counter
from threading import Event, Thread

import pytest
from psycopg import sql

from ledger.database.connections import connect
from projections.projector.quarantine import list_quarantined
from projections.rebuild.rebuild import Building, NothingBefore, Rebuild
from projections.views.generation import Generation
from tests.projections.parts import parts

VIEWS = ["physical", "electronic", "search"]
TABLES = dict(zip(VIEWS, ["physical_permits", "electronic_permits", "permit_search"], strict=True))
COMMANDS = 150
SHAPE = """
    SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attname
"""
INDEXES = """
    SELECT replace(pg_get_indexdef(indexrelid), nspname || '.', '') FROM pg_index
    JOIN pg_class ON pg_class.oid = indrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE indrelid = %s::regclass ORDER BY 1
"""
RIGHTS = """
    SELECT array_agg(privilege ORDER BY privilege)
    FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS privilege
    WHERE has_table_privilege('permit_ledger_service', %s, privilege)
"""


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
def shape(admin):
    """``shape(table)``: columns, indexes and the service's rights."""

    def shape(table):
        return [admin.execute(query, [table]).fetchall() for query in (SHAPE, INDEXES, RIGHTS)]

    return shape


@pytest.fixture
def lived(life, projected):
    """A random life, applied to the views."""
    living = life(21)
    living.go_on(COMMANDS)
    projected()
    return living


def test_a_rebuilt_view_is_equal_and_serves(lived, rebuild, views_are_the_log, projected, admin):
    """For each view; further events are applied to what was built."""
    for view in VIEWS:
        built = rebuild(view)
        assert ([], True, True) == (built.differences, built.switched, built.had_live)
        assert built.permits == len({*lived.numbers})
        assert built.buckets > 0
    views_are_the_log()

    lived.go_on(COMMANDS // 3)
    projected()
    views_are_the_log()


def test_several_processes_build_the_same_view_as_one(
    lived, rebuild, views_are_the_log, monkeypatch
):
    monkeypatch.setattr("projections.rebuild.loading.IN_PROCESS_EVENTS_MAX", 10)

    built = rebuild("physical", workers=2)

    assert ([], True) == (built.differences, built.switched)
    views_are_the_log()


@pytest.mark.parametrize("view", VIEWS)
def test_a_built_table_equals_that_of_the_migrations(lived, rebuild, shape, view):
    """Columns, indexes and rights: a new column is added in both places."""
    table = f"views.{TABLES[view]}"
    columns, indexes, rights = shape(table)

    rebuild(view)

    there = shape(table)
    assert (columns, rights) == (there[0], there[2])
    assert len(indexes) == len(there[1])
    assert Counter(line.partition(" USING ")[2] for (line,) in indexes) == Counter(
        line.partition(" USING ")[2] for (line,) in there[1]
    )


def test_a_view_is_rebuilt_during_writes(
    life, start_projector, caught_up, rebuild, views_are_the_log, database_url
):
    """No reader fails, and none sees the tracks disagree."""
    start_projector()
    living = life(22)
    living.go_on(COMMANDS)
    done, seen, wrong = Event(), Counter(), []

    def read():
        with connect(database_url) as connection:
            while not done.is_set():
                rows = connection.execute(
                    "SELECT permit_number, physical.version, electronic.version,"
                    " physical.card_serial, electronic.card_serial"
                    " FROM views.physical_permits AS physical"
                    " FULL JOIN views.electronic_permits AS electronic USING (permit_number)"
                ).fetchall()
                seen.update(["reads"])
                wrong.extend(row for row in rows if row[1] != row[2] or row[3] != row[4])

    readers = [Thread(target=read) for _ in range(2)]
    writer = Thread(target=living.go_on, args=[COMMANDS])
    for thread in (*readers, writer):
        thread.start()
    try:
        built = [rebuild(view) for view in VIEWS for _ in range(2)]
    finally:
        writer.join()
        caught_up()
        done.set()
        for reader in readers:
            reader.join()

    assert [([], True)] * len(built) == [(one.differences, one.switched) for one in built]
    assert ([], True) == (wrong, seen["reads"] > 2)
    views_are_the_log()


def test_a_difference_is_refused_and_listed(lived, rebuild, admin, rows):
    """By permit and column; what serves is unchanged, and no face is shown."""
    number, other = lived.numbers[:2]
    admin.execute(
        "UPDATE views.physical_permits SET card_serial = 9 WHERE permit_number = %s", [number]
    )
    admin.execute("UPDATE views.physical_permits SET face = 'x' WHERE permit_number = %s", [other])

    built = rebuild("physical")

    assert not built.switched
    assert {number: ["card_serial"], other: ["face"]} == {
        one.permit_number: one.columns for one in built.differences
    }
    assert 9 == rows("views.physical_permits")[number]["card_serial"]
    kept = admin.execute(
        "SELECT permit_number, columns, live, fresh FROM views.differences WHERE build_id = %s",
        [built.build_id],
    ).fetchall()
    assert 2 == len(kept)
    assert {"face": "sealed"} == {n: live for n, _, live, _ in kept}[other]
    assert ("refused",) == admin.execute("SELECT state FROM views.builds").fetchone()


def test_differences_can_be_accepted(lived, rebuild, admin, views_are_the_log):
    """The new build serves, and the list remains."""
    number = lived.numbers[0]
    admin.execute(
        "UPDATE views.electronic_permits SET claimed = NOT claimed WHERE permit_number = %s",
        [number],
    )

    built = rebuild("electronic", accept_differences=True)

    assert ([["claimed"]], True) == ([one.columns for one in built.differences], built.switched)
    assert (1,) == admin.execute("SELECT count(*) FROM views.differences").fetchone()
    views_are_the_log()


@pytest.mark.parametrize("view", VIEWS)
def test_a_switch_can_be_reverted_and_repeated(
    lived, rebuild, roll_back, projected, views_are_the_log, view
):
    """To the views' current position, whatever has happened since, erasures included."""
    rebuild(view)
    lived.go_on(COMMANDS // 3)
    lived.erase(lived.issue())
    projected()

    assert lived.ledger.head() == roll_back(view)
    views_are_the_log()
    lived.go_on(COMMANDS // 5)
    projected()
    roll_back(view)
    views_are_the_log()


def test_the_previous_build_keeps_nothing_of_erased_holders(lived, rebuild, projected, admin):
    """It does not follow the log, but its rows are erased with the others."""
    number = lived.issue()
    projected()
    rebuild("search")
    lived.erase(number)
    projected()

    assert (None,) == admin.execute(
        "SELECT citizen_index FROM views_previous.permit_search WHERE permit_number = %s", [number]
    ).fetchone()


def test_the_first_build_cannot_be_reverted(lived, roll_back):
    """The error names the reason."""
    with pytest.raises(NothingBefore):
        roll_back("physical")


@pytest.mark.parametrize("view", VIEWS)
def test_a_dropped_table_is_rebuilt(
    lived, rebuild, admin, start_projector, caught_up, views_are_the_log, view
):
    """With all that depended on it; the views stop meanwhile and continue afterwards."""
    admin.execute(
        sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(Generation.LIVE, TABLES[view]))
    )
    start_projector()
    lived.issue()

    # The views cannot advance meanwhile: it is built up to their position.
    built = rebuild(view)

    assert (False, True) == (built.had_live, built.switched)
    caught_up()
    views_are_the_log()


def test_only_one_rebuild_runs_at_a_time(lived, rebuild, database_url, admin):
    """The second is refused."""
    with connect(database_url) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [0x6275696C])
        with pytest.raises(Building):
            rebuild("physical")

    assert rebuild("physical").switched


def test_an_interrupted_rebuild_starts_again(lived, rebuild, admin, monkeypatch, rows):
    """What serves was not changed."""
    before = rows("views.permits")

    def cut_off(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr("projections.rebuild.switching.Tables.index_next", cut_off)
        with pytest.raises(KeyboardInterrupt):
            rebuild("physical")
    assert before == rows("views.permits")

    assert rebuild("physical").switched
    states = admin.execute("SELECT state FROM views.builds ORDER BY build_id").fetchall()
    assert {("failed",), ("live",), ("previous",)} == set(states)


def test_a_quarantined_permit_does_not_prevent_a_rebuild(
    lived, rebuild, start_projector, caught_up, rewrite_log, admin
):
    """It is built up to the unreadable event, and stays quarantined."""
    number = lived.issue()
    lived.claim(number)
    lived.ledger.permits.deliver_card(number, lived.command())
    rewrite_log("UPDATE ledger.events SET state = '' WHERE stream = %s AND version = 2", [number])
    start_projector()
    caught_up()

    built = rebuild("physical")

    assert ([], True) == (built.differences, built.switched)
    assert [number] == [one.permit_number for one in list_quarantined(admin)]


def test_an_event_that_became_unreadable_is_a_difference(lived, rebuild, rewrite_log, projected):
    """The views have applied it, and a rebuild would lose it: the build is refused."""
    number = lived.issue()
    lived.claim(number)
    projected()
    rewrite_log("UPDATE ledger.events SET state = '' WHERE stream = %s AND version = 1", [number])

    built = rebuild("physical")

    assert not built.switched
    assert number in {one.permit_number for one in built.differences}
