"""Pictures of holders, encrypted beside the log; events have their digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from ledger.errors import SealBroken

from .holder_keys import HolderKey

SIZE_BYTES_MAX = 64 * 1024
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class Portrait:
    """A JPEG or PNG of at most 64 KiB."""

    image: bytes
    digest: str

    @classmethod
    def of(cls, image: bytes) -> Portrait:
        """
        Raises:
            ValueError: too large, empty, or not a complete JPEG or PNG.
        """
        if len(image) > SIZE_BYTES_MAX:
            raise ValueError(f"a portrait has at most {SIZE_BYTES_MAX} bytes")
        is_png = image.startswith(_PNG_START) and image.endswith(_PNG_END)
        is_jpeg = image.startswith(_JPEG_START) and image.endswith(_JPEG_END)
        if not (is_png or is_jpeg):
            raise ValueError("a portrait is a whole JPEG or PNG file")
        return cls(image, hashlib.sha256(image).hexdigest())

    def seal(self, key: HolderKey, stream: str, version: int) -> SealedPortrait:
        """Encrypt it for the event of this stream and version."""
        ciphertext = key.seal(self.image, "portrait", stream, str(version))
        return SealedPortrait(stream, version, ciphertext)


class SealedPortrait(NamedTuple):
    """A portrait as the database has it."""

    stream: str
    version: int
    image: bytes

    def open(self, key: HolderKey, digest: str) -> bytes:
        """Decrypt the picture, which must have the event's digest.

        Raises:
            SealBroken
        """
        image = key.open(self.image, "portrait", self.stream, str(self.version))
        if hashlib.sha256(image).hexdigest() != digest:
            raise SealBroken("the portrait is not the one that the event names")
        return image
