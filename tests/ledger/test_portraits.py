"""What is accepted as a portrait."""

import hashlib

import pytest

from ledger.portraits import SIZE_BYTES_MAX, Portrait

PNG = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
JPEG = b"\xff\xd8\xff", b"\xff\xd9"


def filled(ends, size=1000):
    start, end = ends
    return start + bytes(size - len(start) - len(end)) + end


@pytest.mark.parametrize("ends", [PNG, JPEG], ids=["PNG", "JPEG"])
@pytest.mark.parametrize("size", [100, SIZE_BYTES_MAX])
def test_a_whole_picture_is_known_by_its_digest(ends, size):
    """SHA-256 of its bytes, in hex, as the event carries it."""
    image = filled(ends, size)

    portrait = Portrait.of(image)

    assert (image, hashlib.sha256(image).hexdigest()) == (portrait.image, portrait.digest)


@pytest.mark.parametrize("ends", [PNG, JPEG], ids=["PNG", "JPEG"])
def test_a_picture_is_at_most_64_kib(ends):
    """One byte more is refused."""
    with pytest.raises(ValueError, match="at most 65536 bytes"):
        Portrait.of(filled(ends, SIZE_BYTES_MAX + 1))


@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"GIF89a" + bytes(100),
        b"<svg></svg>",
        filled(PNG)[:-1],
        filled(JPEG)[:-1],
        filled(PNG) + b"\0",
        b"\0" + filled(JPEG),
        filled((PNG[0], JPEG[1])),
        filled((JPEG[0], PNG[1])),
    ],
    ids=[
        "nothing",
        "GIF",
        "SVG",
        "torn PNG",
        "torn JPEG",
        "more behind",
        "more before",
        "PNG then JPEG",
        "JPEG then PNG",
    ],
)
def test_anything_else_is_refused(image):
    """Torn on its way, or never a picture."""
    with pytest.raises(ValueError, match="a whole JPEG or PNG file"):
        Portrait.of(image)
