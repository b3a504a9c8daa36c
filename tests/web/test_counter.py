"""The counter: the work list, changes of a permit, its end, and the receipts."""

import re

import pytest
from playwright.sync_api import expect

from domain import printed_number
from tests.api.service import Caller
from tests.web.browsers import DESK
from tests.web.people import Checker, Registrar

STATION = "320211-07"
"""Whose permits are this module's alone."""
UNKNOWN = "84G7ZWYRD6Z" + printed_number.check_character("84G7ZWYRD6Z")


@pytest.fixture
def counter(visitor):
    return Registrar(visitor(viewport=DESK))


@pytest.fixture
def events(http):
    """``events("84G7ZWYRD6Z1")``: the events of a permit."""
    investigator = Caller.with_token(http, "investigator", case="2026-I-1")
    return lambda number: investigator.get(f"/v1/audit/permits/{number}/events").json()["events"]


def test_only_what_the_permits_state_allows_is_offered(counter):
    """And what has been done, is offered no more."""
    counter.issue()
    offered = counter.page.locator("#actions [data-action]")
    expect(offered).to_have_count(7)
    expect(counter.page.locator("[data-action=endorse]")).to_have_count(0)
    counter.act("deliver_card")
    expect(counter.page.locator("#happened")).to_contain_text("handed over")
    expect(counter.page.locator("[data-action=deliver_card]")).to_have_count(0)
    counter.report_loss()
    expect(counter.page.locator("[data-action=reissue]")).to_be_visible()
    expect(counter.page.locator("[data-action=replace]")).to_have_count(0)


def test_a_move_and_a_correction_are_recorded_as_they_were_typed(counter, events):
    """Of a correction only what was changed; the card in use is out of date from then on."""
    counter.issue()
    number = counter.number()
    counter.ask("change_address")
    counter.page.locator("#d-division").select_option("other")
    counter.page.locator("#d-other_division").fill("320508")
    counter.page.locator("#d-address").fill("平江路99号")
    counter.send()
    expect(counter.track("physical")).to_contain_text("平江路99号")
    counter.ask("correct_identity")
    counter.send()
    expect(counter.page.locator("#d-name + .field__error")).to_contain_text("at least one")
    counter.page.locator("#d-name").fill("欧阳改名")
    counter.send()
    expect(counter.track("physical")).to_contain_text("欧阳改名")
    expect(counter.track("physical")).to_contain_text("Not effective")

    _, moved, corrected = events(number)
    assert "320508" == moved["facts"]["residence"]["division"]
    facts = {name: value for name, value in corrected["facts"].items() if value is not None}
    assert {"name": "欧阳改名", "outdates_card": True} == facts


def test_a_counter_that_connects_again_reads_nothing_again(counter, registrar):
    """Its stream ends every ten minutes: reads that no person has asked for would keep a session
    alive without end."""
    counter.issue()
    number, asked = counter.number(), []
    live = f"/v1/permits/{number}/live"
    with registrar.http.stream("GET", live, headers=registrar.headers) as answer:
        state = next(line for line in answer.iter_lines() if line.startswith("data: "))
    body = f"event: permit\n{state}\n\nevent: end\ndata: {{}}\n\n"
    counter.page.route(
        f"**{live}", lambda route: route.fulfill(body=body, content_type="text/event-stream")
    )
    counter.page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    with counter.page.expect_response(lambda answer: answer.url.endswith("/physical")):
        counter.find(number)
    for _ in range(3):
        with counter.page.expect_request(f"**{live}"):
            pass

    assert 1 == asked.count("physical")
    assert asked.count("live") > 2


