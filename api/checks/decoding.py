"""Decodes the codes in a camera picture, in a few threads of their own.

A picture may also show posters, parcels and other people's phones. Of all codes in it, the first
with the form of a live code or of a permit number is taken.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import cast

import zxingcpp
from anyio import CapacityLimiter, to_thread
from PIL import Image

from api.http.admission import Admission
from domain import permit_number
from ledger.checks.display_codes import ALPHABET, CODE_LENGTH

FRAME_BYTES_MAX = 512 * 1024
FRAME_PIXELS_MAX = 4_000_000
TEXT_LENGTH_MAX = 512
DECODERS_MAX = 2
WAITING_MAX = 16
STILLS_MAX = 3
"""Of an animated picture."""
READING_S_MAX = 2.0
"""After that no further attempt on the same picture is begun; one takes at most half a second."""
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
"""Printed on things nearby. Symbologies without a checksum are left out: they are found in hair and
brickwork."""
_WHITE, _BLACK = (255, 255, 255, 255), (0, 0, 0, 255)
_GREY_MAX = 255


class NotAPicture(Exception):
    """The bytes are no picture of the given format, or one of too many pixels. The message is fit
    for the caller."""


@dataclass(frozen=True, slots=True)
class Reading:
    """``text`` is that of this service's code; ``other_code``: there are only other codes."""

    text: str | None = None
    other_code: bool = False


class Decoders:
    """A few threads that decode, with a few more requests waiting for them. One per process."""

    def __init__(self) -> None:
        self._admission = Admission(
            WAITING_MAX, "Too many pictures are being read; send the next one later."
        )
        self._threads = CapacityLimiter(DECODERS_MAX)

    async def read(self, image: bytes, form: str) -> Reading:
        """Decode a picture; ``form`` is Pillow's name of its format.

        Raises:
            Unavailable: too many pictures are waiting.
            NotAPicture
        """
        with self._admission.place():
            return await to_thread.run_sync(_read, image, form, limiter=self._threads)


def is_ours(text: str) -> bool:
    """Return whether a code's text has the form of a live code, alone or in its URL, or of a permit
    number. The host is not compared: behind a proxy the service may have several."""
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
    """Convert the picture to greyscale, in each way that may show its code.

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
    except Exception:  # noqa: BLE001  decoders raise any kind of error at damaged bytes
        raise NotAPicture(f"a whole {form} picture is expected, as Content-Type says") from None


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
