"""Pictures of codes: read by the service where a browser can't."""

from io import BytesIO

import pytest
import segno
from PIL import Image

PATH = "/v1/verifications/frames"
TEXT = "HTTP://127.0.0.1:8000/V/3ZQ8K5V0N1C7W2RXG4T9J6MEHA"


def picture(text, form="PNG", size=(640, 480)):
    """A camera's picture of somebody who holds up a code."""
    code = BytesIO()
    segno.make_qr(text).save(code, kind="png", scale=6)
    sheet = Image.new("RGB", size, (120, 118, 110))
    sheet.paste(Image.open(code).convert("RGB"), (150, 60))
    return encoded(sheet.rotate(7, fillcolor=(120, 118, 110)), form)


def encoded(image, form="PNG"):
    content = BytesIO()
    image.save(content, form)
    return content.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_code_in_a_picture_is_read(verifier, form):
    """Held at a slant."""
    answer = verifier.send(PATH, picture(TEXT, form), content_type=f"image/{form.lower()}")

    assert (200, {"text": TEXT}) == (answer.status_code, answer.json())


def test_a_picture_without_a_code_has_no_text(verifier):
    """The checker's page sends the next one."""
    answer = verifier.send(PATH, encoded(Image.new("L", (64, 64), 90)), content_type="image/png")

    assert (200, {"text": None}) == (answer.status_code, answer.json())


def test_a_text_that_is_too_long_for_a_code_of_ours_is_not_passed_on(verifier):
    """It is nobody's code."""
    answer = verifier.send(PATH, picture("A" * 600, size=(1400, 1400)), content_type="image/png")

    assert {"text": None} == answer.json()


TINY = encoded(Image.new("L", (8, 8)))


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
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
    ],
    ids=[
        *("empty", "nonsense", "cut off", "another form", "webp", "json", "no png", "no jpeg"),
        *("a bomb", "too many pixels"),
    ],
)
def test_what_is_no_picture_of_a_bounded_size_is_422(verifier, content, media_type):
    """Never a 500, and nothing is unpacked that is too large."""
    answer = verifier.send(PATH, content, content_type=media_type)

    assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])


def test_a_picture_has_a_bound_of_its_own(verifier):
    """512 KiB; the other bodies have 256."""
    noise = Image.effect_noise((700, 600), 80)
    content = encoded(noise)
    assert 256 * 1024 < len(content) < 512 * 1024
    assert 200 == verifier.send(PATH, content, content_type="image/png").status_code

    answer = verifier.send(PATH, content + b"\0" * 512 * 1024, content_type="image/png")
    assert (413, "TOO_LARGE") == (answer.status_code, answer.json()["code"])


def test_many_pictures_at_once_are_read_or_put_off(verifier, together):
    """A bounded number waits; the others are told to come back."""
    content = picture(TEXT)

    answers = together(
        32, lambda _: verifier.send(PATH, content, content_type="image/png").status_code
    )

    assert 200 in answers
    assert set(answers) <= {200, 503}
