"""Portraits: a complete JPEG or PNG of at most 64 KiB, of which nothing but the pixels is kept."""

import base64
import hashlib
import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image, ImageChops

from tests.api import hostile_pictures as pictures

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


JPEG = pictures.face()
PIXEL = pictures.encoded(Image.new("L", (1, 1), 128), "PNG")
"""What :func:`png` is, whatever comments it has."""
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


@pytest.mark.parametrize("image", [png(), png(SIZE_BYTES_MAX)], ids=["png", "64 KiB"])
def test_a_portrait_is_the_same_everywhere(apply, read, check, image):
    """On both tracks and in a check, from the ledger."""
    answer = apply(text(image))

    assert 201 == answer.status_code
    permit = answer.json()
    assert text(PIXEL) == read(permit, "/physical")["portrait"]
    assert text(PIXEL) == read(permit, "/electronic")["portrait"]
    assert text(PIXEL) == check(permit["permit_number"])["permit"]["portrait"]


@pytest.fixture
def kept(apply, read):
    """``kept(image)``: the bytes that the service has of a portrait."""

    def kept(image):
        answer = apply(text(image))
        assert 201 == answer.status_code, answer.text
        return base64.b64decode(read(answer.json(), "/physical")["portrait"])

    return kept


SIZE = (120, 150)
FORMS = {
    "JPEG": pictures.face(),
    "progressive": pictures.face(progressive=True, quality=95),
    "grey": pictures.encoded(Image.radial_gradient("L").resize(SIZE), "JPEG"),
    "CMYK": pictures.encoded(Image.radial_gradient("L").resize(SIZE).convert("CMYK"), "JPEG"),
    "PNG": pictures.face("PNG"),
    "palette": pictures.encoded(Image.radial_gradient("L").resize(SIZE).convert("P"), "PNG"),
    "1 bit": pictures.encoded(Image.radial_gradient("L").resize(SIZE).convert("1"), "PNG"),
    "transparent": pictures.encoded(Image.radial_gradient("L").resize(SIZE).convert("RGBA"), "PNG"),
    "16 bits": pictures.encoded(
        Image.radial_gradient("L")
        .resize(SIZE)
        .convert("I")
        .point(lambda v: v * 257)
        .convert("I;16"),
        "PNG",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_picture_stays_the_same_to_the_eye(kept, form):
    """Its size, and each pixel up to what a JPEG loses, in every mode."""
    image = kept(FORMS[form])
    before = Image.open(BytesIO(FORMS["1 bit" if form == "1 bit" else "PNG"])).convert("L")
    after = Image.open(BytesIO(image))

    assert (SIZE, {}) == (after.size, dict(after.getexif()))
    difference = ImageChops.difference(before, after.convert("L"))
    assert max(difference.getextrema()) < 24


def test_a_portrait_near_the_limit_is_accepted(kept):
    """However well its own encoder had packed it: what would be too large is encoded again less
    finely."""
    noise = Image.effect_noise((300, 210), 60)
    images = [
        pictures.encoded(noise, "PNG", optimize=True),
        pictures.encoded(Image.effect_noise((325, 325), 60), "JPEG", quality=85, progressive=True),
    ]
    for image in images:
        assert SIZE_BYTES_MAX * 0.8 < len(image) <= SIZE_BYTES_MAX
        assert len(kept(image)) <= SIZE_BYTES_MAX


PARTS_OF_A_JPEG = {0xD8, 0xE0, 0xDB, 0xC0, 0xC4, 0xDA}
ZIP = b"PK\x03\x04" + bytes(26) + b"PK\x05\x06" + bytes(18)
MORE_THAN_A_PICTURE = {
    "place": pictures.with_place(),
    "place in a PNG": pictures.with_place("PNG"),
    "script": pictures.with_comment(),
    "script in a PNG": pictures.png_with(b"tEXt", b"Comment\0" + pictures.SCRIPT),
    "packed text": pictures.png_with(b"zTXt", b"Comment\0\0" + zlib.compress(pictures.SCRIPT)),
    "private chunk": pictures.png_with(b"prVt", pictures.SCRIPT),
    "tables": pictures.with_tables(),
    "profile": pictures.face(icc_profile=b"profile" + pictures.SCRIPT * 20),
    "profile in a PNG": pictures.face("PNG", icc_profile=b"profile" + pictures.SCRIPT * 20),
    "zip after it": pictures.ended_twice("JPEG", ZIP),
    "zip after a PNG": pictures.ended_twice("PNG", ZIP),
    "page after it": pictures.ended_twice("JPEG", b"<html>" + pictures.SCRIPT),
}


def parts_of(image):
    """Of a JPEG the markers up to its pixels, of a PNG the chunks."""
    found, at = [], 2
    if image.startswith(b"\x89PNG"):
        at = 8
        while at < len(image):
            found.append(image[at + 4 : at + 8])
            at += 12 + int.from_bytes(image[at : at + 4])
        return found, at
    while not found or found[-1] != 0xDA:
        assert 0xFF == image[at]
        found.append(image[at + 1])
        at += 2 + int.from_bytes(image[at + 2 : at + 4])
    return found, image.index(b"\xff\xd9", at) + 2


@pytest.mark.parametrize("name", MORE_THAN_A_PICTURE)
def test_nothing_but_the_pixels_is_kept(kept, name):
    """No position, camera, comment, profile or second file; and nothing after the picture."""
    image = kept(MORE_THAN_A_PICTURE[name])
    found, end = parts_of(image)

    assert set(found) <= ({b"IHDR", b"IDAT", b"IEND"} | PARTS_OF_A_JPEG)
    assert end == len(image)
    for trace in (b"Secret Camera", b"script", b"Exif", b"PK\x03\x04", b"<html>", b"ICC", b"iCCP"):
        assert trace not in image


def test_a_camera_that_was_held_upright_is_seen_to_have_been(kept):
    """The orientation is applied before the note of it is dropped."""
    assert (150, 120) == Image.open(BytesIO(kept(pictures.with_place()))).size


def test_the_same_portrait_gives_the_same_bytes(registrar, application, read):
    """A retry with the same key and body gets the first answer; another picture does not."""
    body = application()
    body["holder"]["portrait"] = text(pictures.with_place())
    first, again = (
        registrar.post("/v1/permits", body, idempotency_key="portrait-1") for _ in range(2)
    )
    body["holder"]["portrait"] = text(pictures.with_comment())
    other = registrar.post("/v1/permits", body, idempotency_key="portrait-1")

    assert (201, 201, 422) == (first.status_code, again.status_code, other.status_code)
    assert first.content == again.content
    assert again.headers["idempotency-replayed"] == "true"
    assert "IDEMPOTENCY_KEY_REUSED" == other.json()["code"]


def test_a_portrait_that_costs_too_much_is_refused(apply):
    """Many scans, or more pixels than are decoded; at its field, and at once."""
    for image in (pictures.many_scans(1000), pictures.bomb()):
        assert len(image) <= SIZE_BYTES_MAX
        answer = apply(text(image))

        assert 422 == answer.status_code
        assert ["holder.portrait"] == [line["field"] for line in answer.json()["errors"]]
        assert answer.elapsed.total_seconds() < 2


def test_a_portrait_is_kept_through_every_change(apply, act, read):
    """A new name or a new card does not change the picture."""
    issued = apply(text(JPEG)).json()
    number, picture = issued["permit_number"], read(issued, "/physical")["portrait"]
    act(number, "identity-corrections", name="欧阳更正")

    permit = act(number, "replacements", reason="details_changed", old_card_returned=True)

    assert picture == read(permit, "/physical")["portrait"]
    assert picture == read(permit, "/electronic")["portrait"]


def test_the_log_holds_only_the_digest(service, apply):
    """SHA-256 of what is kept, in the event's encrypted part; the picture is stored beside the log,
    encrypted as well."""
    permit = apply(text(png())).json()

    identity = service.event(permit["as_of_position"])["identity"]
    assert hashlib.sha256(PIXEL).hexdigest() == identity["portrait"]
    [(stored,)] = service.rows(
        "SELECT image FROM ledger.portraits WHERE stream = %s", permit["permit_number"]
    )
    assert len(PIXEL) < len(stored)
    assert PIXEL[:16] not in stored


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
        text(JPEG[:400] + JPEG[-2:]),
        text(JPEG[:20] + JPEG[-2:]),
        text(bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")),
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
