"""A screen reader announces what is new, once, and no countdown."""

import pytest
from playwright.sync_api import expect

from tests.waiting import until
from tests.web.browsers import DESK
from tests.web.people import Checker, Holder, IdCardCounter, Registrar

LISTEN = """() => {
    const live = "[aria-live]:not([aria-live=off]), [role=status], [role=alert]";
    globalThis.said = [];
    const note = (changes) => {
        for (const { target } of changes) {
            const element = target.nodeType === Node.TEXT_NODE ? target.parentElement : target;
            const region = element?.closest(live);
            if (region) said.push(`${region.id || region.className}: ${region.textContent}`);
        }
    };
    new MutationObserver(note).observe(document.body,
        { subtree: true, childList: true, characterData: true });
}"""
SAID = "() => [...said]"
HALF_A_MINUTE_MS = 30_000
WAIT_S = 30


@pytest.fixture
def ticking(visitor):
    """A browser whose timers can be advanced, and whose connection can be broken."""
    someone = visitor(viewport=DESK, tolerates="net::ERR_FAILED")
    someone.context.clock.install()
    return someone


def test_a_challenge_is_announced_at_its_start_near_its_end_and_at_its_end(ticking):
    """Its seconds are shown, but not announced."""
    checker = Checker(ticking)
    checker.scenario("law_enforcement")
    checker.page.evaluate(LISTEN)
    checker.page.locator("#ask-challenge").click()
    digits = checker.page.locator("#digits").inner_text()
    life_s = int(checker.page.locator("#challenge").get_attribute("data-life-s"))
    left = checker.page.locator("#challenge-left")
    expect(left).to_contain_text("s left")
    for _ in range(life_s + 2):
        ticking.context.clock.run_for(1000)
    expect(checker.page.locator("#challenge")).to_contain_text("has expired")

    said = checker.page.evaluate(SAID)
    begun, near, over = [text for text in said if text.rpartition(": ")[2]]
    assert digits in begun
    assert f"{life_s} seconds" in begun
    assert near.endswith(("10 s left", "9 s left"))
    assert "has expired" in over


def test_a_renewed_live_code_is_not_announced(ticking):
    """Nor are its seconds, the time of day, or that the connection still stands."""
    counter = Registrar(ticking)
    phone = Holder(ticking, counter.issue())
    phone.claim()
    first = phone.code()
    expect(phone.page.locator("#live")).to_have_text("Live")
    phone.page.evaluate(LISTEN)
    ticking.context.clock.run_for(HALF_A_MINUTE_MS)
    phone.code_other_than(first)
    ticking.context.clock.run_for(HALF_A_MINUTE_MS)

    assert [] == phone.page.evaluate(SAID)


@pytest.mark.parametrize("address", ["/", "/stats"])
def test_changing_figures_are_not_announced(ticking, registrar, address):
    """A reader can still move to them."""
    page = ticking.open(address)
    expect(page.locator("#live")).to_have_text("Live")
    page.evaluate(LISTEN)
    before = page.locator("main").inner_text()
    Registrar(ticking).issue()
    page.bring_to_front()
    if address == "/":
        expect(page.locator("main")).not_to_have_text(before)
    ticking.context.clock.run_for(HALF_A_MINUTE_MS)

    assert [] == page.evaluate(SAID)


def test_a_broken_connection_is_announced_once(ticking):
    """However often the page retries."""
    counter = Registrar(ticking)
    phone = Holder(ticking, counter.issue())
    phone.claim()
    phone.code()
    phone.page.route("**/display-codes", lambda route: route.abort())
    phone.page.evaluate(LISTEN)
    for _ in range(12):
        ticking.context.clock.run_for(HALF_A_MINUTE_MS // 10)
    expect(phone.page.locator("#code-state")).to_contain_text("cannot be reached")

    said = [text for text in phone.page.evaluate(SAID) if text.startswith("code-state")]
    assert 1 == len(said)


def test_work_lists_are_announced_when_they_change(visitor):
    """Through an officer's action, and not by themselves."""
    counter = IdCardCounter(visitor(viewport=DESK))
    counter.form()
    counter.tick("household_register", "employment_proof", "commitment_signed")
    counter.open(counter.accept())
    counter.page.evaluate(LISTEN)
    counter.step("dispatches")

    def said():
        return {text.partition(":")[0] for text in counter.page.evaluate(SAID)}

    until(lambda: "lists" in said() and "opened" in said(), wait_s=WAIT_S)
    assert {"lists", "opened"} == said()
