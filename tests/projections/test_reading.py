"""Reads of the views: each answer is of one instant."""

import asyncio
from datetime import date

import pytest

from domain.events import CancellationReason
from domain.standing import Facts
from ledger.commands.runner import Command
from ledger.crypto.holder_keys import HolderKeys
from ledger.crypto.portraits import Portrait
from ledger.errors import Unavailable
from projections.queries.permits import FoundPermits, PermitReader, read_pool
from tests.keks import KEK, keyring
from tests.projections import columns

NOBODYS = "7Q2M9K4T8XW5"
PICTURE = Portrait.of(b"\xff\xd8\xff a face \xff\xd9")


def plain(row):
    """A row's columns without the encrypted ones."""
    return {name: value for name, value in row.items() if name not in {"face", "wrapped"}}


@pytest.fixture
def living(life):
    """One permit with a history, and another holder's."""
    living = life()
    number = living.issue()
    living.claim(number, 1)
    living.claim(number, 2)
    living.new_card(number)
    living.issue()
    return living


def test_a_permit_is_read_with_facts_and_both_tracks(read, living, projected, ledger):
    """The facts equal the aggregate's."""
    number = living.numbers[0]
    projected()

    seen = read("permit", number)

    permit = ledger.permit(number)
    assert (6, Facts.of(permit)) == (seen.as_of_position, seen.facts)
    expected = {
        **columns.physical(permit),
        **columns.electronic(permit),
        "electronic_card_serial": 2,
        "as_of_position": 6,
        "head": 6,
        "wanted": number,
        "last_version": None,
        "is_quarantined": False,
    }
    assert plain(expected) == plain(seen.row)


def test_the_facts_of_an_ended_permit_include_its_end(read, living, projected, ledger):
    number = living.numbers[0]
    ledger.permits.void(number, "就业证明系伪造", living.command())
    projected()

    assert Facts.of(ledger.permit(number)) == read("permit", number).facts


@pytest.mark.parametrize("method", ["permit", "physical", "electronic", "of_holder"])
def test_an_unknown_permit_is_reported_with_the_position(read, living, projected, method):
    """So that a view that is behind is not mistaken for a permit that does not exist."""
    projected()

    seen = read(method, NOBODYS)

    assert (6, None) == (seen.as_of_position, seen.facts)


def test_each_track_can_be_read_alone(read, living, projected, ledger):
    """Each has its own columns."""
    number = living.numbers[0]
    projected()
    permit = ledger.permit(number)
    beside = {"as_of_position": 6, "portrait_image": None, "has_key": True, "kek_id": KEK.kek_id}
    beside |= {"kept_unused": False, "is_quarantined": False}
    beside |= {"head": 6, "wanted": number, "last_version": None}

    assert {**plain(columns.physical(permit)), **beside} == plain(read("physical", number).row)
    assert {**plain(columns.electronic(permit)), **beside} == plain(read("electronic", number).row)
    assert permit.card == read("physical", number).facts.card
    assert (True, 2) == (
        (electronic := read("electronic", number).facts).claimed,
        electronic.devices,
    )


@pytest.mark.parametrize(
    ("method", "view"),
    [("physical", "physical"), ("electronic", "electronic")],
)
def test_a_face_comes_with_its_picture(person, life, projected, ledger, context, method, view):
    """The picture whose digest the event carries."""
    living = life()
    living.issue()
    application = living.application()
    ledger.permits.issue(application, Command(context), PICTURE)
    [issued] = ledger.events(2, 1)
    projected()

    found = person(method, view, issued.originator_id)

    permit = ledger.permit(issued.originator_id)
    assert (columns.face(permit), PICTURE.image) == (found.face, found.portrait)
    assert PICTURE.digest == found.face.portrait


def test_a_holders_permit_is_the_open_one(read, life, projected, ledger):
    """Whatever else they held before; without an open one, the last."""
    living = life()
    first = living.issue("990000199001010017")
    holder_id = ledger.permit(first).holder_id
    for day in (date(2024, 6, 1), date(2024, 9, 1)):
        living.today = day
        ledger.permits.cancel(living.numbers[-1], CancellationReason.MOVED_AWAY, living.command())
        living.issue("990000199001010017")
    last = living.numbers[-1]
    projected()
    assert last == read("of_holder", holder_id).facts.permit_number

    ledger.permits.cancel(last, CancellationReason.MOVED_AWAY, living.command())
    projected()
    assert last == read("of_holder", holder_id).facts.permit_number


def test_of_permits_issued_on_one_day_the_last_counts(read, life, projected, ledger, blind_index):
    """The order is the log's, not the date's."""
    living, person = life(), "990000199001010017"
    numbers = [living.issue(person)]
    for _ in range(3):
        ledger.permits.void(numbers[-1], "就业证明系伪造", living.command())
        numbers.append(living.issue(person))
    ledger.permits.void(numbers[-1], "就业证明系伪造", living.command())
    projected()

    holder_id = ledger.permit(numbers[0]).holder_id
    assert numbers[-1] == read("of_holder", holder_id).facts.permit_number
    found = read("search", blind_index.of(person)).permits
    assert numbers[::-1] == [facts.permit_number for facts in found]


def test_a_persons_permits_are_found_the_open_one_first(read, life, projected, ledger, blind_index):
    """Then those issued later; no other holder's."""
    living = life()
    person = "990000199001010017"
    living.issue()
    numbers = [living.issue(person)]
    for day in (date(2024, 6, 1), date(2024, 9, 1)):
        living.today = day
        ledger.permits.cancel(numbers[-1], CancellationReason.MOVED_AWAY, living.command())
        numbers.append(living.issue(person))
    projected()

    answer = read("search", blind_index.of(person))

    found = answer.permits
    assert answer.as_of_position == answer.head == ledger.head()
    assert numbers[::-1] == [facts.permit_number for facts in found]
    assert [Facts.of(ledger.permit(number)) for number in numbers[::-1]] == found


def test_a_search_without_a_result_has_a_position(read, living, projected, blind_index):
    """The answer is empty, as of a position."""
    projected()
    assert FoundPermits(6, 6, []) == read("search", blind_index.of("990000199001010025"))


def test_unreachable_views_are_unavailable(database_url):
    """The read may be retried."""

    async def reading():
        async with read_pool(database_url, connections_max=1) as pool:
            reader = PermitReader(pool, HolderKeys(keyring()))
        await reader.positions()

    with pytest.raises(Unavailable):
        asyncio.run(reading())
