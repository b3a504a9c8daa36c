"""Pictures of codes: decoded by the service for browsers that cannot."""

import struct
import zlib
from io import BytesIO

import pytest
import segno
import zxingcpp
from PIL import Image, ImageOps

from api.pictures.messages import is_ours
from domain import printed_number
from tests.api import hostile_pictures as pictures

PATH = "/v1/verifications/frames"
TEXT = "HTTP://127.0.0.1:8000/V/3ZQ8K5V0N1C7W2RXG4T9J6MEHA"
POSTER = "https://u.example/wifi-poster"
ORIENTATION = 0x0112
ADAM7 = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
PERMIT = "84G7ZWYRD6Z" + printed_number.check_character("84G7ZWYRD6Z")


def picture(text, form="PNG", size=(640, 480)):
    """A camera picture of a person holding up a code."""
    code = BytesIO()
    segno.make_qr(text).save(code, kind="png", scale=6)
    sheet = Image.new("RGB", size, (120, 118, 110))
    sheet.paste(Image.open(code).convert("RGB"), (150, 60))
    return encoded(sheet.rotate(7, fillcolor=(120, 118, 110)), form)


def encoded(image, form="PNG", **more):
    content = BytesIO()
    image.save(content, form, **more)
    return content.getvalue()


def qr(text, scale=4):
    """Black on white, with its quiet zone."""
    code = BytesIO()
    segno.make_qr(text).save(code, kind="png", scale=scale)
    return Image.open(code).convert("L")


def other(name, text, scale=3):
    """A code of another symbology."""
    return Image.fromarray(
        zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat[name]).to_image(scale=scale)
    )


def beside(*codes):
    """Codes on one white sheet, from left to right."""
    width = sum(code.width for code in codes) + 20 * len(codes)
    sheet = Image.new("L", (width, max(code.height for code in codes)), 255)
    left = 0
    for code in codes:
        sheet.paste(code, (left, 0))
        left += code.width + 20
    return sheet


def inked(paper=(0, 0, 0), ink=(0, 0, 0)):
    """A code in one colour, on paper that can't be seen through the channel of transparency."""
    dark = ImageOps.invert(qr(TEXT))
    sheet = Image.new("RGB", dark.size, paper)
    sheet.paste(ink, mask=dark)
    sheet.putalpha(dark)
    return sheet


def two_shades(mode, ink, paper):
    """A code whose shades are the values named."""
    code = qr(TEXT)
    sheet = Image.new(mode, code.size)
    sheet.putdata([paper if value else ink for value in code.get_flattened_data()])
    return sheet


def palette():
    """Both entries black; one of them can't be seen."""
    sheet = two_shades("P", 0, 1)
    sheet.putpalette([0, 0, 0, 0, 0, 0])
    return sheet


def interlaced(grey):
    """The same as a PNG whose pixels come in seven passes (Adam7), which Pillow reads but does not
    write."""
    rows = b""
    for left, top, across, down in ADAM7:
        for y in range(top, grey.height, down):
            line = grey.crop((0, y, grey.width, y + 1)).tobytes()[left::across]
            rows += b"\0" + line if line else b""
    header = struct.pack(">IIBBBBB", *grey.size, 8, 0, 0, 0, 1)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def turned(orientation):
    """A JPEG of a camera that was held in another way, which its EXIF says."""
    image, exif = qr(TEXT), Image.Exif()
    image.getexif()[ORIENTATION] = exif[ORIENTATION] = orientation
    return encoded(ImageOps.exif_transpose(image), "JPEG", exif=exif)


def animated(*stills):
    return encoded(stills[0], save_all=True, append_images=stills[1:])


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_code_in_a_picture_is_read(verifier, form):
    """Held at an angle."""
    answer = verifier.send(PATH, picture(TEXT, form), content_type=f"image/{form.lower()}")

    assert (200, {"text": TEXT}) == (answer.status_code, answer.json())


def test_a_picture_without_a_code_has_no_text(verifier):
    """The checker's page then sends the next one."""
    answer = verifier.send(PATH, encoded(Image.new("L", (64, 64), 90)), content_type="image/png")

    assert (200, {"text": None}) == (answer.status_code, answer.json())


BLANK = Image.new("L", (220, 220), 255)


