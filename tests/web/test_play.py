"""The whole play: counter, phone and checker, each in a browser, with a camera between the last."""

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
    """Of somebody who has just got a permit and claimed it."""
    holder = Holder(visitor(), counter.issue())
    holder.claim()
    holder.code()
    return holder


def test_a_permit_is_issued_claimed_and_shown_to_a_camera(
    visitor, counter, camera, camera_file, service
):
    """The code goes from the phone's screen through the camera to the service and back; the name
    comes from the ledger, and the same code is dead afterwards."""
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


def test_of_several_codes_before_the_camera_the_phones_is_taken(
    visitor, phone, poster, camera, camera_file
):
    """A poster's code is in the picture too, and where there is no other, it is said so."""
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


def test_a_browser_that_decodes_by_itself_takes_the_phones_code(
    visitor, phone, counter, poster, camera, camera_file
):
    """Among all that it finds; a permit's number it puts where numbers are typed."""
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

    checker.page.locator("#camera").click()
    checker.page.evaluate(see, ["6901234567892", counter.number()])
    expect(checker.page.locator("#number")).to_have_value(counter.number())
    expect(checker.page.locator("#serial")).to_be_focused()


def test_where_a_browsers_detector_does_not_work_the_service_decodes(
    visitor, phone, camera, camera_file
):
    """Some have one that always fails."""
    someone = visitor(camera, permissions=["camera"])
    someone.context.add_init_script(BROKEN_DETECTOR)
    checker = Checker(someone)
    phone.code()
    moving_picture(phone.photograph(), camera_file)
    checker.page.bring_to_front()
    checker.scan()
    assert GOOD == checker.verdict()


def test_a_used_code_is_replaced_on_the_phone_and_the_holder_sees_who_looked(phone, checker):
    """Without a reload, refused checks too."""
    first = phone.code()
    checker.type_code(first)
    assert GOOD == checker.verdict()
    second = phone.code_other_than(first)
    expect(phone.page.locator(".look")).to_have_count(1)
    expect(phone.page.locator(".look").first).to_contain_text("Patrol inspection")
    expect(phone.page.locator(".look").first).to_contain_text("name, portrait, validity")

    checker.type_code(first)
    assert BAD == checker.verdict()
    expect(phone.page.locator(".look")).to_have_count(2)
    checker.type_code(phone.code_other_than(second))
    assert GOOD == checker.verdict()


def test_a_screenshot_is_worth_nothing_after_half_a_minute(phone, checker, pass_seconds):
    """By the service's clock."""
    screenshot = phone.code()

    pass_seconds(31)
    checker.type_code(screenshot)

    expect(checker.page.locator(".answer__told")).to_contain_text("used, has expired or was copied")
    assert BAD == checker.verdict()


def test_a_lost_card_leaves_the_phone_effective_and_a_new_one_shows_at_once(
    counter, phone, checker
):
    """Both tracks beside each other at the counter; the phone shows the new serial by itself."""
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
    """An ordinary code is not enough where the checker has asked; the answering one is."""
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


def test_a_phone_that_is_removed_shows_nothing(phone):
    """And may be claimed for again, with another key."""
    phone.page.locator("#revoke").click()
    phone.page.locator("#revoke-yes").click()

    expect(phone.page.locator("#claim")).to_be_visible()
    expect(phone.page.locator("#qr")).to_have_count(0)
    phone.claim()
    assert phone.code()


def test_the_key_of_a_phone_cannot_be_read(phone):
    """Not by the page either: WebCrypto keeps it."""
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


def test_a_strangers_camera_is_told_nothing_and_a_checker_carries_the_code_on(phone, checker):
    """The same page for every code; the code travels behind a "#", which reaches no server."""
    page = checker.page
    page.goto(phone.code())
    stranger = page.locator("main").inner_text()
    page.locator("#carry").click()
    page.locator("#carried").click()
    page.locator("#answer[open]").wait_for()
    assert GOOD == checker.verdict()

    page.goto("/v/" + "0" * 26)
    assert stranger == page.locator("main").inner_text()


def test_no_answer_is_never_good(visitor, counter):
    """Where the service can't be reached, the screen says so in amber."""
    checker = Checker(visitor())
    checker.page.route("**/v1/verifications", lambda route: route.abort())
    checker.type_code("0" * 26)

    assert checker.visitor.complaints.pop().endswith("net::ERR_FAILED")
    assert ("undetermined", "Undetermined") == checker.verdict()


def test_a_card_is_missing_since_the_day_that_its_holder_names(visitor, registrar, http):
    """And not since a day before it was there: the counter is told so, and nothing happens."""
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
    told = investigator.get(f"/v1/audit/permits/{number}/events").json()["events"][-1]
    assert issued_on == told["facts"]["lost_on"]
