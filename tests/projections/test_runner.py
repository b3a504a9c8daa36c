"""A projector folds the log into the views, page by page."""

from threading import Event

import pytest
from psycopg.errors import CheckViolation

from ledger.crypto.holder_keys import HolderKeys
from projections.projector.pages import EventOpener
from projections.projector.runner import Overtaken, Projector, position
from projections.views.registry import all_views
from projections.views.search import SearchEntry
from projections.views.view import View
from tests.keks import keyring

COMMANDS = 120
TOPICS_MIN = 12
TABLES = ("views.physical_permits", "views.electronic_permits", "views.permit_search")


class Failing(View):
    """A view that cannot be written, through no fault of a permit."""

    def save(self, _connection, _records, _generation=None):
        raise ZeroDivisionError


@pytest.mark.usefixtures("projector")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_views_are_a_fold_of_the_log(life, caught_up, views_are_the_log, ledger, seed):
    """After a random life that they followed."""
    life(seed).go_on(2 * COMMANDS)
    caught_up()

    views_are_the_log()
    topics = {event.topic for event in ledger.events(1, 100_000)}
    assert len(topics) >= TOPICS_MIN


def test_the_views_can_be_built_again(
    life, start_projector, caught_up, views_are_the_log, admin, monkeypatch
):
    """Emptied, they are built from the log alone, a page at a time."""
    monkeypatch.setattr("projections.projector.pages.PAGE_EVENTS_MAX", 7)
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
    return ledger.events(1, 10)


def test_rows_are_not_written_without_the_position(
    first_page, database_url, blind_index, admin, rows
):
    """If the position cannot be moved after the rows were written, the next attempt finds the views
    unchanged."""
    projector = Projector(
        database_url, all_views(blind_index), EventOpener(HolderKeys(keyring())), Event()
    )
    admin.execute("ALTER TABLE views.position ADD CONSTRAINT stand_still CHECK (position = 0)")

    with pytest.raises(CheckViolation):
        projector.apply(admin, first_page)
    assert (0, [{}, {}, {}]) == (position(admin), [rows(table) for table in TABLES])

    admin.execute("ALTER TABLE views.position DROP CONSTRAINT stand_still")
    projector.apply(admin, first_page)
    assert (1, [1, 1, 1]) == (position(admin), [len(rows(table)) for table in TABLES])


def test_no_view_is_written_without_the_others(first_page, database_url, blind_index, admin, rows):
    """Nor is the position moved."""
    views = all_views(blind_index)
    projector = Projector(
        database_url,
        [*views, Failing("failing", "failing", SearchEntry, views[2].evolve, reads_rows=False)],
        EventOpener(HolderKeys(keyring())),
        Event(),
    )

    with pytest.raises(ZeroDivisionError):
        projector.apply(admin, first_page)

    assert (0, [{}, {}, {}]) == (position(admin), [rows(table) for table in TABLES])


def test_a_page_is_applied_only_at_the_views_position(
    life, database_url, blind_index, admin, ledger
):
    """Neither twice nor after a gap, if another projector has moved them."""
    life().go_on(20)
    first, second, third = (ledger.events(n, 1) for n in (1, 2, 3))
    projector = Projector(
        database_url, all_views(blind_index), EventOpener(HolderKeys(keyring())), Event()
    )

    with pytest.raises(Overtaken):
        projector.apply(admin, second)
    projector.apply(admin, first)
    for page in (first, third):
        with pytest.raises(Overtaken):
            projector.apply(admin, page)
    assert position(admin) == 1