def test_of_several_codes_the_permits_is_returned(subtests, verifier):
    """Posters, parcels and tickets are in the picture as well."""
    for sheet in [
        beside(qr(POSTER), qr(TEXT)),
        beside(qr(TEXT), qr(POSTER)),
        beside(qr(POSTER), qr(TEXT.lower()), qr("WIFI:S:cafe;;")),
        beside(*[qr(POSTER, 2)] * 5, qr(TEXT, 3), *[qr("A" * 600, 2)] * 2),
        beside(other("EAN13", "6901234567892"), qr(TEXT)),
        beside(other("Code128", "PARCEL 1"), other("DataMatrix", "M 1"), qr(TEXT)),
        beside(other("PDF417", "BOARDING PASS"), other("Aztec", "TICKET"), qr(TEXT)),
        beside(qr(POSTER), qr(TEXT)).rotate(90, expand=True),
        ImageOps.invert(beside(qr(POSTER), qr(TEXT))),
    ]:
        with subtests.test(sheet=sheet):
            answer = verifier.send(PATH, encoded(sheet), content_type="image/png")

            assert (200, TEXT) == (answer.status_code, answer.json()["text"].upper())


@pytest.mark.parametrize("name", ["QRCode", "DataMatrix", "Code128"])
def test_a_permit_number_is_returned_from_any_code(verifier, name):
    """As on a card or a form."""
    sheet = beside(qr(POSTER), other(name, PERMIT))
    answer = verifier.send(PATH, encoded(sheet), content_type="image/png")

    assert {"text": PERMIT} == answer.json()


def test_of_two_live_codes_one_is_returned(verifier):
    """Only the check decides which of them is live."""
    second = TEXT[:-1] + "B"
    answer = verifier.send(PATH, encoded(beside(qr(TEXT), qr(second))), content_type="image/png")

    assert answer.json()["text"] in {TEXT, second}


@pytest.mark.parametrize(
    "code",
    [qr(POSTER), qr("A" * 600), other("EAN13", "6901234567892"), other("DataMatrix", "M 1")],
    ids=["another QR code", "a long one", "a product", "data matrix"],
)
def test_a_code_of_another_service_is_distinguished_from_no_code(verifier, code):
    """Its content is not returned."""
    answer = verifier.send(PATH, encoded(beside(code, BLANK)), content_type="image/png")

    assert (200, {"text": None, "other_code": True}) == (answer.status_code, answer.json())


def test_a_code_is_recognised_by_its_form(subtests):
    """The check decides whether it is live."""
    for text, expected in [
        (TEXT, True),
        (TEXT.lower(), True),
        (TEXT.replace("HTTP", "HTTPS"), True),
        (TEXT.rpartition("/")[2], True),
        (PERMIT, True),
        (PERMIT.lower(), True),
        (PERMIT[:-1] + ("0" if PERMIT[-1] != "0" else "1"), False),
        (TEXT[:-1], False),
        (TEXT + "0", False),
        (TEXT + "/", False),
        (TEXT + "?next=https://u.example", False),
        (TEXT.replace("/V/", "/W/"), False),
        (TEXT[:-1] + "U", False),
        (TEXT[:-1] + "\N{LATIN SMALL LETTER LONG S}", False),
        ("javascript:" + TEXT, False),
        (TEXT + "\n", False),
        ("", False),
    ]:
        with subtests.test(text=text, expected=expected):
            assert expected == is_ours(text)


def test_a_code_is_read_in_every_picture_format(subtests, verifier):
    """All colour modes of PNG and JPEG."""
    names = [
        *("transparent", "white, transparent", "white ink on nothing", "grey with alpha"),
        *("palette, one index", "palette, each index", "grey, one shade", "one colour"),
        *("16 bits", "16 bits, dim", "1 bit", "inverted", "interlaced"),
        *("animated", "animated, the second still", "CMYK", "progressive"),
        *(f"EXIF {orientation}" for orientation in range(1, 9)),
    ]
    pictures = [
        (encoded(inked()), "PNG"),
        (encoded(inked(paper=(255, 255, 255))), "PNG"),
        (encoded(inked(ink=(255, 255, 255), paper=(255, 255, 255))), "PNG"),
        (encoded(inked().convert("LA")), "PNG"),
        (encoded(palette(), transparency=1), "PNG"),
        (encoded(palette(), transparency=b"\xff\x00"), "PNG"),
        (encoded(two_shades("L", 0, 7), transparency=7), "PNG"),
        (encoded(two_shades("L", 0, 7).convert("RGB"), transparency=(7, 7, 7)), "PNG"),
        (encoded(two_shades("I;16", 20_000, 60_000)), "PNG"),
        (encoded(two_shades("I;16", 20, 200)), "PNG"),
        (encoded(qr(TEXT).convert("1")), "PNG"),
        (encoded(ImageOps.invert(qr(TEXT))), "PNG"),
        (interlaced(qr(TEXT)), "PNG"),
        (animated(qr(TEXT), BLANK.resize(qr(TEXT).size)), "PNG"),
        (animated(BLANK.resize(qr(TEXT).size), qr(TEXT)), "PNG"),
        (encoded(qr(TEXT).convert("RGB").convert("CMYK"), "JPEG"), "JPEG"),
        (encoded(qr(TEXT), "JPEG", progressive=True), "JPEG"),
        *((turned(orientation), "JPEG") for orientation in range(1, 9)),
    ]
    for name, (content, form) in zip(names, pictures, strict=True):
        with subtests.test(name):
            answer = verifier.send(PATH, content, content_type=f"image/{form.lower()}")

            assert (200, {"text": TEXT}) == (answer.status_code, answer.json())


