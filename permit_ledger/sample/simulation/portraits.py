"""Drawn portraits of made-up people, never photographs. The same number gives the same picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from io import BytesIO

from PIL import Image, ImageDraw

from ledger.crypto.portraits import Portrait

WIDTH_PX, HEIGHT_PX = 120, 168
COLOURS_MAX = 128
_PX_A_UNIT = 12
"""Shapes are placed on a sheet of 60 x 84 units, drawn large and scaled down for smooth edges."""
_CORNERS = 120
"""Of the polygon that stands for an ellipse."""

Colour = tuple[int, int, int]

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
    """The features by which faces differ."""

    female: bool
    grey: bool
    style: int

    @property
    def covers_ears(self) -> bool:
        return self.female and self.style % 3 != 2  # noqa: PLR2004  a bun


class _Sheet:
    """A picture of filled shapes, whose sizes are in units."""

    def __init__(self, background: Colour) -> None:
        size = WIDTH_PX // 2 * _PX_A_UNIT, HEIGHT_PX // 2 * _PX_A_UNIT
        self._image = Image.new("RGB", size, background)
        self._draw = ImageDraw.Draw(self._image)

    def ellipse(
        self,
        colour: Colour,
        centre: tuple[float, float],
        radii: tuple[float, float],
        *,
        above: float = math.inf,
        below: float = 0,
    ) -> None:
        """A filled ellipse; only its part between the heights ``below`` and ``above``."""
        (x, y), (radius_x, radius_y) = centre, radii
        angles = [2 * math.pi * n / _CORNERS for n in range(_CORNERS)]
        self._polygon(
            colour,
            [
                (x + radius_x * math.cos(a), max(below, min(above, y + radius_y * math.sin(a))))
                for a in angles
            ],
        )

    def band(
        self,
        colour: Colour,
        top: tuple[float, float, float],
        bottom: tuple[float, float, float],
    ) -> None:
        """A trapezium between two level edges, each given as (height, left, right)."""
        (y0, left0, right0), (y1, left1, right1) = top, bottom
        self._polygon(colour, [(left0, y0), (right0, y0), (right1, y1), (left1, y1)])

    def arc(
        self,
        colour: Colour,
        centre: tuple[float, float],
        radii: tuple[float, float],
        degrees: tuple[float, float] = (0, 360),
        *,
        width: float,
    ) -> None:
        """A line along an ellipse, clockwise from the right."""
        (x, y), (radius_x, radius_y) = centre, radii
        box = [x - radius_x, y - radius_y, x + radius_x, y + radius_y]
        self._draw.arc(
            [edge * _PX_A_UNIT for edge in box], *degrees, colour, round(width * _PX_A_UNIT)
        )

    def png(self) -> bytes:
        """The picture as a palette PNG of ``WIDTH_PX`` x ``HEIGHT_PX``."""
        small = self._image.resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.LANCZOS)
        encoded = BytesIO()
        few_colours = small.quantize(
            COLOURS_MAX, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
        few_colours.save(encoded, "PNG", optimize=True)
        return encoded.getvalue()

    def _polygon(self, colour: Colour, corners: list[tuple[float, float]]) -> None:
        self._draw.polygon([(x * _PX_A_UNIT, y * _PX_A_UNIT) for x, y in corners], colour)


def _paint(face: _Face) -> _Sheet:
    style = face.style
    light, shade = _SKIN[(style // 2 + face.female) % len(_SKIN)]
    hair = (_GREY if face.grey else _HAIR)[(style + style // 3) % 3]
    sheet = _Sheet(_BACKGROUND[(style + face.grey + face.female) % len(_BACKGROUND)])
    _paint_hair_behind(sheet, face, hair)
    _paint_body(sheet, face, light, shade)
    if not face.covers_ears:
        for side in (-1, 1):
            sheet.ellipse(shade, (30 + side * 14.2, 41), (2.4, 4))
    _paint_head(sheet, face, light, hair)
    _paint_features(sheet, face, light, shade)
    return sheet


def _paint_hair_behind(sheet: _Sheet, face: _Face, hair: Colour) -> None:
    match (face.female, face.style % 3):
        case (True, 0):  # long
            sheet.ellipse(hair, (30, 36), (18.5, 21))
            sheet.band(hair, (36, 11.5, 48.5), (66, 10.5, 49.5))
            sheet.ellipse(hair, (30, 66), (19.5, 5), below=65.5)
        case (True, 1):  # to the chin
            sheet.ellipse(hair, (30, 37), (18.5, 21), above=50)
            sheet.band(hair, (38, 11.5, 48.5), (52, 11.5, 48.5))
            sheet.ellipse(hair, (30, 52), (18.5, 4), below=51.5)
        case (True, 2):  # a bun
            sheet.ellipse(hair, (30, 14), (7, 6.5))


def _paint_body(sheet: _Sheet, face: _Face, light: Colour, shade: Colour) -> None:
    clothes = _CLOTHES[(face.style + 3 * face.female + 2 * face.grey) % len(_CLOTHES)]
    sheet.ellipse(clothes, (30, 92), (28, 29))
    match (face.style + face.style // 3 + face.female) % 3:
        case 0:  # jacket over a shirt
            sheet.band(_SHIRT, (63.5, 22.5, 37.5), (84, 29, 31))
        case 1:  # round neck
            sheet.ellipse(light, (30, 63), (9.5, 7), below=64)
        case 2:  # collar
            sheet.band(_SHIRT, (63.5, 22, 38), (72, 27.5, 32.5))
    sheet.band(light, (50, 23.8, 36.2), (63.2, 23.4, 36.6))
    sheet.ellipse(light, (30, 63), (6.6, 4.6))
    sheet.ellipse(shade, (30, 50), (6.4, 9.5), below=50)


def _paint_head(sheet: _Sheet, face: _Face, light: Colour, hair: Colour) -> None:
    """Draw the hair first and the face over it, which makes the hairline."""
    head = (30.0, 39.0), (14.2, 18.2)
    match (face.female, face.style % 3):
        case (False, 0):  # short
            sheet.ellipse(light, *head)
            sheet.ellipse(hair, (30, 33.5), (15.6, 16), above=37)
            sheet.ellipse(light, (30, 43), (13.4, 16.2), above=44)
        case (False, 1):  # parted at the side
            sheet.ellipse(light, *head)
            sheet.ellipse(hair, (30, 33), (15.8, 16.2), above=36.5)
            sheet.ellipse(light, (24.5, 42), (9, 14), above=43)
            sheet.ellipse(light, (35, 42.5), (8.4, 11), above=43)
        case (False, 2):  # cropped, or thin
            sheet.ellipse(hair, (30, 34), (15.4, 15.2), above=38)
            sheet.ellipse(light, (30, 39), (14, 17.2 if face.grey else 14.8))
            sheet.ellipse(light, (30, 41), (14.2, 16.2), below=38)
        case (True, 0):  # parted in the middle
            sheet.ellipse(light, *head)
            sheet.ellipse(hair, (30, 32), (16, 15.5), above=36)
            sheet.ellipse(light, (23.6, 40.5), (7.8, 11.5), above=42)
            sheet.ellipse(light, (36.4, 40.5), (7.8, 11.5), above=42)
        case (True, 1):  # fringe
            sheet.ellipse(light, *head)
            sheet.ellipse(hair, (30, 32), (16, 16), above=32.6)
            sheet.band(hair, (32, 14.2, 17.4), (47, 14.2, 16))
            sheet.band(hair, (32, 42.6, 45.8), (47, 44, 45.8))
        case _:  # swept back
            sheet.ellipse(light, *head)
            sheet.ellipse(hair, (30, 33), (15.6, 16), above=38)
            sheet.ellipse(light, (30, 44.5), (13.6, 20), above=45)


def _paint_features(sheet: _Sheet, face: _Face, light: Colour, shade: Colour) -> None:
    glasses = (face.style * 2 + face.female + face.grey) % 5 == 2  # noqa: PLR2004  here and there
    blush: Colour = (min(light[0], 246), light[1] - 24, light[2] - 20)
    lips: Colour = (196, 96, 92) if face.female else (170, 104, 90)
    brow = _GREY[1] if face.grey else _INK
    for side in (-1, 1):
        x = 30 + side * 6
        sheet.ellipse(blush, (30 + side * 8.6, 47), (2.8, 1.8))
        sheet.ellipse(_INK, (x, 41), (1.5, 1.9))
        sheet.ellipse(_SHIRT, (x + 0.5, 40.3), (0.5, 0.5))
        brow_height = 38.4 if glasses else 39.2
        thickness = 0.9 if face.female else 1.3
        sheet.arc(brow, (x, brow_height), (3.8, 3.2), (215, 325), width=thickness)
        if glasses:
            sheet.arc(_INK, (x, 41), (5, 4.6), width=0.6)
    if glasses:
        sheet.arc(_INK, (30, 41.4), (1.4, 0.9), (180, 360), width=0.6)
    sheet.arc(shade, (30, 44.6), (1.9, 1.7), (20, 160), width=0.9)
    sheet.ellipse(lips, (30, 49.8), (3.8, 2.3), below=49.8)


FACES: tuple[_Face, ...] = tuple(
    _Face(female, grey, style)
    for female in (False, True)
    for grey in (False, True)
    for style in range(FACES_OF_ONE_KIND)
)


@cache
def portrait(variant: int) -> Portrait:
    """The drawn face of this number, 120 x 168 pixels and under 4 KiB; numbers wrap around."""
    if not 0 <= variant < len(FACES):
        return portrait(variant % len(FACES))
    return Portrait.of(_paint(FACES[variant]).png())


def variant_for(*, female: bool, age: int, pick: int) -> int:
    """The number of a face that suits someone; ``pick`` chooses among those that do."""
    kind = 2 * female + (age >= GREY_FROM_YEARS)
    return kind * FACES_OF_ONE_KIND + pick % FACES_OF_ONE_KIND
