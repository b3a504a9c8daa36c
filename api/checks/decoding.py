"""The codes in a picture: decoded in a few threads, so that no picture holds up the others.

A camera sees posters, parcels and other people's phones as well. Of all codes in the picture, the
first that has the form of a live code or of a permit number is taken.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import cast

import zxingcpp
from PIL import Image

from domain import permit_number
from ledger.checks.display_codes import ALPHABET, CODE_LENGTH
from ledger.errors import Unavailable

FRAME_BYTES_MAX = 512 * 1024
FRAME_PIXELS_MAX = 4_000_000
TEXT_LENGTH_MAX = 512
DECODERS_MAX = 2
WAITING_MAX = 16
STILLS_MAX = 3
"""Of an animated picture."""
READING_S_MAX = 2.0
"""After that no other reading of the same picture is begun; a single one takes at most half a
second."""
_LIVE_CODE = re.compile(
    rf"(?:https?://[^/\s?#]+/v/)?[{ALPHABET}]{{{CODE_LENGTH}}}", re.IGNORECASE | re.ASCII
)
_FORMAT = zxingcpp.BarcodeFormat
_QR_CODES = zxingcpp.BarcodeFormats([_FORMAT.QRCode])
_OTHERS = zxingcpp.BarcodeFormats(
    [
        *(_FORMAT.MicroQRCode, _FORMAT.RMQRCode, _FORMAT.DataMatrix, _FORMAT.Aztec),
        *(_FORMAT.PDF417, _FORMAT.EANUPC, _FORMAT.Code128),
    ]
)
"""What is printed on things nearby. Symbologies without a check of their own are left out: they are
found in hair and brickwork."""
_WHITE, _BLACK = (255, 255, 255, 255), (0, 0, 0, 255)
_GREY_MAX = 255


class NotAPicture(Exception):
    """These bytes are no picture of that form, or one of too many pixels; the message says which,
    fit for the caller."""


@dataclass(frozen=True, slots=True)
class Reading:
    """``text`` is that of a code of this service; ``other_code``: there is none of ours, but
    another one."""

    text: str | None = None
    other_code: bool = False


class Decoders:
    """A few threads at a time decode; a few more requests wait. One a process."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(DECODERS_MAX)
        self._waiting = 0

    async def read(self, image: bytes, form: str) -> Reading:
        """What a picture shows; ``form`` is Pillow's name of the picture's format.

        Raises:
            Unavailable: too many pictures wait.
            NotAPicture
        """
        if self._waiting >= WAITING_MAX:
            raise Unavailable("Too many pictures are being read; send the next one later.")
        self._waiting += 1
        try:
            async with self._free:
                return await asyncio.to_thread(_read, image, form)
        finally:
            self._waiting -= 1


def is_ours(text: str) -> bool:
    """Whether a code's text has the form of a live code, alone or in its address, or of a permit
    number. The host is not compared: behind a proxy the service may be known by several."""
    return bool(_LIVE_CODE.fullmatch(text)) or permit_number.is_valid(text.upper())


def _read(content: bytes, form: str) -> Reading:
    until, other_code = time.monotonic() + READING_S_MAX, False
    for grey in _greys(content, form):
        for formats in (_QR_CODES, _OTHERS):
            if time.monotonic() > until:
                return Reading(other_code=other_code)
            found = zxingcpp.read_barcodes(grey, formats=formats)
            ours = next((code.text for code in found if is_ours(code.text)), None)
            if ours is not None:
                return Reading(ours)
            other_code = other_code or bool(found)
    return Reading(other_code=other_code)


def _greys(content: bytes, form: str) -> Iterator[Image.Image]:
    """The picture in shades of grey, in each way that may show its code.

    Raises:
        NotAPicture
    """
    try:
        with Image.open(BytesIO(content), formats=[form]) as image:
            if image.width * image.height > FRAME_PIXELS_MAX:
                raise NotAPicture(f"a picture of at most {FRAME_PIXELS_MAX} pixels is expected")
            for still in range(min(getattr(image, "n_frames", 1), STILLS_MAX)):
                image.seek(still)
                yield from _shades(image)
    except NotAPicture:
        raise
    except Exception:  # noqa: BLE001  decoders raise all kinds of things at damaged bytes
        raise NotAPicture(f"a whole {form} picture is expected, as Content-Type says") from None


def _shades(image: Image.Image) -> Iterator[Image.Image]:
    """Where it is transparent, on white paper first, as most codes are dark; then on black."""
    if image.mode.startswith(("I", "F")):  # 16 bits, which Pillow would cut off, not scale down
        yield _stretched(image)
    elif image.has_transparency_data:
        layer = image.convert("RGBA")
        for paper in (_WHITE, _BLACK):
            sheet = Image.new("RGBA", layer.size, paper)
            yield Image.alpha_composite(sheet, layer).convert("L")
    else:
        yield image.convert("L")


def _stretched(image: Image.Image) -> Image.Image:
    darkest, brightest = cast("tuple[int, int]", image.getextrema())  # of the one channel
    scale = _GREY_MAX / ((brightest - darkest) or 1)
    return image.point(lambda value: value * scale - darkest * scale).convert("L")
