"""Decodes the codes in a camera picture.

A picture may also show posters, parcels and other people's phones. Of all codes in it, the first
with the form of a live code or of a permit number is taken.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import cast

import zxingcpp
from PIL import Image

from .messages import is_ours
from .opening import opened

STILLS_MAX = 3
"""Of an animated picture."""
READING_S_MAX = 2.0
"""After that no further attempt on the same picture is begun; one takes at most half a second."""
_FORMAT = zxingcpp.BarcodeFormat
_QR_CODES = zxingcpp.BarcodeFormats([_FORMAT.QRCode])
_OTHERS = zxingcpp.BarcodeFormats(
    [
        *(_FORMAT.MicroQRCode, _FORMAT.RMQRCode, _FORMAT.DataMatrix, _FORMAT.Aztec),
        *(_FORMAT.PDF417, _FORMAT.EANUPC, _FORMAT.Code128),
    ]
)
"""Printed on things nearby. Symbologies without a checksum are left out: they are found in hair and
brickwork."""
_WHITE, _BLACK = (255, 255, 255, 255), (0, 0, 0, 255)
_GREY_MAX = 255


def read_codes(content: bytes, form: str) -> bytes:
    """The text of this service's code in a picture, and whether there are only others, as JSON.

    Raises:
        NotAPicture
    """
    text, other_code = _read(content, form)
    return json.dumps({"text": text, "other_code": other_code}).encode()


def _read(content: bytes, form: str) -> tuple[str | None, bool]:
    until, other_code = time.monotonic() + READING_S_MAX, False
    for grey in _greys(content, form):
        for formats in (_QR_CODES, _OTHERS):
            if time.monotonic() > until:
                return None, other_code
            found = zxingcpp.read_barcodes(grey, formats=formats)
            ours = next((code.text for code in found if is_ours(code.text)), None)
            if ours is not None:
                return ours, False
            other_code = other_code or bool(found)
    return None, other_code


def _greys(content: bytes, form: str) -> Iterator[Image.Image]:
    """Convert the picture to greyscale, in each way that may show its code.

    Raises:
        NotAPicture
    """
    with opened(content, form) as image:
        for still in range(min(getattr(image, "n_frames", 1), STILLS_MAX)):
            image.seek(still)
            yield from _shades(image)


def _shades(image: Image.Image) -> Iterator[Image.Image]:
    """Put transparent pictures on white first, since most codes are dark, and then on black."""
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
