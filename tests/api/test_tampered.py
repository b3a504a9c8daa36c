"""What the database's owner has changed or moved is not shown: the response is a problem, never a
wrong person."""

import base64

import psycopg
import pytest
from PIL import Image
from psycopg import sql

from ledger.checks.log import SealedCheck
from tests.api.hostile_pictures import encoded
from tests.api.orders import ORDER, TRACKS, orders, shown
from tests.waiting import until

PICTURES = [encoded(Image.new("L", (1, 1), grey), "PNG") for grey in (100, 200)]


@pytest.fixture
def permits(at, registrar, application, read):
    """Of two people with a portrait each, and in the views."""
    at("2026-06-01")
    issued = []
    for picture in PICTURES:
        person = application(issued_on="2026-01-05")
        person["holder"]["portrait"] = base64.b64encode(picture).decode()
        issued.append(registrar.post("/v1/permits", person).json())
    for permit in issued:
        read(permit)
    return issued


@pytest.fixture
def owner(service):
    """A connection of the database's owner."""
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def flip(owner):
    """``flip(track, permit)``: one bit of its face in that view."""

    def flip(track, permit):
        table = sql.Identifier("views", f"{track}_permits")
        query = sql.SQL(
            "UPDATE {} SET face = set_byte(face, 20, get_byte(face, 20) # 1)"
            " WHERE permit_number = %s"
        ).format(table)
        assert 1 == owner.execute(query, [permit["permit_number"]]).rowcount

    return flip


@pytest.fixture
def ask(registrar, holder_of):
    """``ask(permit, track)``: what the registrar and the holder are answered."""

    def ask(permit, track):
        path = f"/v1/permits/{permit['permit_number']}/{track}"
        return [caller.get(path) for caller in (registrar, holder_of(permit))]

    return ask


def assert_out_of_reach(answers):
    """503 as a problem document, which reveals nothing of the person or of the encryption."""
    for answer in answers:
        assert (503, "UNAVAILABLE") == (answer.status_code, answer.json()["code"])
        assert "application/problem+json" == answer.headers["content-type"]
        assert "欧阳测试" not in answer.text
        assert "seal" not in answer.text.lower()


def assert_undetermined(found):
    assert ("not_effective", "undetermined", {}) == (
        found["outcome"],
        found["reason"],
        found["permit"],
    )


def assert_unaffected(check, ask, permit, picture):
    """Shown and effective as before."""
    text = base64.b64encode(picture).decode()
    found = check(permit["permit_number"], 1, "law_enforcement")
    assert ("effective", "欧阳测试", text) == (
        found["outcome"],
        found["permit"]["name"],
        found["permit"]["portrait"],
    )
    for track in TRACKS:
        assert [(200, text)] * 2 == [
            (answer.status_code, answer.json()["portrait"]) for answer in ask(permit, track)
        ]


def test_a_face_with_a_flipped_bit_is_not_shown(check, ask, flip, permits):
    """The check is undetermined, the face unavailable; the other track and other permits are
    unaffected."""
    broken, other = permits
    assert_unaffected(check, ask, broken, PICTURES[0])

    flip("physical", broken)

    assert_undetermined(check(broken["permit_number"], 1, "law_enforcement"))
    assert_out_of_reach(ask(broken, "physical"))
    assert [200, 200] == [answer.status_code for answer in ask(broken, "electronic")]
    assert_unaffected(check, ask, other, PICTURES[1])

    flip("physical", broken)
    assert_unaffected(check, ask, broken, PICTURES[0])


def test_a_flipped_bit_of_the_phones_face_does_not_affect_the_card(check, ask, flip, permits):
    """A check of the card shows the card's face."""
    broken = permits[0]

    flip("electronic", broken)

    assert_out_of_reach(ask(broken, "electronic"))
    assert [200, 200] == [answer.status_code for answer in ask(broken, "physical")]
    assert "effective" == check(broken["permit_number"])["outcome"]


def test_reads_without_a_face_still_succeed(registrar, flip, permits):
    """Dates, status and serial of the permit are not personal."""
    broken = permits[0]
    flip("physical", broken)

    answer = registrar.get(f"/v1/permits/{broken['permit_number']}")

    seen = {**answer.json(), "as_of_position": broken["as_of_position"]}
    assert (200, broken) == (answer.status_code, seen)


