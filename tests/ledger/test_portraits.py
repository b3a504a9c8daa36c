"""What is accepted as a portrait, and how it is sealed."""

import hashlib

import pytest

from ledger.crypto.holder_keys import HolderKey
from ledger.crypto.portraits import SIZE_BYTES_MAX, Portrait
from ledger.errors import SealBroken
from tests.ledger.sealing import HOLDER_ID, KEY

PNG = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
JPEG = b"\xff\xd8\xff", b"\xff\xd9"


def filled(ends, size=1000):
    start, end = ends
    return start + bytes(size - len(start) - len(end)) + end


@pytest.mark.parametrize("ends", [PNG, JPEG], ids=["PNG", "JPEG"])
@pytest.mark.parametrize("size", [100, SIZE_BYTES_MAX])
def test_a_complete_picture_has_its_digest(ends, size):
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
def test_incomplete_and_other_files_are_refused(image):
    with pytest.raises(ValueError, match="a whole JPEG or PNG file"):
        Portrait.of(image)


# -- sealed ------------------------------------------------------------------------------------


@pytest.fixture
def portrait():
    return Portrait.of(filled(JPEG))


@pytest.fixture
def sealed(portrait):
    return portrait.seal(KEY, "7Q2M9K4T8XW5", 1)


@pytest.mark.parametrize("size", [100, SIZE_BYTES_MAX])
def test_a_sealed_portrait_is_opened_with_its_key(size):
    """For the event that brought it; what is stored shows nothing of it."""
    portrait = Portrait.of(filled(PNG, size))

    sealed = portrait.seal(KEY, "7Q2M9K4T8XW5", 1)

    assert ("7Q2M9K4T8XW5", 1) == (sealed.stream, sealed.version)
    assert portrait.image == sealed.open(KEY, portrait.digest)
    assert PNG[0] not in sealed.image
    assert len(portrait.image) + 28 == len(sealed.image)
    assert sealed != portrait.seal(KEY, "7Q2M9K4T8XW5", 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"stream": "AAAAAAAAAAAA"},
        {"version": 2},
        {"stream": "7Q2M9K4T8XW51", "version": 1},
        {"image": b""},
        {"image": filled(JPEG)},
    ],
    ids=["stream", "version", "run together", "nothing", "in the clear"],
)
def test_a_portrait_is_not_opened_elsewhere(portrait, sealed, changed):
    """Another's picture can't be put in its place, nor one that was never sealed."""
    with pytest.raises(SealBroken):
        sealed._replace(**changed).open(KEY, portrait.digest)


@pytest.mark.parametrize("at", [0, 11, 12, 500, -1])
def test_a_portrait_that_was_changed_is_not_opened(portrait, sealed, at):
    """Nonce, picture or tag; nor a truncated one."""
    image = bytearray(sealed.image)
    image[at] ^= 1

    for broken in (bytes(image), sealed.image[:at]):
        with pytest.raises(SealBroken):
            sealed._replace(image=broken).open(KEY, portrait.digest)


def test_a_portrait_is_not_opened_with_another_key(portrait, sealed):
    """Of the same holder, or of another."""
    for key in (HolderKey(HOLDER_ID, bytes(32)), HolderKey("holder-2", bytes(32))):
        with pytest.raises(SealBroken):
            sealed.open(key, portrait.digest)


def test_a_portrait_is_the_one_that_its_event_names(sealed):
    """A picture encrypted with the key for this place is refused if its digest is not the
    event's."""
    with pytest.raises(SealBroken, match="not the one that the event names"):
        sealed.open(KEY, Portrait.of(filled(PNG)).digest)


def test_a_portrait_is_not_opened_as_an_events_personal_part(sealed):
    """A ciphertext is bound to its purpose."""
    for place in [("7Q2M9K4T8XW5", "1"), ("7Q2M9K4T8XW5", "1", "permit.issued.v1")]:
        with pytest.raises(SealBroken):
            KEY.open(sealed.image, *place)
