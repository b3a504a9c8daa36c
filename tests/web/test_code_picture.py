"""The live code as a camera needs it: its quiet zone, on every screen and on paper."""

from io import BytesIO

import pytest
import zxingcpp
from PIL import Image

from tests.web.browsers import DESK, PHONE
from tests.web.people import Holder, Registrar

QUIET_MODULES, MODULE_PX_MIN = 4, 6
DARK, WHITE = 100, 250
PLACE = """() => {
    const svg = document.querySelector("#qr svg");
    const { left, top, width } = svg.getBoundingClientRect();
    return { left: left + scrollX, top: top + scrollY, width,
             module: width / svg.viewBox.baseVal.width };
}"""


@pytest.fixture
def citizen(visitor):
    return Registrar(visitor(viewport=DESK)).issue()


def screen(page) -> Image.Image:
    return Image.open(BytesIO(page.screenshot(full_page=True))).convert("L")


def quiet_zone(picture: Image.Image, code: dict[str, float]) -> int:
    """The darkest pixel within four modules of the code, as a shade of grey."""
    left, top, width = (round(code[name]) for name in ("left", "top", "width"))
    sheet = picture.crop((left, top, left + width, top + width))
    dark = sheet.point(lambda value: 255 if value < DARK else 0).getbbox()
    assert dark
    dark = (left + dark[0], top + dark[1], left + dark[2], top + dark[3])
    wide = int(QUIET_MODULES * code["module"]) - 1  # less the pixel that an edge may share
    around = picture.crop((dark[0] - wide, dark[1] - wide, dark[2] + wide, dark[3] + wide))
    around.paste(255, (wide - 1, wide - 1, around.width - wide + 1, around.height - wide + 1))
    return int(around.getextrema()[0])


@pytest.mark.parametrize(
    ("scheme", "forced"),
    [("light", None), ("dark", None), ("light", "active"), ("dark", "active")],
)
def test_four_modules_around_the_code_are_white(visitor, citizen, scheme, forced):
    """ISO/IEC 18004, at 360 px: in both schemes, and where colours are forced."""
    someone = visitor(scheme=scheme, viewport=PHONE, forced_colors=forced)
    holder = Holder(someone, citizen)
    holder.claim()
    shown = holder.code()
    code = holder.page.evaluate(PLACE)
    picture = screen(holder.page)

    assert quiet_zone(picture, code) >= WHITE
    assert code["module"] >= MODULE_PX_MIN
    assert [shown] == [found.text for found in zxingcpp.read_barcodes(picture)]


def test_the_code_is_whole_on_paper(visitor, citizen):
    """Printed from a dark screen, without backgrounds."""
    holder = Holder(visitor(scheme="dark", viewport=PHONE), citizen)
    holder.claim()
    shown = holder.code()
    holder.page.emulate_media(media="print", color_scheme="dark")
    code = holder.page.evaluate(PLACE)
    picture = screen(holder.page)

    assert quiet_zone(picture, code) >= WHITE
    assert shown in {found.text for found in zxingcpp.read_barcodes(picture)}
