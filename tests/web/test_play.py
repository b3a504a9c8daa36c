"""End to end: counter, phone and checker, each in a browser, with a camera between the last two."""

from io import BytesIO

import pytest
import segno
from PIL import Image
from playwright.sync_api import expect

from tests.api.service import Caller
from tests.web.browsers import DESK, chromium, moving_picture
from tests.web.people import Checker, Holder, Registrar, photograph

GOOD = ("effective", "Effective")
BAD = ("not_effective", "Not effective")
NONE_OF_OURS = "not a code of this service"
DETECTOR = """globalThis.BarcodeDetector = class {
    static async getSupportedFormats() { return ["qr_code", "ean_13"]; }
    async detect() { return (globalThis.inPicture ?? []).map((rawValue) => ({ rawValue })); }
}"""
BROKEN_DETECTOR = """globalThis.BarcodeDetector = class {
    static async getSupportedFormats() { return ["qr_code"]; }
    async detect() { throw new DOMException("Barcode detection service unavailable."); }
}"""


@pytest.fixture(scope="module")
def camera_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    file.touch()
    return file


@pytest.fixture(scope="module")
def camera(playwright, camera_file):
    """A browser whose camera shows ``camera_file``."""
    with chromium(
        playwright,
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera_file}",
    ) as browser:
        yield browser


@pytest.fixture
def counter(visitor):
    return Registrar(visitor(viewport=DESK))


@pytest.fixture
def checker(visitor):
    return Checker(visitor(language="en"))


@pytest.fixture
def phone(visitor, counter):
    """The phone of a holder who has just got a permit and claimed it."""
    holder = Holder(visitor(), counter.issue())
    holder.claim()
    holder.code()
    return holder


def test_a_permit_is_issued_claimed_and_shown_to_a_camera(
    visitor, counter, camera, camera_file, service
):
    """The code goes from the phone's screen through the camera to the service; the name in the
    answer comes from the ledger, and the same code cannot be used again."""
    citizen = counter.issue()
    expect(counter.track("electronic")).to_contain_text("Not claimed")
    holder = Holder(visitor(), citizen)
    expect(holder.page.locator("#claim")).to_be_visible()
    holder.claim()
    shown = holder.code()
    expect(counter.track("electronic")).to_contain_text("Active")

    moving_picture(holder.photograph(), camera_file)
    checker = Checker(visitor(camera, permissions=["camera"]))
    answer = checker.scan()

    name = holder.page.locator(".face__name").inner_text()
    expect(answer.locator(".answer__name")).to_have_text(name)
    assert GOOD == checker.verdict()
    checker.type_code(shown)
    assert BAD == checker.verdict()


@pytest.fixture
def poster():
    """Of another service."""
    content = BytesIO()
    segno.make_qr("https://u.example/wifi-poster").save(content, kind="png", scale=8)
    return Image.open(content)


def test_of_several_codes_in_the_picture_the_phones_is_used(
    visitor, phone, poster, camera, camera_file
):
    """A poster's code is in the picture too; if there is no other, the page says so."""
    moving_picture(photograph(poster), camera_file)
    checker = Checker(visitor(camera, permissions=["camera"]))
    checker.page.locator("#camera").click()
    expect(checker.page.locator("#camera-state")).to_contain_text(NONE_OF_OURS)
    checker.page.locator("#camera").click()
    expect(checker.page.locator("#camera-state")).to_contain_text("off")

    phone.code()
    moving_picture(photograph(poster, phone.screen()), camera_file)
    checker.page.bring_to_front()
    checker.scan()
    assert GOOD == checker.verdict()


