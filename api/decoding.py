"""The QR code in a picture: decoded in a few threads, so that no picture holds up the others."""

from __future__ import annotations

import asyncio
from io import BytesIO

import zxingcpp
from PIL import Image

from ledger.errors import Unavailable

FRAME_BYTES_MAX = 512 * 1024
FRAME_PIXELS_MAX = 4_000_000
TEXT_LENGTH_MAX = 512
DECODERS_MAX = 2
WAITING_MAX = 16
_QR_CODES = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])


class NotAPicture(Exception):
    """These bytes are no picture of that form, or one of too many pixels; the message says which,
    fit for the caller."""


class Decoders:
    """A few threads at a time decode; a few more requests wait. One a process."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(DECODERS_MAX)
        self._waiting = 0

    async def text_in(self, image: bytes, form: str) -> str | None:
        """What the code in a picture says; ``form`` is Pillow's name of the picture's format.

        Raises:
            Unavailable: too many pictures wait.
            NotAPicture
        """
        if self._waiting >= WAITING_MAX:
            raise Unavailable("Too many pictures are being read; send the next one later.")
        self._waiting += 1
        try:
            async with self._free:
                return await asyncio.to_thread(_text_in, image, form)
        finally:
            self._waiting -= 1


def _text_in(content: bytes, form: str) -> str | None:
    try:
        with Image.open(BytesIO(content), formats=[form]) as image:
            if image.width * image.height > FRAME_PIXELS_MAX:
                raise NotAPicture(f"a picture of at most {FRAME_PIXELS_MAX} pixels is expected")
            grey = image.convert("L")
    except NotAPicture:
        raise
    except Exception:  # noqa: BLE001  decoders raise all kinds of things at damaged bytes
        raise NotAPicture(f"a whole {form} picture is expected, as Content-Type says") from None
    found = zxingcpp.read_barcodes(grey, formats=_QR_CODES)
    texts = [code.text for code in found if len(code.text) <= TEXT_LENGTH_MAX]
    return texts[0] if texts else None
