"""The auditor finds every row that the log does not account for, and no other."""

import random
from threading import Event, Thread

import pytest
from structlog.testing import capture_logs

from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import as_service, connect
from ledger.eventlog.recognition import RegisterCheck
from projections.projector.pages import EventOpener
from projections.projector.quarantine import list_quarantined
from projections.quarantine.auditor import Auditor
from projections.views.registry import all_views
from tests.keks import keyring

PERMITS = 400
"""Picked by chance so often that a permit of a handful is not missed: once in 10^17."""
TABLES = ("physical_permits", "electronic_permits", "permit_search")


@pytest.fixture
def make_auditor(database_url, blind_index):
    """``make_auditor(permits_per_s=…)``: an auditor with a fixed random seed."""

    def make_auditor(permits_per_s=1_000, stop=None):
        return Auditor(
            as_service(database_url),
            all_views(blind_index),
            EventOpener(HolderKeys(keyring())),
            stop or Event(),
            permits_per_s=permits_per_s,
            register=RegisterCheck(
                blind_index, HolderKeys(keyring()), EventMapper(OrjsonTranscoder())
            ),
            chance=random.Random(1),  # noqa: S311  chance, not secrecy
        )

    return make_auditor


@pytest.fixture
def audit(database_url, make_auditor):
    """``audit()``: audit practically all rows, with the service's rights."""
    with connect(as_service(database_url)) as connection:
        auditor = make_auditor()
        yield lambda: auditor.audit(connection, PERMITS)


@pytest.fixture
def counted(admin):
    """``counted()``: the recorded numbers of audited permits and of differences."""
    return lambda: admin.execute("SELECT permits, differences FROM views.audit").fetchone()


@pytest.fixture
def lived(life, projected):
    """A few permits, and the number of the last; the views are at the log's head."""
    living = life(3)
    living.issue()
    living.go_on(40)
    last = living.issue()
    living.claim(last)
    living.new_card(last)
    projected()
    return last


@pytest.mark.parametrize(
    ("change", "columns"),
    [
        ("UPDATE views.physical_permits SET version = 7, ended = 'voided'", "version, ended"),
        ("UPDATE views.electronic_permits SET devices = '{secret}'", "electronic.devices"),
        ("UPDATE views.electronic_permits SET years = years + 1", "electronic.years"),
        ("UPDATE views.physical_permits SET issued_on = issued_on - 1", "physical.issued_on"),
        ("UPDATE views.physical_permits SET face = face || '\\x00'", "physical.face"),
        ("UPDATE views.electronic_permits SET face = NULL", "electronic.face"),
        ("UPDATE views.permit_search SET citizen_index = NULL", "search.citizen_index"),
        ("DELETE FROM views.physical_permits", "physical lacks its row"),
        ("DELETE FROM views.permit_search", "search lacks its row"),
    ],
)
def test_a_changed_row_is_found_and_quarantined(lived, audit, admin, change, columns, counted):
    """The reason names view and column, and no value; a quarantined permit is not audited again."""
    admin.execute(f"{change} WHERE permit_number = %s", [lived])

    with capture_logs() as logs:
        assert (1, 0) == (audit(), audit())

    [quarantined] = list_quarantined(admin)
    assert (lived, "auditor", 0) == (
        quarantined.permit_number,
        quarantined.found_by,
        quarantined.events_waiting,
    )
    expected = columns.replace("version, ended", "physical.version, physical.ended")
    assert f"not what the log makes of it: {expected}" == quarantined.reason
    assert 1 == counted()[1]
    assert ["error"] == [line["log_level"] for line in logs]
    assert quarantined.reason == logs[0]["reason"]


def test_a_row_without_events_is_found(lived, audit, admin):
    """A copied row, under a number that the log does not have."""
    for table in TABLES:
        admin.execute(
            f"CREATE TEMP TABLE copied AS SELECT * FROM views.{table}"
            f" WHERE permit_number = '{lived}';"
            "UPDATE copied SET permit_number = '000000000000';"
            f"INSERT INTO views.{table} SELECT * FROM copied; DROP TABLE copied"
        )

    with capture_logs():
        assert 1 == audit()

    [quarantined] = list_quarantined(admin)
    assert ("000000000000", 1, "") == (
        quarantined.permit_number,
        quarantined.version,
        quarantined.topic,
    )
    assert quarantined.reason.endswith("physical has a row, electronic has a row, search has a row")


def test_an_event_that_became_unreadable_is_found(lived, audit, admin, rewrite_log):
    """The views may be correct, but that can no longer be verified."""
    rewrite_log(
        "UPDATE ledger.events SET state = 'secret' WHERE stream = %s AND version = 2", [lived]
    )

    with capture_logs():
        assert 1 == audit()

    [quarantined] = list_quarantined(admin)
    assert ("auditor", 2) == (quarantined.found_by, quarantined.version)
    assert quarantined.reason.endswith("does not hold a JSON object")


