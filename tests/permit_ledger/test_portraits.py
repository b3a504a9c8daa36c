"""Drawn faces: small, whole, and the same every time."""

from io import BytesIO

import pytest
from PIL import Image

from permit_ledger.sample.simulation.portraits import (
    FACES,
    HEIGHT_PX,
    WIDTH_PX,
    portrait,
    variant_for,
)

VARIANTS = range(len(FACES))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_portrait_is_a_whole_palette_png_under_4_kib(variant):
    """It decodes to its last byte, and is as small as a drawing should be."""
    image = portrait(variant).image
    picture = Image.open(BytesIO(image))
    picture.load()

    assert len(image) < 4096
    assert ("PNG", "P", (WIDTH_PX, HEIGHT_PX)) == (picture.format, picture.mode, picture.size)


def test_there_are_two_dozen_different_faces():
    """No two variants share a picture."""
    assert 24 == len(VARIANTS) == len({portrait(variant).digest for variant in VARIANTS})


def test_a_variant_is_drawn_the_same_every_time():
    """Drawn again instead of taken from the cache, it has the same digest."""
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