def test_of_an_animation_only_a_few_frames_are_decoded(verifier):
    """However many it has."""
    blank = [BLANK.resize(qr(TEXT).size).point(lambda _, n=n: 255 - n) for n in range(9)]
    answer = verifier.send(PATH, animated(*blank, qr(TEXT)), content_type="image/png")

    assert (200, {"text": None}) == (answer.status_code, answer.json())


TINY = encoded(Image.new("L", (8, 8)))


def test_an_invalid_or_oversized_picture_is_422(subtests, verifier):
    """Never a 500, and nothing too large is decompressed."""
    names = [
        *("empty", "nonsense", "cut off", "another form", "webp", "json", "no png", "no jpeg"),
        *("a bomb", "too many pixels"),
    ]
    bodies = [
        (b"", "image/png"),
        (b"nonsense", "image/png"),
        (TINY[:40], "image/png"),
        (TINY, "image/jpeg"),
        (TINY, "image/webp"),
        (TINY, "application/json"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 500, "image/png"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 500, "image/jpeg"),
        (encoded(Image.new("1", (20_000, 20_000))), "image/png"),
        (encoded(Image.new("1", (2001, 2000))), "image/png"),
    ]
    for name, (content, media_type) in zip(names, bodies, strict=True):
        with subtests.test(name):
            answer = verifier.send(PATH, content, content_type=media_type)

            assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])


def test_a_picture_has_its_own_size_limit(verifier):
    """512 KiB; the other bodies have 256."""
    noise = Image.effect_noise((700, 600), 80)
    content = encoded(noise)
    assert 256 * 1024 < len(content) < 512 * 1024
    assert 200 == verifier.send(PATH, content, content_type="image/png").status_code

    answer = verifier.send(PATH, content + b"\0" * 512 * 1024, content_type="image/png")
    assert (413, "TOO_LARGE") == (answer.status_code, answer.json()["code"])


def test_too_many_concurrent_pictures_of_one_account_get_429(verifier, together):
    """A limited number of them waits."""
    content = picture(TEXT)

    answers = together(
        32, lambda _: verifier.send(PATH, content, content_type="image/png").status_code
    )

    assert {200, 429} == set(answers)


@pytest.mark.parametrize("size", [(600, 600), (2000, 2000)])
def test_a_picture_of_many_scans_is_refused_at_once(verifier, size):
    """A few kilobytes that would take a processor for seconds."""
    content = pictures.many_scans(2000, size)
    answer = verifier.send(PATH, content, content_type="image/jpeg")

    assert len(content) < 64 * 1024
    assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])
    assert "32 scans" in answer.json()["detail"]
    assert answer.elapsed.total_seconds() < 2


def test_a_picture_of_as_many_scans_as_cameras_write_is_read(verifier):
    """Progressive, with a code in it."""
    content = picture(TEXT, "JPEG")
    progressive = encoded(Image.open(BytesIO(content)), "JPEG", progressive=True)
    answer = verifier.send(PATH, progressive, content_type="image/jpeg")

    assert TEXT == answer.json()["text"]


def test_a_picture_of_too_many_pixels_is_refused_before_they_are_decoded(verifier):
    """By its header."""
    answer = verifier.send(PATH, pictures.bomb(), content_type="image/png")

    assert (422, True) == (answer.status_code, "pixels" in answer.json()["detail"])