def test_a_check_of_an_unreadable_face_is_recorded(service, check, flip, permits):
    """As undetermined, with nothing disclosed."""
    broken = permits[0]
    flip("physical", broken)

    found = check(broken["permit_number"], 1, "law_enforcement")

    record = "SELECT outcome, reason, position, state FROM ledger.checks WHERE check_id = %s"
    [(outcome, reason, *stored)] = service.rows(record, found["check_id"])
    said = SealedCheck(*stored).open(service.holder_key(broken["holder_id"]))
    assert ("not_effective", "undetermined", []) == (outcome, reason, said.fields)


def test_swapped_portraits_are_not_shown(owner, check, ask, permits, issue, read):
    """Neither permit shows the other's; a third permit is unaffected."""
    numbers = [permit["permit_number"] for permit in permits]
    third = issue(issued_on="2026-01-05")
    read(third)
    images = dict(
        owner.execute(
            "SELECT stream, image FROM ledger.portraits WHERE stream = ANY(%s)", [numbers]
        ).fetchall()
    )
    for number, other in (numbers, numbers[::-1]):
        owner.execute(
            "UPDATE ledger.portraits SET image = %s WHERE stream = %s", [images[other], number]
        )

    for permit in permits:
        assert_undetermined(check(permit["permit_number"], 1, "law_enforcement"))
        for track in TRACKS:
            assert_out_of_reach(ask(permit, track))
    assert "effective" == check(third["permit_number"])["outcome"]


def test_a_face_moved_to_another_row_is_not_shown(owner, check, ask, permits):
    """Both were encrypted by the service itself; each opens only at its own place."""
    moved, other = permits
    owner.execute(
        "UPDATE views.physical_permits SET face ="
        " (SELECT face FROM views.physical_permits WHERE permit_number = %s)"
        " WHERE permit_number = %s",
        [other["permit_number"], moved["permit_number"]],
    )

    assert_undetermined(check(moved["permit_number"], 1, "law_enforcement"))
    assert_out_of_reach(ask(moved, "physical"))
    assert_unaffected(check, ask, other, PICTURES[1])


@pytest.mark.parametrize("what", ["deleted", "another's"])
def test_without_the_holders_key_no_person_is_shown(owner, check, ask, permits, what):
    """If the key is lost or exchanged, and not destroyed by an erasure, the holder is not shown as
    erased."""
    lost, other = permits
    if what == "deleted":
        owner.execute("DELETE FROM ledger.holder_keys WHERE holder_id = %s", [lost["holder_id"]])
    else:
        owner.execute(
            "UPDATE ledger.holder_keys SET wrapped ="
            " (SELECT wrapped FROM ledger.holder_keys WHERE holder_id = %s) WHERE holder_id = %s",
            [other["holder_id"], lost["holder_id"]],
        )

    def is_forgotten():
        """Wait until the key is no longer cached, at most a second."""
        return {503} == {answer.status_code for answer in ask(lost, "physical")}

    until(is_forgotten, wait_s=10)
    assert_out_of_reach(ask(lost, "physical"))
    assert_undetermined(check(lost["permit_number"], 1, "law_enforcement"))
    assert_unaffected(check, ask, other, PICTURES[1])


@pytest.fixture
def shown_to_all(ask):
    """``shown_to_all(permit)``: every personal field on any track."""

    def shown_to_all(permit):
        return {
            field
            for track in TRACKS
            for answer in ask(permit, track)
            for field in shown(answer.json())
        }

    return shown_to_all


def test_a_restriction_applies_whatever_the_views_hold(
    check, investigator, owner, permits, read, shown_to_all
):
    """As during a rebuild, or after tampering."""
    restricted, other = permits
    investigator.post(orders(restricted, "restrictions"), ORDER)
    read(restricted)

    for track in TRACKS:
        table = sql.Identifier("views", f"{track}_permits")
        owner.execute(sql.SQL("UPDATE {} SET restricted = false").format(table))

    assert_undetermined(check(restricted["permit_number"], 1, "law_enforcement"))
    assert set() == shown_to_all(restricted)
    assert set() != shown_to_all(other)


def test_a_permit_whose_key_is_destroyed_is_not_effective(check, ask, owner, permits):
    """Whatever the views hold: the holder is erased, and neither track is effective."""
    tombstone = "UPDATE ledger.holder_keys SET kek_id = NULL, wrapped = NULL WHERE holder_id = %s"
    owner.execute(tombstone, [permits[0]["holder_id"]])

    assert_undetermined(check(permits[0]["permit_number"], 1, "law_enforcement"))
    for track in TRACKS:
        for answer in ask(permits[0], track):
            face = answer.json()
            assert ("erased", False) == (face["personal_data"], face["effective"])