def test_equal_rows_are_only_counted(lived, audit, admin, counted, make_auditor, database_url):
    """Every permit is audited."""
    assert 0 == audit()

    assert [] == list_quarantined(admin)
    auditor = make_auditor()
    with connect(as_service(database_url)) as connection:
        auditor.audit(connection, 10)
        auditor.count(connection)
    assert 0 < counted()[0] <= 10
    assert 0 == counted()[1]


def test_an_empty_database_can_be_audited(audit):
    """It has no permit."""
    assert 0 == audit()


def test_other_streams_are_skipped(lived, audit, admin):
    """Streams of other types have no rows in the permits' views."""
    admin.execute(
        "INSERT INTO ledger.events (position, stream, version, topic, state)"
        " SELECT position + 1, 'checkpoints', 1, 'log.checkpoint.v1', '{}' FROM ledger.head"
    )
    admin.execute("UPDATE ledger.head SET position = position + 1")
    admin.execute("UPDATE views.position SET position = position + 1")

    assert 0 == audit()


def test_an_erasure_under_way_is_no_difference(life, audit, admin, projected):
    """The key is destroyed at once; until the views apply the event, they hold the old ciphertext,
    or were built without one."""
    living = life(9)
    number = living.issue()
    living.claim(number)
    projected()
    living.erase(number)

    assert 0 == audit()
    admin.execute(
        "UPDATE views.physical_permits SET face = NULL, portrait_version = NULL"
        f" WHERE permit_number = '{number}'"
    )
    assert 0 == audit()
    assert [] == list_quarantined(admin)


def test_too_many_differences_are_counted_and_not_quarantined(
    lived, audit, admin, monkeypatch, counted
):
    """Quarantining all of them would be an outage caused by the auditor."""
    monkeypatch.setattr("projections.quarantine.auditor.QUARANTINED_MAX", 2)
    admin.execute("UPDATE views.physical_permits SET years = years + 1")

    with capture_logs():
        differences = audit()

    assert differences > 2
    assert (2, differences) == (len(list_quarantined(admin)), counted()[1])


def test_concurrent_writes_raise_no_false_alarm(
    life, start_projector, start_auditor, caught_up, views_are_the_log, admin, counted, until
):
    """With erasures, and a projector at work."""
    start_projector()
    start_auditor()
    living = life(11)
    living.issue()
    living.go_on(400)
    caught_up()
    before = counted()[0]
    until(lambda: counted()[0] > before + PERMITS)

    assert [] == list_quarantined(admin)
    assert 0 == counted()[1]
    erased = admin.execute("SELECT count(*) FROM views.permits WHERE erased").fetchone()
    assert erased > (3,)
    views_are_the_log()


def test_only_one_audits_and_another_takes_over(
    lived, start_auditor, admin, counted, until, kill, monkeypatch
):
    """As soon as the connection of the first is lost."""
    stop, thread = start_auditor()
    until(lambda: counted()[0])
    start_auditor()

    def holding():
        return admin.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [0x61756474],
        ).fetchone()[0]

    assert 1 == holding()
    with capture_logs():
        assert kill("permit-ledger audit")
        before = counted()[0]
        until(lambda: counted()[0] > before)
    assert 1 == holding()
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    before = counted()[0]
    until(lambda: counted()[0] > before)


@pytest.fixture
def start_auditor(make_auditor, monkeypatch):
    """``start_auditor()``: in a thread of its own; ends with the test."""
    monkeypatch.setattr("projections.quarantine.auditor.TALLY_S", 0)
    monkeypatch.setattr("projections.quarantine.auditor.POLL_S", 0.05)
    monkeypatch.setattr("ledger.database.retry.MAX_S", 0.1)
    started = []

    def start_auditor():
        stop = Event()
        thread = Thread(target=make_auditor(stop=stop).run)
        started.append((stop, thread))
        thread.start()
        return started[-1]

    yield start_auditor
    for stop, thread in started:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


# -- the register of holders -------------------------------------------------------------------


def test_two_people_whose_indexes_were_swapped_are_found(lived, audit, admin, counted):
    """Their permits are as the log has them; the rows that lead to them are not."""
    assert 0 == audit()
    [[one, of_one], [other, of_other]] = admin.execute(
        "SELECT holder_id, citizen_index FROM ledger.holders"
        " WHERE citizen_index IS NOT NULL ORDER BY 1 LIMIT 2"
    ).fetchall()
    for holder_id, index in ((one, None), (other, of_one), (one, of_other)):
        admin.execute(
            "UPDATE ledger.holders SET citizen_index = %s WHERE holder_id = %s",
            [index, holder_id],
        )

    with capture_logs() as logs:
        assert 2 == audit()

    said = {entry["reason"] for entry in logs if entry["event"] == "register differs from the log"}
    assert {f"holder {one}: citizen_index", f"holder {other}: citizen_index"} == said
    assert 2 == counted()[1]
