"""Invariant 3: there is no instant at which the two tracks disagree. [P15]"""

from threading import Event, Thread

import pytest
from psycopg import sql

from domain.personal import ERASED
from ledger.crypto.holder_keys import HolderKeys, WrappedKey
from ledger.database.connections import connect
from projections.views.face import SealedFace
from projections.views.track import TrackRow
from tests.keks import keyring

CARDS = 40
COMMANDS = 150
SHARED = [*(field for field in TrackRow.__dataclass_fields__ if field != "face"), "card_serial"]


def shown(number, faces, row):
    """What each track shows of the person, each face sealed for its own; where the key is destroyed
    already, whether there still is one."""
    key = HolderKeys(keyring()).unwrap([row])[row.holder_id]
    if key is ERASED:
        return [box is not None for box in faces]
    sealed = zip(("physical", "electronic"), faces, strict=True)
    return [box and SealedFace(box).open(key, view, number) for view, box in sealed]


@pytest.fixture
def disagreements(database_url):
    """``disagreements(done)``: read both tracks together, repeatedly, until ``done``; return the
    rows that differed, and every version of a permit that was seen."""
    differs = sql.SQL(" OR ").join(
        sql.SQL("physical.{0} IS DISTINCT FROM electronic.{0}").format(sql.Identifier(column))
        for column in SHARED
    )
    query = sql.SQL(
        "SELECT permit_number, physical.version, {differs}, physical.face, electronic.face,"
        "       physical.holder_id, kek_id, wrapped"
        " FROM views.physical_permits AS physical"
        " FULL JOIN views.electronic_permits AS electronic USING (permit_number)"
        " LEFT JOIN ledger.holder_keys ON holder_keys.holder_id = physical.holder_id"
    ).format(differs=differs)

    def disagreements(done):
        wrong, seen = [], set()
        with connect(database_url) as connection:
            while not done.is_set():
                for number, version, differ, card, phone, *key in connection.execute(query):
                    seen.add((number, version))
                    physical, electronic = shown(number, (card, phone), WrappedKey(*key))
                    if differ or physical != electronic:
                        wrong.append((number, version))
        return wrong, seen

    return disagreements


@pytest.fixture
def serials(database_url):
    """``serials(done)``: the pairs of card serials that readers of a permit saw."""

    def serials(done):
        seen = set()
        with connect(database_url) as connection:
            while not done.is_set():
                seen |= set(
                    connection.execute(
                        "SELECT card_serial, electronic_card_serial FROM views.permits"
                    )
                )
        return seen

    return serials


@pytest.fixture
def while_reading(caught_up):
    """``while_reading(read, act)``: what ``read`` saw while ``act`` ran and was projected."""

    def while_reading(read, act):
        done, seen = Event(), []
        reader = Thread(target=lambda: seen.append(read(done)))
        reader.start()
        try:
            act()
            caught_up()
        finally:
            done.set()
            reader.join()
        return seen[0]

    return while_reading


@pytest.mark.usefixtures("projector")
def test_p15_a_new_card_is_on_both_tracks_in_the_same_instant(life, while_reading, serials):
    """[W5] No reader ever sees one serial on the card and another on the phone."""
    living = life()
    number = living.issue()
    living.claim(number)

    def cards():
        for _ in range(CARDS):
            living.new_card(number)

    seen = while_reading(serials, cards)

    assert all(physical == electronic for physical, electronic in seen)
    assert len(seen) > 2


@pytest.mark.usefixtures("projector")
def test_p15_the_tracks_agree_in_every_column_they_share(life, while_reading, disagreements):
    """Through random lives of several people: face, home, term, end, version."""
    wrong, seen = while_reading(disagreements, lambda: life(9).go_on(COMMANDS))

    assert [] == wrong
    assert len(seen) > 2


def test_p15_two_projectors_and_a_killed_one_keep_them_in_step(
    life, start_projector, while_reading, disagreements, kill
):
    """Whichever projector moves the views, and wherever it is interrupted."""
    start_projector()
    start_projector()
    living = life(10)

    def interrupted_life():
        for _ in range(5):
            living.go_on(COMMANDS // 5)
            kill("permit-ledger project")

    wrong, _ = while_reading(disagreements, interrupted_life)

    assert [] == wrong
