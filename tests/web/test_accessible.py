"""Every page, in both languages and colour schemes: usable by all, and as wide as a phone."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.browsers import PHONE, required
from tests.web.people import Checker, Holder, IdCardCounter, Investigator, Registrar

AXE = Path(__file__).parents[2] / ".test-tools" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = {"serious", "critical"}
OPEN_ALL = "for (const one of document.querySelectorAll('details')) one.open = true"
WIDEST = """() => [...document.querySelectorAll("main *")]
    .filter((one) => one.getBoundingClientRect().right > innerWidth)
    .map((one) => one.outerHTML.slice(0, 160)).slice(-3)"""
STATES = (
    *("overview", "shown", "signed out", "counter", "form", "me", "claim", "verify", "answers"),
    *("change_address", "correct_identity", "void", "work list", "list"),
    *("loss", "audit", "stats", "card form", "card receipt", "card file", "progress"),
)


@pytest.fixture(scope="session")
def axe() -> str:
    required(AXE.is_file(), "axe-core")
    return AXE.read_text("utf-8")


@pytest.fixture
def states(visitor, settled, registrar, http):
    """``states("zh", "dark")``: the name of each state of each page, and the page in it."""

    def each(language, scheme):
        someone = visitor(language=language, scheme=scheme, viewport=PHONE)
        yield "overview", _overview(someone)
        yield "stats", _stats(someone)
        yield "shown", someone.open("/v/" + "0" * 26)
        for address in ("/me", "/verify", "/counter", "/audit"):
            page = someone.open(address)
            expect(page.locator(".signin")).to_be_visible()
            yield "signed out", page
            page.close()
        counter = Registrar(someone)
        citizen = counter.issue()
        number = counter.number()
        yield from _counter(counter)
        yield from _id_cards(someone)
        holder = Holder(someone, citizen)
        expect(holder.page.locator("#claim")).to_be_visible()
        yield "claim", holder.page
        holder.claim()
        code = holder.code()
        checker = Checker(someone)
        checker.scenario("law_enforcement")
        checker.page.locator("#ask-challenge").click()
        expect(checker.page.locator("#digits")).to_be_visible()
        yield "verify", checker.page
        checker.scenario("population_registration")
        yield "answers", checker.type_code(code)
        checker.verdict()
        yield "answers", checker.type_code(code)
        checker.verdict()
        checker.list(f"{number} 1", "84G7ZWYRD6Z0")
        yield "list", checker.page
        holder.page.bring_to_front()
        expect(holder.page.locator("#looked .look:has(.receipt)")).to_have_count(3)
        yield "me", holder.page
        investigator = Investigator(someone, number)
        expect(investigator.page.locator("#reads li").first).to_be_visible()
        investigator.page.evaluate(OPEN_ALL)
        yield "audit", investigator.page

    return each


def _counter(counter):
    """With a permit open."""
    yield "counter", counter.page
    for name in ("change_address", "correct_identity", "void"):
        counter.ask(name)
        yield name, counter.page
        counter.page.locator("#dialog-close").click()
    counter.ask("report_loss")
    yield "loss", counter.page
    counter.send()
    expect(counter.page.locator("[data-action=reissue]")).to_be_visible()
    yield "counter", counter.page
    counter.page.locator("#back").click()
    counter.page.locator("#tab-waiting_for_collection").click()
    expect(counter.page.locator("[data-permit]").first).to_be_visible()
    yield "work list", counter.page
    counter.page.locator("#new").click()
    yield "form", counter.page


def _id_cards(someone):
    cards = IdCardCounter(someone)
    cards.form()
    last4 = cards.page.locator("#f-citizen_id_number").input_value()[-4:]
    yield "card form", cards.page
    cards.tick("household_register", "study_proof", "without_photo", "commitment_signed")
    receipt = cards.accept()
    yield "card receipt", cards.page
    cards.open(receipt)
    for step in ("dispatches", "approvals", "productions", "arrivals"):
        cards.step(step)
    expect(cards.page.locator("[data-step=collections]")).to_be_visible()
    yield "card file", cards.page
    progress = someone.open(f"/progress#{receipt.replace(' ', '')}")
    progress.locator("#last4").fill(last4)
    progress.locator("#ask .button").click()
    expect(progress.locator("#found .step").first).to_be_visible()
    yield "progress", progress


def _overview(someone) -> Page:
    page = someone.open("/")
    expect(page.locator("#log-position")).not_to_have_text("–")
    return page


def _stats(someone) -> Page:
    """With all of its tables open."""
    page = someone.open("/stats")
    expect(page.locator("#figure-in_force")).not_to_have_text("–")
    expect(page.locator(".question__chart img").first).to_be_visible()
    page.evaluate(OPEN_ALL)
    expect(page.locator("#losses table")).to_be_visible()
    return page


@pytest.mark.parametrize(("language", "scheme"), [("en", "dark"), ("zh", "light")])
def test_axe_finds_nothing_serious_and_no_page_is_wider_than_a_phone(states, axe, language, scheme):
    """In every state of every page."""
    found, wide, seen = [], [], set()
    for name, page in states(language, scheme):
        page.bring_to_front()
        seen.add(name)
        page.evaluate(axe)
        violations = page.evaluate("async () => (await axe.run()).violations")
        found += [
            (name, one["id"], [node["html"][:160] for node in one["nodes"]][:3])
            for one in violations
            if one["impact"] in SERIOUS
        ]
        if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            wide.append((name, page.evaluate(WIDEST)))

    assert ([], []) == (found, wide)
    assert set(STATES) == seen


def test_the_answer_is_shown_by_shape_too(visitor, registrar):
    """Without colours, each kind of answer has a shape and a word of its own."""
    page = visitor().open("/verify")
    figures = page.evaluate(
        """async () => {
            const script = document.querySelector("script[src$='verify.js']").src;
            const { showAnswer, showFailure } = await import(script.replace(".js", "/answer.js"));
            const look = () => [document.querySelector(".answer__shape").firstChild.outerHTML,
                                document.querySelector(".answer__word").textContent];
            const tell = (more) => { showAnswer({ ...answer, ...more }); looks.push(look()); };
            const looks = [];
            const answer = { track: "physical", scenario: "entry_exit", as_of_position: 1,
                             checked_at: "2026-01-01T00:00:00Z", permit: { name: "某某" } };
            tell({ outcome: "effective", reason: null });
            tell({ outcome: "not_effective", reason: "ended" });
            tell({ outcome: "something new", reason: "ended" });
            showFailure({ told: "" }); looks.push(look());
            return looks;
        }"""
    )

    good, bad, unheard_of, unknown = map(tuple, figures)
    assert bad == unheard_of
    assert 3 == len({good[0], bad[0], unknown[0]}) == len({good[1], bad[1], unknown[1]})
