"""Opens a picture, if its header says that decoding it is reasonable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from PIL import Image, JpegImagePlugin, MpoImagePlugin, PngImagePlugin, TiffImagePlugin

from .messages import NotAPicture

PIXELS_MAX = 4_000_000
SCANS_MAX = 32
"""Of a progressive JPEG: cameras and programs write about ten. Each one goes through all blocks of
the picture, whatever the number of its bytes."""

_PLUGINS = (JpegImagePlugin, PngImagePlugin, MpoImagePlugin, TiffImagePlugin)
"""Loaded before the process may open no more files; some JPEGs have pictures or tags within."""
_START_OF_SCAN = b"\xff\xda"
"""Elsewhere in a JPEG's compressed data no 0xFF is followed by this byte (ITU-T T.81 §F.1.2.3)."""


@contextmanager
def opened(content: bytes, form: str) -> Iterator[Image.Image]:
    """A picture whose pixels are not decoded yet; ``form`` is Pillow's name of its format.

    Raises:
        NotAPicture: also for whatever is raised within.
    """
    if form == "JPEG" and content.count(_START_OF_SCAN) > SCANS_MAX:
        raise NotAPicture(f"a picture of at most {SCANS_MAX} scans is expected")
    try:
        with Image.open(BytesIO(content), formats=[form]) as image:
            if not 0 < image.width * image.height <= PIXELS_MAX:
                raise NotAPicture(f"a picture of at most {PIXELS_MAX} pixels is expected")
            yield image
    except NotAPicture:
        raise
    except Exception:  # noqa: BLE001  decoders raise any kind of error at damaged bytes
        raise NotAPicture(f"a whole {form} picture is expected") from None