def test_what_the_service_refuses_is_marked_and_what_was_typed_stays(visitor, events):
    """At its field, in the open form."""
    counter = Registrar(visitor(viewport=DESK, tolerates="422"))
    counter.issue()
    counter.ask("correct_identity")
    counter.page.locator("#d-citizen_id_number").fill("990000199001010018")
    counter.page.locator("#d-hukou_address").fill("安徽省芜湖市测试路2号")
    counter.send()
    expect(counter.page.locator("#d-citizen_id_number")).to_have_attribute("aria-invalid", "true")
    expect(counter.page.locator("#d-hukou_address")).to_have_value("安徽省芜湖市测试路2号")
    assert 1 == len(events(counter.number()))


def test_a_form_survives_a_sign_in_that_has_expired(visitor, events):
    """It is there again after the next sign-in, and sent once."""
    counter = Registrar(visitor(viewport=DESK, tolerates="401"))
    counter.issue()
    number = counter.number()
    counter.page.route(
        "**/address-changes",
        lambda route: route.fulfill(
            status=401, content_type="application/problem+json", body='{"code": "UNAUTHENTICATED"}'
        ),
        times=1,
    )
    counter.ask("change_address")
    counter.page.locator("#d-address").fill("蠡湖大道7号")
    counter.send()
    counter.page.locator("#dialog [data-action=sign-in-again]").click()
    counter.page.locator(".signin .button").click()
    expect(counter.page.locator("#d-address")).to_have_value("蠡湖大道7号")
    expect(counter.page.locator("#dialog-problem")).to_contain_text("was not recorded")
    counter.send()
    expect(counter.track("physical")).to_contain_text("蠡湖大道7号")

    assert ["permit.issued.v1", "permit.address-changed.v1"] == [e["type"] for e in events(number)]


@pytest.mark.parametrize(("name", "event"), [("cancel", "cancelled"), ("void", "voided")])
def test_an_end_takes_a_second_look(counter, events, name, event):
    """Which says whose permit it is, and asks for its number; without it nothing is sent."""
    counter.issue()
    number, holder = counter.number(), counter.page.locator(".face__name").first.inner_text()
    counter.ask(name)
    look = counter.page.locator("#dialog .notice--bad")
    expect(look).to_contain_text(number)
    expect(look).to_contain_text(holder)
    expect(look).to_contain_text("can't be undone")
    if name == "void":
        counter.page.locator("#d-finding").fill("冒用他人材料")
    counter.page.locator("#d-confirmed").fill("0000")
    counter.send()
    expect(counter.page.locator("#d-confirmed + .field__error")).to_contain_text("does not match")
    assert 1 == len(events(number))

    counter.confirm()

    expect(counter.track("electronic")).to_contain_text("Ended")
    expect(counter.page.locator("#actions [data-action]")).to_have_count(0)
    assert f"permit.{event}.v1" == events(number)[-1]["type"]


def test_a_permit_is_found_by_its_number_too(visitor, counter):
    """However it is typed; a mistyped one is told from an unknown one, and neither is searched."""
    counter.issue()
    number = counter.number()
    asked = []
    other = Registrar(visitor(viewport=DESK, tolerates="404"))
    other.page.on("request", lambda request: asked.append(request.url))
    wide = "".join(chr(ord(c) + 0xFEE0) for c in number)
    for typed in (number.lower(), f" {number[:4]}-{number[4:8]} {number[8:]}", wide):
        other.find(typed)
        expect(other.page.locator(".summary__number")).to_have_text(number)
    other.page.locator("#citizen").fill(number[:-1] + "UV"[number[-1] == "U"])
    other.page.locator("#find .button").first.click()
    expect(other.page.locator("#citizen + .field__error")).to_contain_text("typing mistake")
    other.page.locator("#citizen").fill(UNKNOWN)
    other.page.locator("#find .button").first.click()
    expect(other.page.locator("#empty")).to_contain_text("No permit under this number")
    assert not [url for url in asked if url.endswith("/searches")]


