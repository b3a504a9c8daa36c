"""Numbers as people type them, and refusals in words at the fields, in the page's language."""

import re
from itertools import count
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from domain import permit_number, printed_number
from domain.id_cards import receipt_number
from tests.web.browsers import DESK
from tests.web.people import Checker, IdCardCounter, Registrar

MODULE = """async () => {
    const page = document.querySelector("script[src$='verify.js']").src;
    return await import(page.replace("verify.js", "numbers.js"));
}"""
PROGRAMS = re.compile(
    r"holder\.|applicant\.|residence\.|body|Value error|Input should|pydantic|\b[a-z]+_[a-z_]+\b"
)
"""Names and phrases that are for programs."""
NUMBER = "84G7ZWYRD6Z" + printed_number.check_character("84G7ZWYRD6Z")


@pytest.fixture
def numbers(visitor):
    """``numbers("normalised", "84g7")``: what a function of the pages' module gives."""
    page = visitor().open("/verify")
    call = f"async ([name, given]) => (await ({MODULE})())[name](given)"
    return lambda name, given: page.evaluate(call, [name, given])


def test_the_pages_compute_the_domains_check_characters(numbers):
    """For numbers from the whole alphabet, and for each wrong character of one."""
    bits = count(1, 48_271_007)
    drawn = [permit_number.draw(lambda k: next(bits) ** 3 % 2**k) for _ in range(12)]
    receipts = [receipt_number.draw(lambda k: next(bits) ** 5 % 2**k) for _ in range(8)]

    for number in drawn + receipts:
        assert number[-1] == numbers("checkCharacter", number[:-1])
    assert [True] * 12 == [numbers("isPermitNumber", number) for number in drawn]
    assert [True] * 8 == [numbers("isReceiptNumber", number) for number in receipts]
    for place, wrong in ((0, "9"), (5, "A"), (10, "7"), (11, "4")):
        number = NUMBER[:place] + wrong + NUMBER[place + 1 :]
        assert permit_number.is_valid(number) == numbers("isPermitNumber", number)
    assert not numbers("isPermitNumber", NUMBER[:-1])
    assert not numbers("isPermitNumber", receipts[0])


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("84g7zwyrd6z1", "84G7ZWYRD6Z1"),
        (" 84G7 ZWYR\tD6Z1 ", "84G7ZWYRD6Z1"),
        ("84G7-ZWYR–D6Z1", "84G7ZWYRD6Z1"),
        ("84G7.ZWYR·D6Z1", "84G7ZWYRD6Z1"),
        ("８４Ｇ７　ＺＷＹＲ－Ｄ６Ｚ１", "84G7ZWYRD6Z1"),
        ("84G7ZWYRD6ZI", "84G7ZWYRD6Z1"),
        ("84G7ZWYRD6Zl", "84G7ZWYRD6Z1"),
        ("OoIiLl", "001111"),
        ("84G7\u200bZWYR\u00a0D6Z1", "84G7ZWYRD6Z1"),
        ("", ""),
        (" - ", ""),
    ],
)
def test_numbers_are_read_as_people_type_them(numbers, typed, expected):
    """O, I and L have only one reading in this alphabet."""
    assert expected == numbers("normalised", typed)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HTTP://127.0.0.1:8000/V/3ZQ8K5V0N1C7W2RXG4T9J6MEHA", "3ZQ8K5V0N1C7W2RXG4T9J6MEHA"),
        ("https://permits.example/v/3zq8k5v0n1c7w2rxg4t9j6meha", "3ZQ8K5V0N1C7W2RXG4T9J6MEHA"),
        ("3ZQ8K5V0N1C7W2RXG4T9J6MEHA", "3ZQ8K5V0N1C7W2RXG4T9J6MEHA"),
        (NUMBER, NUMBER),
        ("https://u.example/wifi-poster", None),
        ("https://u.example/v/3ZQ8K5V0N1C7W2RXG4T9J6MEHA/more", None),
        ("https://u.example/v/" + NUMBER, None),
        ("6901234567892", None),
        ("", None),
    ],
)
def test_the_browser_recognises_the_same_codes_as_the_service(numbers, text, expected):
    """`api.checks.decoding.is_ours` in the browser, for browsers that decode by themselves."""
    found = numbers("oursIn", text)

    assert expected == (found and next(iter(found.values())))


