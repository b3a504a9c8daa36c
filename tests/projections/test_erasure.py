"""After an erasure, all that the views showed of the person is removed from all of them in one
transaction."""

from threading import Event, Thread

import pytest

from domain.person import Residence
from ledger.commands.runner import Command
from ledger.crypto.holder_keys import HolderKeys
from ledger.crypto.portraits import Portrait
from ledger.database.connections import connect
from projections.projector.pages import EventOpener
from projections.projector.quarantine import list_quarantined
from projections.projector.runner import Projector
from projections.views.registry import all_views
from tests.keks import keyring

COMMANDS = 150
WAIT_S = 30
TRACKS = ("physical", "electronic")
PICTURE = Portrait.of(b"\xff\xd8\xff a face \xff\xd9")
BLANKS = """
    SELECT permit_number,
           num_nulls(physical.face, electronic.face, physical.portrait_version,
                     electronic.portrait_version, citizen_index, nullif(devices, '{}'))
    FROM views.physical_permits AS physical
    JOIN views.electronic_permits AS electronic USING (permit_number)
    JOIN views.permit_search USING (permit_number)
"""


@pytest.fixture
def living(life, ledger, context):
    """A holder with a picture and a phone, and another holder."""
    living = life()
    answer = ledger.permits.issue(living.application(), Command(context), PICTURE)
    [issued] = ledger.events(answer.position, 1)
    living.numbers.append(issued.originator_id)
    living.claim(living.numbers[0])
    living.issue()
    return living


@pytest.fixture
def all_rows(rows, opened):
    """``all_rows()``: every column of every view, with the faces decrypted."""
    return lambda: [*map(opened, TRACKS), rows("views.permit_search")]


@pytest.fixture
def rebuild(admin, projected):
    """``rebuild()``: rebuild from the log's first position, as an operator does."""

    def rebuild():
        admin.execute("TRUNCATE views.physical_permits, views.electronic_permits")
        admin.execute("TRUNCATE views.permit_search")
        admin.execute("UPDATE views.position SET position = 0")
        projected()

    return rebuild


@pytest.fixture
def page_size(monkeypatch):
    """``page_size(n)``: set how many events a projector applies at once."""

    def page_size(n):
        monkeypatch.setattr("projections.projector.pages.PAGE_EVENTS_MAX", n)

    return page_size


def test_no_view_keeps_anything_of_the_person(living, projected, rows, opened):
    """No face, picture, phone or number to find them by; the rows of others are complete."""
    erased, other = living.numbers
    projected()
    before = rows("views.permits")[erased]
    assert (1, ["thumbprint-1"]) == (before["portrait_version"], before["devices"])

    living.erase(erased)
    projected()

    for track in TRACKS:
        row = rows(f"views.{track}_permits")[erased]
        assert (None, None, "ended", True) == (
            row["face"],
            row["portrait_version"],
            row["ended"],
            row["erased"],
        )
        assert "欧阳测试" == opened(track)[other]["face"].name
    assert [] == rows("views.permits")[erased]["devices"]
    found = rows("views.permit_search")
    assert found[erased]["citizen_index"] is None
    assert found[other]["citizen_index"] is not None


@pytest.mark.usefixtures("projector")
def test_all_views_are_erased_in_one_transaction(living, database_url, caught_up):
    """A concurrent reader of all views sees everything, or nothing and the position after the
    erasure."""
    erased = living.numbers[0]
    caught_up()
    looking, done, seen = Event(), Event(), set()

    def look():
        query = f"SELECT blanks.*, position FROM ({BLANKS}) AS blanks, views.position"
        with connect(database_url) as connection:
            is_last = False
            while not is_last:
                is_last = done.is_set()
                rows = connection.execute(query).fetchall()
                seen.update((nulls, at) for number, nulls, at in rows if number == erased)
                looking.set()

    reader = Thread(target=look)
    reader.start()
    try:
        assert looking.wait(WAIT_S)
        living.erase(erased)
        caught_up()
    finally:
        done.set()
        reader.join()

    # The first officer's order is an event of its own.
    assert {(0, 3), (6, 5)} <= seen <= {(0, 3), (0, 4), (6, 5)}