def test_a_childs_application_asks_for_a_guardian(counter):
    """As soon as the birth date is there."""
    counter.page.locator("#new").click()
    expect(counter.page.locator("#f-guardian_name")).to_be_hidden()
    counter.page.locator("#f-birth_date").fill("2020-05-05")
    expect(counter.page.locator("#f-guardian_name")).to_be_visible()
    expect(counter.page.locator("#guardian-hint")).to_be_visible()


def test_the_work_list_has_counts_and_pages_and_opens_a_permit(visitor, http, application):
    """An act takes a permit out of its list."""
    officer = Caller.with_token(http, "registrar", station=STATION)
    for _ in range(23):
        assert 201 == officer.post("/v1/permits", application()).status_code
    someone = visitor(viewport=DESK)
    token = officer.headers["Authorization"].removeprefix("Bearer ")
    someone.context.add_init_script(
        f"sessionStorage.setItem('permit-ledger.token.registrar', '{token}')"
    )
    page = someone.open("/counter")
    page.locator("#tab-waiting_for_collection").click()
    expect(page.locator("#count-waiting_for_collection")).to_have_text("23")
    expect(page.locator("#count-overdue")).to_have_text("0")
    rows = page.locator("[data-permit]")
    expect(rows).to_have_count(20)
    page.locator("#work-more").click()
    expect(rows).to_have_count(23)
    number = rows.last.get_attribute("data-permit")
    rows.last.click()
    expect(page.locator(".summary__number")).to_have_text(number)
    page.locator("[data-action=deliver_card]").click()
    expect(page.locator("#happened")).to_contain_text("handed over")
    page.locator("#back").click()

    expect(page.locator("#count-waiting_for_collection")).to_have_text("22")
    expect(page.locator(f"[data-permit='{number}']")).to_have_count(0)


def test_a_receipt_is_printed_without_the_person(counter, events):
    """What, when, where, which permit and which entry; the page around it is not printed."""
    citizen = counter.issue()
    number, holder = counter.number(), counter.page.locator(".face__name").first.inner_text()
    counter.ask("replace")
    counter.send()
    expect(counter.serial("physical")).to_have_text("2")
    page = counter.page
    page.evaluate("window.print = () => { window.printed = true; }")
    page.locator("#happened [data-action=print]").first.click()
    page.emulate_media(media="print")
    slip = page.locator("#slip")

    assert page.evaluate("window.printed")
    expect(slip).to_be_visible()
    for around in ("header.bar", "#counter", "footer.foot"):
        expect(page.locator(around)).to_be_hidden()
    words = slip.inner_text()
    last = events(number)[-1]
    for said in (number, "320211-01", "Replace card", "¥20", str(last["position"])):
        assert said in words, said
    assert not re.search(f"{holder}|{citizen}", words)
    page.emulate_media(media="screen")
    expect(slip).to_be_hidden()


def test_a_list_of_cards_is_checked_at_once(visitor, counter):
    """Each line gets its answer; the account sees its checks below."""
    counter.issue()
    number = counter.number()
    checker = Checker(visitor())
    checker.list(f"{number[:4]} {number[4:8]} {number[8:]} 1", f"{number}，2", "84G7ZWYRD6Z0")
    rows = checker.page.locator("#batch-rows tr")
    kinds = [rows.nth(n).get_attribute("data-kind") for n in range(3)]
    assert ["effective", "not_effective", "not_effective"] == kinds
    expect(rows.nth(0)).to_contain_text("until")
    expect(rows.nth(2)).to_contain_text("typing mistake")
    expect(checker.page.locator("#batch-summary")).to_contain_text(
        "Effective: 1. Not effective: 2."
    )
    expect(checker.page.locator("#own-checks li")).not_to_have_count(0)
    expect(checker.page.locator("#own-checks li").nth(1)).to_contain_text(number)

    checker.page.locator("#batch-lines").fill(f"{number} 1\n\n{number} first")
    checker.page.locator("#batch-send").click()
    expect(checker.page.locator("#batch-lines + .field__error")).to_contain_text("Line 3")
