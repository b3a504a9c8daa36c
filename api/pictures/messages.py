"""What the service and a process that decodes pictures exchange.

The service itself loads no decoder, since a flaw in one would be within reach there for nothing.
"""

from __future__ import annotations

import struct
from typing import Final

from domain import live_code, permit_number

HEAD: Final = struct.Struct(">cI")
JPEG_FRAME, PNG_FRAME, PORTRAIT = b"J", b"P", b"F"
DONE, REFUSED = b"+", b"-"

PORTRAIT_BYTES_MAX = 64 * 1024
ANSWER_BYTES_MAX = PORTRAIT_BYTES_MAX
"""What is read of a code is shorter than a portrait."""


class NotAPicture(Exception):
    """The bytes are no picture of the given format, or one that costs too much to decode. The
    message is fit for the caller."""


def is_ours(text: str) -> bool:
    """Return whether a code's text has the form of a live code or of a permit number."""
    return live_code.is_shown_in(text) or permit_number.is_valid(text.upper())