def test_a_browsers_own_detector_uses_the_phones_code(
    visitor, phone, counter, poster, camera, camera_file
):
    """Among all codes that it finds; a permit's number is put in the field for numbers."""
    moving_picture(photograph(poster), camera_file)
    someone = visitor(camera, permissions=["camera"])
    someone.context.add_init_script(DETECTOR)
    checker = Checker(someone)
    see = "(texts) => { globalThis.inPicture = texts; }"
    checker.page.locator("#camera").click()
    expect(checker.page.locator("#camera-state")).to_contain_text("No code found yet")
    checker.page.evaluate(see, ["https://u.example/wifi-poster", "6901234567892"])
    expect(checker.page.locator("#camera-state")).to_contain_text(NONE_OF_OURS)
    code = phone.code()
    checker.page.bring_to_front()
    checker.page.evaluate(see, ["https://u.example/wifi-poster", code])
    checker.page.locator("#answer[open]").wait_for()
    assert GOOD == checker.verdict()

    checker.page.evaluate(see, ["6901234567892", counter.number()])  # the used code is out of sight
    checker.page.locator("#camera").click()
    expect(checker.page.locator("#number")).to_have_value(counter.number())
    expect(checker.page.locator("#serial")).to_be_focused()


def test_the_service_decodes_if_the_browsers_detector_fails(visitor, phone, camera, camera_file):
    """Some browsers have one that always fails."""
    someone = visitor(camera, permissions=["camera"])
    someone.context.add_init_script(BROKEN_DETECTOR)
    checker = Checker(someone)
    phone.code()
    moving_picture(phone.photograph(), camera_file)
    checker.page.bring_to_front()
    checker.scan()
    assert GOOD == checker.verdict()


def test_a_used_code_is_replaced_and_the_holder_sees_the_check(phone, checker):
    """Without a reload; refused checks are shown too."""
    first = phone.code()
    checker.type_code(first)
    assert GOOD == checker.verdict()
    second = phone.code_other_than(first)
    checks = phone.page.locator("#looked .look:has(.receipt)")
    expect(checks).to_have_count(1)
    expect(checks.first).to_contain_text("Patrol inspection")
    expect(checks.first).to_contain_text("name, portrait, validity")
    expect(phone.page.locator("#looked [data-device]")).to_contain_text("A phone was added")

    checker.type_code(first)
    assert BAD == checker.verdict()
    expect(checks).to_have_count(2)
    checker.type_code(phone.code_other_than(second))
    assert GOOD == checker.verdict()


def test_a_screenshot_of_a_code_expires_after_half_a_minute(phone, checker, pass_seconds):
    """By the service's clock."""
    screenshot = phone.code()

    pass_seconds(31)
    checker.type_code(screenshot)

    expect(checker.page.locator(".answer__told")).to_contain_text("used, has expired or was copied")
    assert BAD == checker.verdict()


def test_a_lost_card_leaves_the_phone_effective_and_a_new_one_is_shown_at_once(
    counter, phone, checker
):
    """The counter shows both tracks side by side; the phone shows the new serial without a
    reload."""
    number = counter.number()
    counter.page.bring_to_front()
    counter.report_loss()
    expect(counter.track("physical")).to_contain_text("Reported lost")
    expect(counter.track("physical")).to_contain_text("Not effective")
    expect(counter.track("electronic")).not_to_contain_text("Not effective")
    checker.type_card(number, 1)
    assert BAD == checker.verdict()
    checker.type_code(phone.code())
    assert GOOD == checker.verdict()
    phone.page.evaluate("window.isTheSamePage = true")

    counter.page.bring_to_front()
    counter.act("reissue")

    expect(counter.serial("physical")).to_have_text("2")
    expect(counter.serial("electronic")).to_have_text("2")
    expect(phone.page.locator("[data-serial]")).to_have_text("2")
    assert phone.page.evaluate("window.isTheSamePage")
    checker.type_card(number, 1)
    assert BAD == checker.verdict()
    checker.type_card(number, 2)
    assert GOOD == checker.verdict()


def test_a_challenge_is_answered_by_the_phone(phone, checker):
    """An ordinary code is not enough after a challenge; the code that answers it is."""
    checker.scenario("law_enforcement")
    checker.page.locator("#ask-challenge").click()
    digits = checker.page.locator("#digits").inner_text()
    before = phone.code()
    phone.page.locator(".challenge summary").click()
    phone.page.locator("#challenge-digits").fill(digits)
    phone.page.locator(".challenge .button").click()

    checker.page.bring_to_front()
    checker.type_code(phone.code_other_than(before))

    assert GOOD == checker.verdict()
    expect(checker.page.locator("#digits")).to_have_count(0)


