"""A small picture made of ellipses and bands, averaged down so that edges are smooth, as a PNG.

Only the standard library. The same strokes give the same picture; the same zlib the same bytes.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from functools import cache

Colour = tuple[int, int, int]

WIDTH_PX, HEIGHT_PX = 90, 126
_DOTS_A_PIXEL = 3
_DOTS_A_UNIT = 4.5
"""Strokes are placed on a sheet of 60 x 84 units."""
_BLEND_STEP = 12
"""Averaged colours are rounded to this step, so that they fit a palette and pack well."""


class Canvas:
    """Rows of dots, each the number of a colour; shapes are given in units."""

    def __init__(self, background: Colour) -> None:
        self._colours = [background]
        self._width = WIDTH_PX * _DOTS_A_PIXEL
        self._rows = [bytearray(self._width) for _ in range(HEIGHT_PX * _DOTS_A_PIXEL)]

    def ellipse(
        self,
        colour: Colour,
        centre: tuple[float, float],
        radii: tuple[float, float],
        *,
        above: float = math.inf,
        below: float = 0,
    ) -> None:
        """A filled ellipse; only the part between the heights ``below`` and ``above``."""
        (x, y), (radius_x, radius_y) = centre, radii
        for row in self._rows_between(max(below, y - radius_y), min(above, y + radius_y)):
            height = ((row + 0.5) / _DOTS_A_UNIT - y) / radius_y
            half = radius_x * math.sqrt(max(1 - height * height, 0))
            self._span(row, x - half, x + half, colour)

    def band(
        self,
        colour: Colour,
        top: tuple[float, float, float],
        bottom: tuple[float, float, float],
    ) -> None:
        """A trapezium between two level edges, each given as (height, left, right)."""
        (y0, left0, right0), (y1, left1, right1) = top, bottom
        for row in self._rows_between(y0, y1):
            share = ((row + 0.5) / _DOTS_A_UNIT - y0) / (y1 - y0)
            left, right = left0 + (left1 - left0) * share, right0 + (right1 - right0) * share
            self._span(row, left, right, colour)

    def _rows_between(self, top: float, bottom: float) -> range:
        last = min(bottom * _DOTS_A_UNIT, len(self._rows))
        return range(max(round(top * _DOTS_A_UNIT), 0), round(last))

    def _span(self, row: int, left: float, right: float, colour: Colour) -> None:
        if colour not in self._colours:
            self._colours.append(colour)
        start = max(round(left * _DOTS_A_UNIT), 0)
        length = min(round(right * _DOTS_A_UNIT), self._width) - start
        if length > 0:
            number = self._colours.index(colour)
            self._rows[row][start : start + length] = bytes([number]) * length

    def png(self) -> bytes:
        """The picture as a palette PNG of ``WIDTH_PX`` x ``HEIGHT_PX``."""
        return _png(self._pixels())

    def _pixels(self) -> list[list[Colour]]:
        """The picture in its own size: each pixel the average of its dots."""
        average = cache(self._average)
        picture = []
        for top in range(0, len(self._rows), _DOTS_A_PIXEL):
            rows = self._rows[top : top + _DOTS_A_PIXEL]
            columns = (row[x::_DOTS_A_PIXEL] for row in rows for x in range(_DOTS_A_PIXEL))
            picture.append([average(dots) for dots in zip(*columns, strict=True)])
        return picture

    def _average(self, dots: tuple[int, ...]) -> Colour:
        if len(set(dots)) == 1:
            return self._colours[dots[0]]
        red, green, blue = (
            min(round(sum(channel) / len(dots) / _BLEND_STEP) * _BLEND_STEP, 255)
            for channel in zip(*(self._colours[dot] for dot in dots), strict=True)
        )
        return red, green, blue


def _png(pixels: Sequence[Sequence[Colour]]) -> bytes:
    palette = sorted({colour for row in pixels for colour in row})
    numbers = {colour: number for number, colour in enumerate(palette)}
    lines = b"".join(b"\0" + bytes(numbers[colour] for colour in row) for row in pixels)
    header = struct.pack(">IIBBBBB", WIDTH_PX, HEIGHT_PX, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", b"".join(bytes(colour) for colour in palette)),
        (b"IDAT", zlib.compress(lines, 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