@pytest.mark.parametrize("page", [1, 7, 1000])
def test_a_rebuild_gives_the_same_rows(
    life, start_projector, caught_up, all_rows, rebuild, page_size, page
):
    """After a random life with erasures: every column, from the log alone."""
    page_size(page)
    projector = start_projector()
    living = life(20 + page)
    living.go_on(COMMANDS)
    for number in living.numbers[:2]:
        living.erase(number)
    caught_up()
    projector.end()
    live = all_rows()
    assert any(row["erased"] for row in live[0].values())

    rebuild()

    assert live == all_rows()


@pytest.mark.parametrize("page", [1, 1000], ids=["page by page", "one page"])
@pytest.mark.parametrize("last", ["moved", "corrected", "both"])
def test_a_change_just_before_the_erasure_leaves_nothing(
    living, projected, rows, all_rows, rebuild, page_size, page, last
):
    """Whether the change was projected with the key or without it, the rows are the same."""
    page_size(page)
    number = living.numbers[0]
    projected()
    if last != "corrected":
        home = Residence("320281", "澄江中路2号")
        living.ledger.permits.change_address(number, home, living.today, living.command())
    if last != "moved":
        living.ledger.permits.correct_identity(number, living.command(), name="欧阳改名")
    if page == 1:
        projected()
    living.erase(number)
    projected()

    row = rows("views.permits")[number]
    division = "320211" if last == "corrected" else "320281"
    assert (None, True, False, division) == (
        row["face"],
        row["erased"],
        row["identity_stale"],
        row["division"],
    )
    live = all_rows()
    rebuild()
    assert live == all_rows()


@pytest.mark.parametrize("page", [1, 1000], ids=["page by page", "one page"])
def test_views_that_lag_behind_an_erasure_catch_up(living, projected, rows, page_size, page):
    """The key is destroyed before the views reach what it encrypted: they continue, without the
    person."""
    page_size(page)
    erased, other = living.numbers
    living.ledger.permits.correct_identity(erased, living.command(), name="欧阳改名")
    living.erase(erased)

    projected()

    seen = rows("views.permits")
    assert (None, True) == (seen[erased]["face"], seen[erased]["erased"])
    assert seen[other]["face"] is not None


def test_between_the_change_and_the_erasure_no_person_is_shown(
    living, database_url, blind_index, admin, person, rows
):
    """A rebuild meets the change first, whose key is already destroyed: that is no fault."""
    number = living.numbers[0]
    living.ledger.permits.correct_identity(number, living.command(), name="欧阳改名")
    living.erase(number)
    projector = Projector(
        database_url, all_views(blind_index), EventOpener(HolderKeys(keyring())), Event()
    )

    projector.apply(admin, living.ledger.events(1, 4))

    row = rows("views.permits")[number]
    assert (None, False) == (row["face"], row["erased"])
    assert [None, None] == [person(track, track, number) for track in TRACKS]


def test_a_restriction_and_its_lifting_reach_both_views(living, projected, rows, person):
    """The face stays stored, and is not shown until the restriction is lifted."""
    number, other = living.numbers
    living.restrict(number)
    projected()

    for track in TRACKS:
        seen = rows(f"views.{track}_permits")
        assert (True, False) == (seen[number]["restricted"], seen[other]["restricted"])
        assert seen[number]["face"] is not None
        assert person(track, track, number) is None
        assert "欧阳测试" == person(track, track, other).face.name

    living.lift(number)
    projected()

    for track in TRACKS:
        assert rows(f"views.{track}_permits")[number]["restricted"] is False
        assert "欧阳测试" == person(track, track, number).face.name


def test_a_missing_key_quarantines_its_holders_permit(
    living, projected, start_projector, caught_up, admin, rows
):
    """If the key is lost, not destroyed, the permit is quarantined before the event that needs it,
    and shows nothing wrong."""
    number, other = living.numbers
    projected()
    before = rows("views.permits")[number]
    living.ledger.permits.correct_identity(number, living.command(), name="欧阳改名")
    living.ledger.permits.report_loss(other, living.command())
    [lost] = admin.execute(
        "DELETE FROM ledger.holder_keys WHERE holder_id ="
        " (SELECT holder_id FROM views.permits WHERE permit_number = %s) RETURNING *",
        [number],
    ).fetchall()

    start_projector()
    caught_up()

    [quarantined] = list_quarantined(admin)
    reason = f"version 3 of {number} can't be opened: There is no key of holder {lost[0]}."
    assert (number, reason) == (quarantined.permit_number, quarantined.reason)
    assert before == rows("views.permits")[number]
    assert "reported_lost" == rows("views.permits")[other]["card_status"]
