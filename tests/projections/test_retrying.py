"""A retry folds a quarantined permit once more: all its events, in order."""

from threading import Thread

import pytest
from structlog.testing import capture_logs

from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import as_service, connect
from projections.projector.pages import EventOpener
from projections.projector.quarantine import FailedEvent, list_quarantined, put_in_quarantine
from projections.quarantine.retry import NotQuarantined, Retrier
from projections.views.registry import all_views
from tests.keks import keyring

BROKEN = b'{"name": "secret"'


@pytest.fixture
def as_service_connection(database_url):
    with connect(as_service(database_url)) as connection:
        yield connection


@pytest.fixture
def retry(as_service_connection, blind_index):
    """``retry(number)``, with no more than the service's rights."""
    retrier = Retrier(all_views(blind_index), EventOpener(HolderKeys(keyring())))
    return lambda number: retrier.retry(as_service_connection, number)


@pytest.fixture
def spoil(admin, rewrite_log):
    """``spoil(3)``: make the event at this position unreadable; ``mend = spoil(3)`` repairs it."""

    def spoil(position):
        [(good,)] = admin.execute(
            "SELECT state FROM ledger.events WHERE position = %s", [position]
        ).fetchall()

        def write(state):
            rewrite_log(
                "UPDATE ledger.events SET state = %s WHERE position = %s", [state, position]
            )

        write(BROKEN)
        return lambda: write(good)

    return spoil


@pytest.fixture
def versions(rows):
    """``versions(number)``: the versions of the permit's rows in both tracks."""

    def versions(number):
        tables = ("views.physical_permits", "views.electronic_permits")
        return [rows(table)[number]["version"] if number in rows(table) else 0 for table in tables]

    return versions


@pytest.fixture
def lived(life):
    """A permit with five events, at positions 1, 3, 4, 5, 6, and another one at 2."""
    living = life()
    number = living.issue()
    other = living.issue()
    living.claim(number)
    living.new_card(number)
    living.claim(number, phone=2)
    return number, other


@pytest.mark.parametrize(("position", "held"), [(1, 0), (3, 1), (4, 2), (6, 4)])
def test_a_repaired_permit_is_applied_in_order_and_released(
    lived, spoil, projected, retry, versions, views_are_the_log, admin, position, held
):
    """Wherever it had stopped: at its issue, in the middle, at its last event."""
    number, other = lived
    mend = spoil(position)
    with capture_logs():
        projected()
    assert [held, held] == versions(number)
    assert [1, 1] == versions(other)
    mend()

    retried = retry(number)

    assert (True, 6, None) == (retried.released, retried.as_of_position, retried.reason)
    assert [] == list_quarantined(admin)
    views_are_the_log()


def test_a_failed_retry_keeps_the_permit_quarantined_with_the_new_reason(
    lived, spoil, projected, retry, versions, admin
):
    """Of two unreadable events the second comes next, and the rows are applied up to it."""
    number, _other = lived
    mend_first, _mend_second = spoil(3), spoil(5)
    with capture_logs():
        projected()
    mend_first()

    retried = retry(number)

    [quarantined] = list_quarantined(admin, number)
    assert (False, 5, quarantined.reason) == (retried.released, retried.position, retried.reason)
    assert (5, 4, 1, 2) == (
        quarantined.position,
        quarantined.version,
        quarantined.retries,
        quarantined.events_waiting,
    )
    assert quarantined.retried_at
    assert "secret" not in str(quarantined)
    assert [3, 3] == versions(number)


def test_two_unreadable_events_take_two_retries(lived, spoil, projected, retry, views_are_the_log):
    """One after the other."""
    number, _other = lived
    mends = [spoil(3), spoil(6)]
    with capture_logs():
        projected()

    found = []
    for mend in mends:
        mend()
        found.append(retry(number).released)

    assert [False, True] == found
    views_are_the_log()


def test_later_events_wait_and_follow_after_release(
    lived, life, spoil, projected, retry, views_are_the_log, versions
):
    """Events that arrived meanwhile are applied; later ones are the projector's again."""
    number, _other = lived
    mend = spoil(4)
    with capture_logs():
        projected()
    mend()
    living = life(1)
    living.revoke(number, 1)
    projected()
    assert [2, 2] == versions(number)

    assert retry(number).released
    living.revoke(number, 2)
    projected()

    assert [7, 7] == versions(number)
    views_are_the_log()


def test_an_unreadable_issue_leaves_no_row(lived, spoil, projected, retry, rows, admin):
    """In any view, although there were rows before it was corrupted."""
    number, other = lived
    projected()
    spoil(1)
    found = FailedEvent(number, 7, 6, "", "differs", "", found_by="auditor")
    put_in_quarantine(admin, [found])

    assert not retry(number).released

    for table in ("physical_permits", "electronic_permits", "permit_search"):
        assert [other] == list(rows(f"views.{table}"))


def test_a_row_that_the_database_refuses_stops_at_the_event_before(
    lived, projected, retry, admin, versions
):
    """In both tracks."""
    number, _other = lived
    admin.execute(
        "ALTER TABLE views.physical_permits ADD CONSTRAINT one_card CHECK (card_serial = 1)"
    )
    with capture_logs():
        projected()

    retried = retry(number)

    assert (False, "CheckViolation") == (retried.released, retried.reason)
    assert [3, 3] == versions(number)
    admin.execute("ALTER TABLE views.physical_permits DROP CONSTRAINT one_card")
    assert retry(number).released
    assert [5, 5] == versions(number)


def test_a_permit_released_during_writes_misses_no_event(
    lived, life, start_projector, retry, admin, caught_up, views_are_the_log
):
    """It is quarantined and released repeatedly, while a projector writes."""
    number, _other = lived
    start_projector()
    living = life(2)
    living.numbers.append(number)
    writer = Thread(target=living.go_on, args=[200])
    writer.start()
    turns = 0
    while writer.is_alive():
        with admin.transaction():
            [(until,)] = admin.execute("SELECT position FROM views.position FOR UPDATE").fetchall()
            put_in_quarantine(
                admin, [FailedEvent(number, until + 1, 1, "", "differs", "", found_by="auditor")]
            )
        assert retry(number).released
        turns += 1
    writer.join()
    caught_up()

    assert turns > 3
    assert [] == list_quarantined(admin)
    views_are_the_log()


def test_retrying_a_permit_that_is_not_quarantined_changes_nothing(
    lived, projected, retry, views_are_the_log
):
    """Nor does retrying an unknown one."""
    projected()

    for number in (lived[0], "000000000000"):
        with pytest.raises(NotQuarantined):
            retry(number)
    views_are_the_log()
