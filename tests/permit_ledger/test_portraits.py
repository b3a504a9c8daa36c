"""Drawn faces: small, whole, and the same every time."""

import struct
import zlib

import pytest

from permit_ledger.sample.simulation.canvas import HEIGHT_PX, WIDTH_PX
from permit_ledger.sample.simulation.portraits import FACES, portrait, variant_for

VARIANTS = range(len(FACES))


def chunks(png):
    """The kinds and contents of a PNG's chunks, each with a right checksum."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    found, rest = [], png[8:]
    while rest:
        (length,) = struct.unpack(">I", rest[:4])
        kind, data, crc = rest[4:8], rest[8 : 8 + length], rest[8 + length : 12 + length]
        assert struct.pack(">I", zlib.crc32(kind + data)) == crc
        found.append((kind, data))
        rest = rest[12 + length :]
    return found


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_portrait_is_a_whole_palette_png_under_2_kib(variant):
    """Header, palette, rows and end; every dot has a colour of the palette."""
    image = portrait(variant).image
    (header, size), (palette, colours), (data, packed), end = chunks(image)

    assert len(image) < 2048
    assert [header, palette, data, end] == [b"IHDR", b"PLTE", b"IDAT", (b"IEND", b"")]
    assert struct.unpack(">IIBBxxx", size) == (WIDTH_PX, HEIGHT_PX, 8, 3)
    rows = zlib.decompress(packed)
    assert len(rows) == (WIDTH_PX + 1) * HEIGHT_PX
    assert {0} == set(rows[:: WIDTH_PX + 1]), "every row begins with the filter type none"
    assert len(colours) // 3 > max(rows)


def test_there_are_two_dozen_different_faces():
    """No two variants share a picture."""
    assert 24 == len(VARIANTS) == len({portrait(variant).digest for variant in VARIANTS})


def test_a_variant_is_painted_the_same_every_time():
    """Painted anew, not remembered, it has the same digest."""
    before = portrait(7)
    portrait.cache_clear()

    assert before == portrait(7)
    assert before is not portrait(7)


def test_numbers_wrap_around():
    """Any whole number has a face."""
    assert portrait(1) == portrait(len(FACES) + 1) == portrait(1 - len(FACES))


@pytest.mark.parametrize("female", [False, True])
@pytest.mark.parametrize(("age", "grey"), [(3, False), (51, False), (52, True), (90, True)])
def test_a_face_suits_its_bearer(female, age, grey):
    """Sex and age decide; the pick chooses among what is left."""
    faces = [FACES[variant_for(female=female, age=age, pick=pick)] for pick in range(100)]

    assert {(female, grey)} == {(face.female, face.grey) for face in faces}
    assert len(set(faces)) == 6
