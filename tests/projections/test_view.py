"""A view loads and writes each touched row once a page."""

import pytest
from eventsourcing.persistence import Notification

from projections.projector.pages import Page
from projections.projector.writing import ViewWriter
from projections.views.registry import all_views
from tests.projections import columns


@pytest.fixture
def physical(blind_index):
    return all_views(blind_index)[0]


@pytest.fixture
def search(blind_index):
    return all_views(blind_index)[2]


@pytest.fixture
def events(ledger):
    """``events(start)``: the log's events from a position on, decoded."""

    def events(start=1):
        log = ledger.events(start, 1000)
        return ledger.log.opened(log)

    return events


@pytest.fixture
def apply(ledger, admin):
    """``apply(view, events)``: with the keys of all holders."""

    def apply(view, events):
        holders = [holder for (holder,) in admin.execute("SELECT holder_id FROM ledger.holders")]
        keys = ledger.log.holder_keys(holders)
        stored = [
            Notification(e.originator_id, e.originator_version, e.TOPIC, b"", id=n)
            for n, e in enumerate(events, 1)
        ]
        with admin.transaction():
            ViewWriter([view], repr).write(admin, Page(stored, events, keys))

    return apply


@pytest.fixture
def written(admin):
    """``written("views.permit_search")``: the transaction that wrote each row."""

    def written(table):
        return dict(admin.execute(f"SELECT permit_number, xmin::text FROM {table}").fetchall())

    return written


def test_a_page_may_touch_a_permit_many_times(life, ledger, physical, events, apply, opened):
    """Its row is what the last event made of it."""
    living = life()
    numbers = [living.issue(), living.issue()]
    for _ in range(3):
        living.new_card(numbers[0])

    apply(physical, events())

    assert opened("physical") == {
        number: columns.physical(ledger.permit(number)) for number in numbers
    }


def test_a_page_continues_from_the_stored_rows(life, ledger, physical, events, apply, opened):
    """One event a page has the same result as all events in one page."""
    living = life()
    number = living.issue()
    for _ in range(3):
        living.new_card(number)

    for event in events():
        apply(physical, [event])

    assert opened("physical") == {number: columns.physical(ledger.permit(number))}


def test_an_equal_row_is_not_written(life, search, events, apply, written):
    """Most events do not change an entry of the search."""
    living = life()
    numbers = [living.issue(), living.issue()]
    apply(search, events())
    before = written("views.permit_search")
    living.new_card(numbers[0])
    living.ledger.permits.correct_identity(numbers[1], living.command(), name="欧阳改名")

    apply(search, events(3))

    assert before == written("views.permit_search")
    assert set(numbers) == set(before)


def test_only_the_touched_rows_are_written(life, physical, events, apply, written):
    """One move does not rewrite a city of a million."""
    living = life()
    moved, stayed = living.issue(), living.issue()
    apply(physical, events())
    before = written("views.physical_permits")
    living.ledger.permits.deliver_card(moved, living.command())

    apply(physical, events(3))

    after = written("views.physical_permits")
    assert before[stayed] == after[stayed]
    assert before[moved] != after[moved]
