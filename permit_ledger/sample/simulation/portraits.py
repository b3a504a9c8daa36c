"""Drawn faces for made-up people, never a photograph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ledger.crypto.portraits import Portrait

from .canvas import Canvas, Colour

FACES_OF_ONE_KIND = 6
"""Faces to choose from for one sex and age."""
GREY_FROM_YEARS = 52

_INK: Colour = (44, 38, 42)
_SHIRT: Colour = (246, 247, 250)
_SKIN: tuple[tuple[Colour, Colour], ...] = (
    ((250, 222, 196), (232, 190, 160)),
    ((243, 206, 172), (220, 172, 138)),
    ((230, 186, 148), (202, 152, 116)),
)
"""Light side and shade."""
_HAIR: tuple[Colour, ...] = ((38, 32, 36), (66, 46, 40), (26, 28, 38))
_GREY: tuple[Colour, ...] = ((150, 152, 158), (112, 114, 122), (188, 190, 194))
_CLOTHES: tuple[Colour, ...] = (
    (58, 84, 124),
    (176, 84, 78),
    (72, 122, 104),
    (118, 98, 148),
    (196, 142, 72),
    (84, 92, 104),
)
_BACKGROUND: tuple[Colour, ...] = ((221, 233, 243), (228, 238, 230), (240, 234, 224))


@dataclass(frozen=True, slots=True)
class _Face:
    """What tells one face from another."""

    female: bool
    grey: bool
    style: int


def _paint(face: _Face) -> Canvas:
    style = face.style
    light, shade = _SKIN[(style // 2 + face.female) % len(_SKIN)]
    hair = (_GREY if face.grey else _HAIR)[(style + style // 3) % 3]
    canvas = Canvas(_BACKGROUND[(style + face.grey + face.female) % len(_BACKGROUND)])
    _paint_hair_behind(canvas, face, hair)
    _paint_body(canvas, face, shade)
    for side in (-1, 1):
        canvas.ellipse(shade, (30 + side * 14.2, 41), (2.4, 4))
    _paint_head(canvas, face, light, hair)
    _paint_features(canvas, face, light, shade)
    return canvas


def _paint_hair_behind(canvas: Canvas, face: _Face, hair: Colour) -> None:
    match (face.female, face.style % 3):
        case (True, 0):  # long
            canvas.ellipse(hair, (30, 36), (18.5, 21))
            canvas.band(hair, (36, 11.5, 48.5), (70, 10, 50))
        case (True, 1):  # to the chin
            canvas.ellipse(hair, (30, 37), (18.5, 21), above=50)
            canvas.band(hair, (38, 11.5, 48.5), (54, 12, 48))
        case (True, 2):  # a bun
            canvas.ellipse(hair, (30, 14), (7, 6.5))


def _paint_body(canvas: Canvas, face: _Face, shade: Colour) -> None:
    clothes = _CLOTHES[(face.style + 3 * face.female + 2 * face.grey) % len(_CLOTHES)]
    canvas.ellipse(clothes, (30, 92), (28, 29))
    match (face.style + face.style // 3 + face.female) % 3:
        case 0:  # jacket over a shirt
            canvas.band(_SHIRT, (63.5, 22.5, 37.5), (84, 29, 31))
        case 1:  # round neck
            canvas.ellipse(shade, (30, 63), (9.5, 7), below=64)
        case 2:  # collar
            canvas.band(_SHIRT, (63.5, 22, 38), (72, 27.5, 32.5))
    canvas.band(shade, (50, 23.8, 36.2), (63, 23.4, 36.6))
    canvas.ellipse(shade, (30, 63), (6.6, 4.6))


def _paint_head(canvas: Canvas, face: _Face, light: Colour, hair: Colour) -> None:
    """Hair first and the face over it, so that the face draws the hairline."""
    head = (30.0, 39.0), (14.2, 18.2)
    match (face.female, face.style % 3):
        case (False, 0):  # short
            canvas.ellipse(light, *head)
            canvas.ellipse(hair, (30, 33.5), (15.6, 16), above=37)
            canvas.ellipse(light, (30, 43), (13.4, 16.2), above=44)
        case (False, 1):  # parted at the side
            canvas.ellipse(light, *head)
            canvas.ellipse(hair, (30, 33), (15.8, 16.2), above=36.5)
            canvas.ellipse(light, (24.5, 42), (9, 14), above=43)
            canvas.ellipse(light, (35, 42.5), (8.4, 11), above=43)
        case (False, 2):  # cropped, or thin
            canvas.ellipse(hair, (30, 34), (15.4, 15.2), above=38)
            canvas.ellipse(light, (30, 39), (14, 17.2 if face.grey else 14.8))
            canvas.ellipse(light, (30, 41), (14.2, 16.2), below=38)
        case (True, 0):  # parted in the middle
            canvas.ellipse(light, *head)
            canvas.ellipse(hair, (30, 32), (16, 15.5), above=36)
            canvas.ellipse(light, (23.6, 40.5), (7.8, 11.5), above=42)
            canvas.ellipse(light, (36.4, 40.5), (7.8, 11.5), above=42)
        case (True, 1):  # fringe
            canvas.ellipse(light, *head)
            canvas.ellipse(hair, (30, 32), (16, 16), above=32.6)
            canvas.band(hair, (32, 14.2, 17.4), (47, 14.2, 16))
            canvas.band(hair, (32, 42.6, 45.8), (47, 44, 45.8))
        case _:  # swept back
            canvas.ellipse(light, *head)
            canvas.ellipse(hair, (30, 33), (15.6, 16), above=38)
            canvas.ellipse(light, (30, 44.5), (13.6, 20), above=45)


def _paint_features(canvas: Canvas, face: _Face, light: Colour, shade: Colour) -> None:
    glasses = (face.style * 2 + face.female + face.grey) % 5 == 2  # noqa: PLR2004  here and there
    blush: Colour = (min(light[0], 246), light[1] - 24, light[2] - 20)
    lips: Colour = (196, 96, 92) if face.female else (184, 118, 102)
    brow = _GREY[1] if face.grey else _INK
    for side in (-1, 1):
        x = 30 + side * 6
        canvas.ellipse(blush, (30 + side * 8.6, 47), (2.8, 1.8))
        if glasses:
            canvas.ellipse(_INK, (x, 41), (5, 4.6))
            canvas.ellipse(light, (x, 41), (4.3, 3.9))
        canvas.ellipse(_INK, (x, 41), (1.4, 1.8))
        canvas.ellipse(brow, (x, 35.4 if glasses else 36.6), (3.2, 1 - 0.25 * face.female))
    if glasses:
        canvas.band(_INK, (40.4, 28.8, 31.2), (41.2, 28.8, 31.2))
    canvas.ellipse(shade, (30, 46), (1.7, 1.1))
    canvas.ellipse(lips, (30, 50.4), (3.8, 2.1), below=50.4)


FACES: tuple[_Face, ...] = tuple(
    _Face(female, grey, style)
    for female in (False, True)
    for grey in (False, True)
    for style in range(FACES_OF_ONE_KIND)
)


@cache
def portrait(variant: int) -> Portrait:
    """The drawn face of this number, 90 x 126 pixels and under 2 KiB; numbers wrap around."""
    if not 0 <= variant < len(FACES):
        return portrait(variant % len(FACES))
    return Portrait.of(_paint(FACES[variant]).png())


def variant_for(*, female: bool, age: int, pick: int) -> int:
    """The number of a face that suits someone; ``pick`` chooses among those that do."""
    kind = 2 * female + (age >= GREY_FROM_YEARS)
    return kind * FACES_OF_ONE_KIND + pick % FACES_OF_ONE_KIND