@pytest.mark.parametrize(
    "spelt",
    [
        str.lower,
        lambda n: f" {n[:4]}-{n[4:8]} {n[8:]} ",
        lambda n: n.replace("0", "O").replace("1", "l"),
    ],
    ids=["lower case", "in groups", "letters for digits"],
)
def test_a_card_is_found_however_its_number_is_typed(visitor, spelt):
    counter = Registrar(visitor(viewport=DESK))
    counter.issue()
    checker = Checker(visitor())
    checker.type_card(spelt(counter.number()), 1)

    assert ("effective", "Effective") == checker.verdict()


@pytest.mark.parametrize(
    ("language", "mistyped", "unknown"),
    [
        ("en", "Check for a typing mistake", "no such permit or card"),
        ("zh", "检查是否输错", "没有此居住证或此卡"),
    ],
)
def test_a_mistyped_number_is_distinguished_from_an_unknown_card(
    visitor, language, mistyped, unknown
):
    """Neither is effective."""
    checker = Checker(visitor(language=language))
    reason = checker.page.locator(".answer__told")

    checker.type_card(NUMBER, 1)
    expect(reason).to_contain_text(unknown)
    assert "not_effective" == checker.verdict()[0]
    for wrong in (
        NUMBER[:-1] + "UV"[NUMBER[-1] == "U"],
        NUMBER[:-1],
        "9" + NUMBER[1:],
        NUMBER + "0",
    ):
        checker.type_card(wrong, 1)
        expect(reason).to_contain_text(mistyped)
        assert "not_effective" == checker.verdict()[0]


def error_at(page: Page, field: str):
    """What is said at a field, which the field itself refers to."""
    box = page.locator(field)
    expect(box).to_have_attribute("aria-invalid", "true")
    said = page.locator(f"{field} + .field__error")
    assert said.get_attribute("id") in box.get_attribute("aria-describedby").split()
    return said


@pytest.mark.parametrize(("language", "words"), [("en", "Enter a number"), ("zh", "请输入号码")])
@pytest.mark.parametrize("typed", ["", "   "])
def test_an_empty_field_asks_for_a_number(visitor, language, words, typed):
    """On every page with a search by number; nothing is sent."""
    someone = visitor(language=language, viewport=DESK)
    asked = []
    counter = Registrar(someone).page
    cards = IdCardCounter(someone).page
    checker = Checker(someone).page
    checker.locator("#tab-card").click()
    audit = someone.open("/audit")
    audit.locator(".signin .button").click()
    for page, field, send in (
        (counter, "#citizen", "#find .button--wide >> nth=0"),
        (cards, "#receipt", "#find .button"),
        (checker, "#number", "#panel-card .button"),
        (audit, "#permit-number", "#find button:not(.button--quiet)"),
        (someone.open("/progress"), "#receipt", "#ask .button"),
    ):
        page.bring_to_front()
        page.on("request", lambda request: asked.append(request.method == "POST" and request.url))
        page.locator(field).fill(typed)
        page.locator(send).click()
        expect(error_at(page, field)).to_have_text(re.compile(words))
        page.locator(field).fill("1")
        expect(page.locator(f"{field} + .field__error")).to_have_count(0)
    assert not any(asked)


