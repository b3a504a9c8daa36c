"""Devices whose clocks are wrong: no decision depends on them."""

from datetime import date

import pytest
from playwright.sync_api import expect

from tests.web.browsers import DESK
from tests.web.people import Checker, Holder, IdCardCounter, Investigator, Registrar

HOUR_S, DAY_S = 3600, 86_400
SHIFTED = """(() => {
    const Real = Date;
    globalThis.Date = class extends Real {
        constructor(...given) { given.length ? super(...given) : super(Real.now() + %(ms)d); }
        static now() { return Real.now() + %(ms)d; }
    };
})()"""
FORGED = """(role) => {
    const name = `permit-ledger.token.${role}`;
    const [header, claims] = sessionStorage.getItem(name).split(".");
    sessionStorage.setItem(name, `${header}.${claims}.${"A".repeat(86)}`);
}"""


@pytest.fixture
def wrong(visitor):
    """``wrong(-3600)``: a visitor whose device is an hour slow."""

    def make(seconds, **options):
        someone = visitor(**options)
        someone.context.add_init_script(SHIFTED % {"ms": seconds * 1000})
        return someone

    return make


@pytest.mark.parametrize(
    "off_s",
    [9 * HOUR_S, -9 * HOUR_S, 366 * DAY_S, -366 * DAY_S],
    ids=["9 h ahead", "9 h behind", "a year ahead", "a year behind"],
)
def test_every_page_works_with_a_wrong_device_clock(wrong, off_s):
    """Sign-in, the proofs of a phone's key, the life of a code, the counter's and the
    investigator's pages, also after a reload."""
    desk = wrong(off_s, viewport=DESK)
    counter = Registrar(desk)
    phone = Holder(wrong(off_s), counter.issue())
    phone.claim()
    first = phone.code()
    expect(phone.page.locator("#seconds")).to_contain_text("s left")
    phone.page.reload()
    phone.code_other_than(first)

    checker = Checker(wrong(off_s))
    checker.scenario("law_enforcement")
    checker.page.locator("#ask-challenge").click()
    expect(checker.page.locator("#challenge-left")).to_contain_text("s left")
    checker.scenario("patrol_inspection")
    checker.type_code(phone.code())
    assert ("effective", "Effective") == checker.verdict()

    counter.page.reload()
    expect(counter.page.locator("#find")).to_be_visible()
    investigator = Investigator(desk, _number(phone))
    expect(investigator.status("physical")).to_have_text("Issued")


def _number(phone):
    return phone.page.locator(".face__foot .code").inner_text()


def test_the_phone_shows_the_ledgers_time(wrong, visitor, http):
    """Beside a live code, and not the device's."""
    counter = Registrar(visitor(viewport=DESK))
    phone = Holder(wrong(9 * HOUR_S), counter.issue())
    phone.claim()
    phone.code()

    hour, minute, _ = phone.page.locator("#clock").inner_text().split(":")
    now = http.get("/v1/dev/clock").json()["now"]
    seen = int(hour) * 60 + int(minute)
    utc = int(now[11:13]) * 60 + int(now[14:16])
    assert (seen - utc - 8 * 60) % (24 * 60) in {0, 24 * 60 - 1}


def test_a_childs_age_is_computed_for_the_services_day(wrong, http):
    """The applicant is sixteen tomorrow by the ledger, and long since by the device."""
    now = http.get("/v1/dev/clock").json()["now"]
    today = date.fromisoformat(now[:10])
    counter = IdCardCounter(wrong(4 * 366 * DAY_S, viewport=DESK))
    counter.form()
    counter.page.locator("#f-birth_date").fill(
        today.replace(day=1, year=today.year - 14).isoformat()
    )

    expect(counter.page.locator("#child")).to_be_visible()


def test_a_corrected_device_clock_costs_one_retry(wrong, visitor):
    """The page reads the service's time again from the response that refuses the proof."""
    counter = Registrar(visitor(viewport=DESK))
    someone = visitor(tolerates="401")
    phone = Holder(someone, counter.issue())
    phone.claim()
    first = phone.code()
    phone.page.evaluate(SHIFTED % {"ms": -5 * HOUR_S * 1000})
    phone.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    phone.code_other_than(first)
    expect(phone.page.locator("#claim")).to_have_count(0)


@pytest.mark.parametrize(
    ("role", "address"),
    [
        ("holder", "/me"),
        ("registrar", "/counter/id-cards"),
        ("registrar", "/counter"),
        ("verifier", "/verify"),
        ("investigator", "/audit"),
    ],
)
def test_a_signed_out_user_is_asked_to_sign_in(visitor, role, address):
    """The page says so in words, and never confuses it with another error."""
    someone = visitor(viewport=DESK, tolerates="401")
    if role == "holder":
        counter = Registrar(someone)
        page = Holder(someone, counter.issue()).page
        expect(page.locator("#claim")).to_be_visible()
    else:
        page = someone.open(address)
        page.locator(".signin .button").click()
        expect(page.locator(".signin")).to_have_count(0)
    page.evaluate(FORGED, role)
    page.reload()
    if address == "/counter":
        page.locator("#citizen").fill("990000199001010017")
        page.locator("#find .button").first.click()
    if address == "/verify":
        Checker.type_card(_Signed(page), "84G7ZWYRD6Z1", 1)
        page.locator("#again").click()
    expect(page.locator("#problem")).to_contain_text("your sign-in has expired")
    page.locator("[data-action=sign-in-again]").click()

    expect(page.locator(".signin")).to_be_visible()


class _Signed(Checker):
    """A checker who is in already."""

    def __init__(self, page):
        self.page = page