def test_a_removed_phone_shows_nothing(phone):
    """It may be claimed for again, with another key."""
    phone.page.locator("#revoke").click()
    phone.page.locator("#revoke-yes").click()

    expect(phone.page.locator("#claim")).to_be_visible()
    expect(phone.page.locator("#qr")).to_have_count(0)
    phone.claim()
    assert phone.code()


def test_a_second_phone_is_announced_on_the_first_and_removed_there(visitor, counter):
    """While the page is open; a thief with the holder's account does not stay unseen."""
    citizen = counter.issue()
    first = Holder(visitor(), citizen)
    first.claim()
    first.code()
    news = first.page.locator("#devices-news")
    expect(news).to_be_empty()

    thief = Holder(visitor(tolerates="401"), citizen)
    thief.claim()
    thief.code()
    first.page.bring_to_front()
    expect(news).to_contain_text("Another phone was added")
    news.get_by_role("button", name="Remove that phone").click()
    news.get_by_role("button", name="Yes, remove it").click()

    expect(news).to_be_empty()
    expect(first.page.locator(".devices-count")).to_contain_text("1")
    thief.page.bring_to_front()
    expect(thief.page.locator("#claim")).to_be_visible()


def test_the_key_of_a_phone_cannot_be_read(phone):
    """Not even by the page: WebCrypto keeps it."""
    held = phone.page.evaluate(
        """async () => {
            const got = (request) =>
                new Promise((done) => { request.onsuccess = () => done(request.result); });
            const database = await got(indexedDB.open("permit-ledger", 1));
            const [keys] = await got(
                database.transaction("devices").objectStore("devices").getAll());
            const { extractable, usages } = keys.privateKey;
            const exported = crypto.subtle.exportKey("jwk", keys.privateKey);
            const outcome = await exported.catch((error) => error.name);
            return { extractable, usages, outcome, kept: Object.keys(localStorage).length };
        }"""
    )

    assert {
        "extractable": False,
        "usages": ["sign"],
        "outcome": "InvalidAccessError",
        "kept": 0,
    } == held


def test_an_ordinary_camera_learns_nothing_and_a_checker_can_use_the_code(phone, checker):
    """The page is the same for every code; the code is in the fragment, which is sent to no
    server."""
    page = checker.page
    page.goto(phone.code())
    stranger = page.locator("main").inner_text()
    page.locator("#carry").click()
    page.locator("#carried").click()
    page.locator("#answer[open]").wait_for()
    assert GOOD == checker.verdict()

    page.goto("/v/" + "0" * 26)
    assert stranger == page.locator("main").inner_text()


def test_without_an_answer_the_check_is_undetermined(visitor, counter):
    """If the service is unreachable, the screen says so in amber."""
    checker = Checker(visitor())
    checker.page.route("**/v1/verifications", lambda route: route.abort())
    checker.type_code("0" * 26)

    assert checker.visitor.complaints.pop().endswith("net::ERR_FAILED")
    assert ("undetermined", "Undetermined") == checker.verdict()


def test_a_loss_is_recorded_for_the_day_that_the_holder_names(visitor, registrar, http):
    """A day before the card was issued is refused with a message, and nothing is recorded."""
    someone = visitor(viewport=DESK)
    counter = Registrar(someone)
    counter.issue()
    number = counter.number()
    issued_on = registrar.get(f"/v1/permits/{number}").json()["anchor"]
    counter.report_loss("2000-01-01")
    expect(counter.page.get_by_text("between the day of issue and today")).to_be_visible()
    expect(counter.track("physical")).not_to_contain_text("Reported lost")
    assert "422" in someone.complaints.pop()

    counter.report_loss(issued_on)

    expect(counter.track("physical")).to_contain_text("Reported lost")
    investigator = Caller.with_token(http, "investigator", case="2026-DP-17")
    event = investigator.get(f"/v1/audit/permits/{number}/events").json()["events"][-1]
    assert issued_on == event["facts"]["lost_on"]