@pytest.mark.parametrize(
    "typed",
    ["990000 19900101 0017", "９９００００１９９００１０１００１７", "990000-19900101-0017"],
)
def test_the_counter_sends_what_was_typed(visitor, typed):
    """How a citizen ID number may be written is decided by the service."""
    counter = Registrar(visitor(viewport=DESK, tolerates="422"))
    counter.page.locator("#citizen").fill(typed)
    with counter.page.expect_request("**/v1/permits/searches") as asked:
        counter.page.locator("#find .button").first.click()

    assert {"citizen_id_number": typed} == asked.value.post_data_json


@pytest.mark.parametrize(("language", "words"), [("en", "Check each digit"), ("zh", "请逐位核对")])
def test_a_refused_search_is_reported_at_the_field(visitor, language, words):
    """It is not reported as a person without a permit."""
    counter = Registrar(visitor(language=language, viewport=DESK, tolerates="422"))
    counter.page.locator("#citizen").fill("99000019900101001\u0001")
    counter.page.locator("#find .button").first.click()

    expect(error_at(counter.page, "#citizen")).to_contain_text(words)
    expect(counter.page.locator("#problem")).not_to_contain_text(PROGRAMS)
    expect(counter.page.locator("#empty [role=status]")).to_have_count(0)


@pytest.mark.parametrize(
    ("language", "receipt", "permit"),
    [
        ("en", "receipt number is not valid", "permit number is not valid"),
        ("zh", "回执号有误", "居住证编号有误"),
    ],
)
def test_mistyped_receipt_and_permit_numbers_are_reported_as_such(
    visitor, language, receipt, permit
):
    """And not as unknown ones."""
    someone = visitor(language=language, viewport=DESK, tolerates="404")
    bits = count(10**6, 31_337)
    number = receipt_number.draw(lambda k: next(bits) ** 4 % 2**k)
    wrong = ("1" if number[0] != "1" else "2") + number[1:]
    page = someone.open("/progress")
    page.locator("#receipt").fill(wrong.lower())
    page.locator("#ask .button").click()
    expect(error_at(page, "#receipt")).to_contain_text(receipt)
    page.locator("#receipt").fill(f" {number[:4]}-{number[4:]}")
    page.locator("#ask .button").click()
    expect(page.locator("#last4 + .field__error")).to_be_visible()
    page.locator("#last4").fill("００1 7")
    page.locator("#ask .button").click()
    expect(page.locator("#problem .notice")).to_be_visible()
    expect(page.locator("#receipt + .field__error")).to_have_count(0)

    cards = IdCardCounter(someone).page
    cards.locator("#receipt").fill(wrong)
    cards.locator("#find .button").click()
    expect(error_at(cards, "#receipt")).to_contain_text(receipt)

    audit = someone.open("/audit")
    audit.locator(".signin .button").click()
    audit.locator("#permit-number").fill("9" + NUMBER[1:])
    audit.locator("#find button:not(.button--quiet)").click()
    expect(error_at(audit, "#permit-number")).to_contain_text(permit)


NAME = ("to 50 Chinese characters", "个汉字")
ADDRESS = ("without tabs", "不含制表符")
DIGITS = ("Check each digit", "请逐位核对")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    "wrong",
    [
        {
            "name": ("欧阳\t测试", NAME),
            "hukou_address": ("安徽省\t合肥市", ADDRESS),
            "address": ("滨湖区\t示例新村", ADDRESS),
        },
        {
            "name": ("Zhang", NAME),
            "birth_date": ("1950-01-01", None),
            "citizen_id_number": ("990000199001010018", DIGITS),
            "guardian_name": ("Zhang", NAME),
            "guardian_number": ("1", DIGITS),
        },
    ],
    ids=["tabs", "what can't be true"],
)
def test_every_field_says_what_is_wrong_with_it(visitor, language, wrong):
    """All at once, in the page's words and not in the service's words for programs."""
    counter = Registrar(visitor(language=language, viewport=DESK, tolerates="422"))
    counter.page.locator("#new").click()
    counter.page.locator("#made-up").click()
    counter.page.evaluate("document.querySelector('.guardian').open = true")
    for name, (value, _) in wrong.items():
        counter.page.locator(f"#f-{name}").fill(value)
    counter.page.locator("#issue .button:not(.button--quiet)").click()

    expect(counter.page.locator("#issue-problem .notice")).to_be_visible()
    expect(counter.page.locator("#issue [aria-invalid]").first).to_be_focused()
    for name, (_, words) in wrong.items():
        if words:
            said = error_at(counter.page, f"#f-{name}")
            expect(said).to_contain_text(words[language == "zh"])
    expect(counter.page.locator("#issue")).not_to_contain_text(PROGRAMS)


