"""Portraits: a complete JPEG or PNG of at most 64 KiB, returned byte by byte."""

import base64
import hashlib
import struct
import zlib

import pytest

SIZE_BYTES_MAX = 64 * 1024


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(size_bytes=0):
    """One grey pixel; with a comment that fills it up to a size."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    image = chunk(b"IDAT", zlib.compress(b"\x00\x80"))
    start, end = b"\x89PNG\r\n\x1a\n" + header, image + chunk(b"IEND", b"")
    room = size_bytes - len(start) - len(end) - 12
    return start + (chunk(b"tEXt", b"x" * room) if room >= 0 else b"") + end


JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")
GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"


def text(image):
    return base64.b64encode(image).decode()


@pytest.fixture
def apply(registrar, application):
    """``apply(portrait)``: the response to an application with this portrait."""

    def post(portrait):
        body = application()
        body["holder"]["portrait"] = portrait
        return registrar.post("/v1/permits", body)

    return post


@pytest.mark.parametrize("image", [png(), JPEG, png(SIZE_BYTES_MAX)], ids=["png", "jpeg", "64 KiB"])
def test_a_portrait_is_returned_unchanged(apply, read, check, image):
    """On both tracks and in a check, from the ledger."""
    answer = apply(text(image))

    assert 201 == answer.status_code
    permit = answer.json()
    assert text(image) == read(permit, "/physical")["portrait"]
    assert text(image) == read(permit, "/electronic")["portrait"]
    assert text(image) == check(permit["permit_number"])["permit"]["portrait"]


def test_a_portrait_is_kept_through_every_change(apply, act, read):
    """A new name or a new card does not change the picture."""
    number = apply(text(JPEG)).json()["permit_number"]
    act(number, "identity-corrections", name="欧阳更正")

    permit = act(number, "replacements", reason="details_changed", old_card_returned=True)

    assert text(JPEG) == read(permit, "/physical")["portrait"]
    assert text(JPEG) == read(permit, "/electronic")["portrait"]


def test_the_log_holds_only_the_digest(service, apply):
    """SHA-256, in the event's encrypted part; the picture is stored beside the log, encrypted as
    well."""
    permit = apply(text(png())).json()

    identity = service.event(permit["as_of_position"])["identity"]
    assert hashlib.sha256(png()).hexdigest() == identity["portrait"]
    [(stored,)] = service.rows(
        "SELECT image FROM ledger.portraits WHERE stream = %s", permit["permit_number"]
    )
    assert len(png()) < len(stored)
    assert png()[:16] not in stored


def test_without_a_portrait_the_field_is_null(issue, read):
    """On both tracks."""
    permit = issue()

    assert read(permit, "/physical")["portrait"] is None
    assert read(permit, "/electronic")["portrait"] is None


def test_an_invalid_portrait_is_refused(subtests, apply):
    """Too large, another format, truncated, or not base64; it is not repeated."""
    for portrait in [
        text(png(SIZE_BYTES_MAX + 1)),
        text(png(SIZE_BYTES_MAX * 2)),
        text(GIF),
        text(png()[:-1]),
        text(JPEG[:-1]),
        text(b"\x00" + png()),
        text(b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        "",
        "=",
        "not base64!",
        text(png())[:-1],
        text(png()) + "\n",
        "data:image/png;base64," + text(png()),
        base64.urlsafe_b64encode(png() + b"\xff\xef\xbe").decode(),
        "头像",
        "\u0000",
        7,
        [text(png())],
    ]:
        with subtests.test(portrait=portrait):
            answer = apply(portrait)

            assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])
            assert len(answer.text) < 1000
