"""The views hold personal data encrypted: for one permit, one view and one holder."""

import pytest
from psycopg import sql

from domain.events import CancellationReason
from ledger.commands.runner import Command
from ledger.crypto.portraits import Portrait
from ledger.errors import KeyUnusable, SealBroken
from projections.views.face import Face

PICTURE = Portrait.of(b"\xff\xd8\xff a face \xff\xd9")
OTHER_PICTURE = Portrait.of(b"\xff\xd8\xff another \xff\xd9")
METHODS = [("physical", "physical"), ("electronic", "electronic")]
TRACKS = ["physical", "electronic"]


@pytest.fixture
def living(life):
    return life()


@pytest.fixture
def issue(living, ledger, context):
    """``issue(picture)``: the number of a permit of a new holder."""

    def issue(picture=None):
        answer = ledger.permits.issue(living.application(), Command(context), picture)
        [issued] = ledger.events(answer.position, 1)
        return issued.originator_id

    return issue


@pytest.fixture
def move_face(admin):
    """``move_face(view, number, from_view, from_number)``: as only an owner of the database can."""

    def move_face(view, number, from_view, from_number):
        to_table, from_table = (
            sql.Identifier("views", f"{name}_permits") for name in (view, from_view)
        )
        query = sql.SQL(
            "UPDATE {} SET face = (SELECT face FROM {} WHERE permit_number = %s)"
            " WHERE permit_number = %s"
        ).format(to_table, from_table)
        assert 1 == admin.execute(query, [from_number, number]).rowcount

    return move_face


def personal(face: Face):
    """Everything in a face that identifies the person."""
    return [face.name, face.citizen_id_number, face.hukou_address, face.address, face.portrait]


def test_no_column_holds_personal_data_in_the_clear(issue, projected, person, admin):
    """No name, number, address or digest in any row of any view, whatever its type."""
    number = issue(PICTURE)
    projected()
    secrets = personal(person("physical", "physical", number).face)

    for table in ("physical_permits", "electronic_permits", "permit_search", "permits"):
        query = sql.SQL("SELECT * FROM {}").format(sql.Identifier("views", table))
        [row] = admin.execute(query).fetchall()
        values = [bytes(v) if isinstance(v, bytes) else str(v).encode() for v in row]
        for secret in secrets:
            forms = [secret.encode(), secret.encode().hex().encode()]
            assert not any(form in value for form in forms for value in values)


def test_two_rows_of_one_person_share_no_bytes(issue, projected, rows):
    """The ciphertexts do not show that both are of one person."""
    number = issue()
    projected()

    faces = {bytes(rows(f"views.{track}_permits")[number]["face"]) for track in TRACKS}
    assert 2 == len(faces)


@pytest.mark.parametrize(("method", "view"), METHODS)
def test_a_face_of_the_same_holders_other_permit_does_not_open(
    living, ledger, projected, person, move_face, method, view
):
    """Although it was encrypted with the same key."""
    old = living.issue("990000199001010017")
    ledger.permits.cancel(old, CancellationReason.MOVED_AWAY, living.command())
    new = living.issue("990000199001010017")
    projected()
    assert "欧阳测试" == person(method, view, new).face.name

    move_face(view, new, view, old)

    with pytest.raises(SealBroken):
        person(method, view, new)
    assert "欧阳测试" == person(method, view, old).face.name


@pytest.mark.parametrize(("view", "other"), [TRACKS, TRACKS[::-1]])
def test_a_face_of_the_other_view_does_not_open(issue, projected, person, move_face, view, other):
    """It might be older than the one that belongs there."""
    number = issue()
    projected()

    move_face(view, number, other, number)

    with pytest.raises(SealBroken):
        person(view, view, number)


@pytest.mark.parametrize(("method", "view"), METHODS)
def test_another_holders_face_does_not_open(issue, projected, person, move_face, method, view):
    """A permit never shows another person."""
    number, others = issue(), issue()
    projected()

    move_face(view, number, view, others)

    with pytest.raises(SealBroken):
        person(method, view, number)


@pytest.mark.parametrize("track", TRACKS)
def test_a_row_that_names_another_holder_does_not_open(
    issue, projected, person, admin, rows, track
):
    """With that holder's key, the face is not the permit's."""
    number, others = issue(), issue()
    projected()
    table = sql.Identifier("views", f"{track}_permits")
    stranger = rows("views.permits")[others]["holder_id"]
    query = sql.SQL("UPDATE {} SET holder_id = %s WHERE permit_number = %s").format(table)
    admin.execute(query, [stranger, number])

    with pytest.raises(SealBroken):
        person(track, track, number)


@pytest.mark.parametrize("byte", [1, 13, -1], ids=["nonce", "box", "tag"])
@pytest.mark.parametrize(("method", "view"), METHODS)
def test_a_changed_byte_is_detected(issue, projected, person, admin, rows, method, view, byte):
    """Anywhere in the face; the others open as before."""
    number, others = issue(), issue()
    projected()
    face = bytearray(rows(f"views.{view}_permits")[number]["face"])
    face[byte] ^= 1
    table = sql.Identifier("views", f"{view}_permits")
    query = sql.SQL("UPDATE {} SET face = %s WHERE permit_number = %s").format(table)
    admin.execute(query, [bytes(face), number])

    with pytest.raises(SealBroken):
        person(method, view, number)
    assert "欧阳测试" == person(method, view, others).face.name


@pytest.mark.parametrize(("method", "view"), METHODS)
def test_a_missing_face_is_an_error(issue, projected, person, admin, method, view):
    """Only an erasure removes it, and then the key is destroyed as well."""
    number = issue()
    projected()
    table = sql.Identifier("views", f"{view}_permits")
    query = sql.SQL("UPDATE {} SET face = NULL WHERE permit_number = %s").format(table)
    admin.execute(query, [number])

    with pytest.raises(SealBroken):
        person(method, view, number)


@pytest.mark.parametrize(("method", "view"), METHODS)
def test_a_picture_of_another_person_does_not_open(issue, projected, person, admin, method, view):
    """Nor does a missing one; no person is shown with another's picture, or with none."""
    number, others = issue(PICTURE), issue(OTHER_PICTURE)
    projected()
    assert PICTURE.image == person(method, view, number).portrait

    admin.execute(
        "UPDATE ledger.portraits SET image = (SELECT image FROM ledger.portraits"
        " WHERE stream = %s) WHERE stream = %s",
        [others, number],
    )
    with pytest.raises(SealBroken):
        person(method, view, number)

    admin.execute("DELETE FROM ledger.portraits WHERE stream = %s", [number])
    with pytest.raises(SealBroken):
        person(method, view, number)
    assert OTHER_PICTURE.image == person(method, view, others).portrait


@pytest.mark.parametrize(("method", "view"), METHODS)
def test_without_its_key_no_person_is_shown(issue, projected, person, admin, method, view):
    """A key that is missing, and was not destroyed, is a fault: the row is shown neither as erased
    nor as empty."""
    number, others = issue(), issue()
    projected()
    admin.execute(
        "DELETE FROM ledger.holder_keys WHERE holder_id ="
        " (SELECT holder_id FROM views.permits WHERE permit_number = %s)",
        [number],
    )

    with pytest.raises(KeyUnusable, match="no key of holder"):
        person(method, view, number)
    assert "欧阳测试" == person(method, view, others).face.name