@pytest.mark.parametrize(
    ("language", "words"), [("en", "from 1900 until today"), ("zh", "1900 年至今日")]
)
def test_a_birth_date_of_another_century_is_refused_before_it_is_sent(visitor, language, words):
    """At both counters, in the page's language, whatever the browser's is."""
    someone = visitor(language=language, viewport=DESK)
    counter = Registrar(someone).page
    counter.locator("#new").click()
    counter.locator("#made-up").click()
    counter.locator("#f-birth_date").fill("1899-12-31")
    counter.locator("#issue .button:not(.button--quiet)").click()
    expect(error_at(counter, "#f-birth_date")).to_contain_text(words)

    cards = IdCardCounter(someone)
    cards.form()
    cards.page.locator("#f-birth_date").fill("2099-01-01")
    cards.page.locator("#panel-form .button--wide").click()
    expect(error_at(cards.page, "#f-birth_date")).to_contain_text(words)


def test_a_portrait_is_accepted_whatever_its_file_name(visitor, registrar, tmp_path: Path):
    """A PNG named as JPEG, with transparency and far too large, is accepted; a file that is no
    picture is refused at its field."""
    picture, nothing = tmp_path / "portrait.jpg", tmp_path / "portrait.png"
    noise = Image.effect_noise((1600, 2200), 90).convert("RGBA")
    noise.putalpha(128)
    noise.save(picture, "PNG")
    nothing.write_bytes(b"no picture")
    counter = Registrar(visitor(viewport=DESK))
    counter.page.locator("#new").click()
    counter.page.locator("#made-up").click()
    citizen = counter.page.locator("#f-citizen_id_number").input_value()
    counter.page.locator("#f-portrait").set_input_files(nothing)
    counter.page.locator("#issue .button:not(.button--quiet)").click()
    expect(error_at(counter.page, "#f-portrait")).to_contain_text("Choose a JPEG or PNG picture")
    counter.page.locator("#f-portrait").set_input_files(picture)
    counter.page.locator("#issue .button:not(.button--quiet)").click()
    expect(counter.track("physical")).to_be_visible()

    body = {"citizen_id_number": citizen}
    [permit] = registrar.post("/v1/permits/searches", body).json()["permits"]
    face = registrar.get(f"/v1/permits/{permit['permit_number']}/physical").json()
    assert face["portrait"].startswith("/9j/")


def test_an_unknown_refusal_names_its_reference(visitor):
    """The page shows no English text of the service, but the reference that an operator can find in
    the log."""
    page = visitor(language="zh").open("/verify")
    words = page.evaluate(
        """async () => {
            const page = document.querySelector("script[src$='verify.js']").src;
            const from = (name) => import(page.replace("verify.js", name));
            const [{ Problem }, { wordsOf }] = [await from("api.js"), await from("problems.js")];
            const headers = new Headers({ "x-correlation-id": "c0ffee-1" });
            const problem = (code, more = {}) =>
                wordsOf(new Problem(409, { code, detail: "in English", ...more }, headers));
            return [problem("BRAND_NEW"), problem("INTERNAL"),
                    problem("NOT_ELIGIBLE", { missing: ["ground", "brand_new"] })];
        }"""
    )

    assert all("in English" not in text and "brand" not in text.lower() for text in words)
    assert "c0ffee-1" in words[0]
    assert "c0ffee-1" in words[1]
    assert "就业" in words[2]
