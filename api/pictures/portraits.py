"""Makes a portrait of nothing but its pixels.

A file may carry more than the picture: where and with what it was taken (EXIF, XMP), comments,
earlier versions, or a second file for a program that reads it differently. None of that is the
holder's face, so none of it is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from PIL import Image, ImageOps

from .messages import NotAPicture
from .opening import opened

PNG_START = b"\x89PNG\r\n\x1a\n"
QUALITIES = (92, 85, 75, 65, 50)
"""Of a JPEG, in this order until it is small enough. Its own tables of quantization are not kept:
they are 64 bytes each of any content."""
_WIDE_TO_BYTE = 257


def pixels_only(content: bytes, bytes_max: int) -> bytes:
    """Decode a JPEG or PNG and encode it again, upright, in its own format if that is small enough.

    The same bytes always give the same bytes.

    Raises:
        NotAPicture: it can't be decoded, or has more than ``bytes_max`` bytes afterwards.
    """
    form = "PNG" if content.startswith(PNG_START) else "JPEG"
    with opened(content, form) as image:
        pixels = _pixels(ImageOps.exif_transpose(image))
        for encoded in _encoded(pixels, form):
            if len(encoded) <= bytes_max:
                return encoded
    raise NotAPicture(f"a portrait has at most {bytes_max} bytes, encoded again without metadata")


def _pixels(image: Image.Image) -> Image.Image:
    """A picture in grey or colour that has nothing besides; what is transparent becomes white."""
    if image.mode.startswith(("I", "F")):  # 16 bits, which Pillow would cut off, not scale down
        image = image.convert("F").point(lambda value: value * (1 / _WIDE_TO_BYTE)).convert("L")
    elif image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    elif image.mode in {"1", "LA"}:
        image = image.convert("L")
    elif image.mode not in {"L", "RGB"}:
        image = image.convert("RGB")
    return Image.frombytes(image.mode, image.size, image.tobytes())


def _encoded(pixels: Image.Image, form: str) -> Iterator[bytes]:
    if form == "PNG":
        yield _bytes(pixels, "PNG")
        yield _bytes(pixels, "PNG", optimize=True)
    for quality in QUALITIES:
        yield _bytes(pixels, "JPEG", optimize=True, quality=quality)


def _bytes(pixels: Image.Image, form: str, **options: Any) -> bytes:
    content = BytesIO()
    pixels.save(content, form, **options)
    return content.getvalue()
