"""The counter for identity cards and an applicant with a receipt, each in a browser."""

import pytest
from playwright.sync_api import expect

from tests.web.browsers import DESK, PHONE
from tests.web.people import IdCardCounter

PAPERS = ("household_register", "employment_proof", "commitment_signed")


@pytest.fixture
def counter(visitor):
    return IdCardCounter(visitor(viewport=DESK, language="en", tolerates="409 (Conflict)"))


def test_missing_papers_are_listed_while_the_form_is_filled_in(counter):
    """Line by line, as the papers are ticked; advice is not listed as missing."""
    counter.form()
    expect(counter.lines("missing")).to_have_count(3)
    counter.tick("household_register")
    expect(counter.lines("missing")).to_have_count(2)
    expect(counter.lines("there")).to_have_count(1)
    counter.tick("study_proof", "without_photo")
    expect(counter.lines("advice")).to_have_count(1)
    counter.tick("ever_held_id_card")
    expect(counter.lines("bad")).to_have_count(1)


def test_the_form_of_a_child_requires_a_guardian(counter):
    """As soon as the birth date is entered; a proof of employment does not count for a child."""
    counter.form()
    counter.page.locator("#f-birth_date").fill("2020-01-01")
    expect(counter.page.locator("#child")).to_be_visible()
    counter.tick("employment_proof", "household_register", "relation_unregistered")
    expect(counter.lines("missing")).to_have_count(6)
    counter.page.locator("#f-birth_date").fill("1990-01-01")
    expect(counter.page.locator("#child")).to_be_hidden()


def test_the_service_names_everything_that_is_missing(counter):
    """When the form is submitted incomplete."""
    counter.form()
    counter.page.locator("#panel-form .button--wide").click()
    problem = counter.page.locator("#form-problem")
    for missing in ("household register", "employment, study or residence", "commitment"):
        expect(problem).to_contain_text(missing)


def test_an_application_is_followed_to_collection_on_a_phone(counter, visitor):
    """In the language of the phone's owner; nothing on it identifies the applicant."""
    counter.form()
    name = counter.page.locator("#f-name").input_value()
    last4 = counter.page.locator("#f-citizen_id_number").input_value()[-4:]
    counter.tick(*PAPERS)
    receipt = counter.accept()
    counter.open(receipt)
    expect(counter.page.locator("#opened")).to_contain_text(name)
    for step in ("dispatches", "approvals", "productions", "arrivals"):
        counter.step(step)
    row = counter.page.locator("[data-list=waiting_for_collection] .case[aria-current=true]")
    expect(row).to_be_visible()

    phone = visitor(viewport=PHONE, language="zh", tolerates="404").open("/progress")
    phone.locator("#receipt").fill(receipt.lower())
    phone.locator("#last4").fill("000x")
    phone.locator("#ask .button").click()
    expect(phone.locator("#problem")).to_contain_text("回执号与号码后四位不符")
    phone.locator("#last4").fill(last4)
    phone.locator("#ask .button").click()
    expect(phone.locator("#found [aria-current=step]")).to_contain_text("可领取")
    assert name not in phone.content()

    counter.step("collections")
    expect(counter.page.locator("#problem")).to_contain_text("the check of the fingerprint")
    counter.tick("receipt_shown", "details_checked", "fingerprint_checked", "signed")
    counter.step("collections")
    expect(counter.page.locator("#opened .due")).to_have_text("Your card was collected.")
    phone.locator("#ask .button").click()
    expect(phone.locator("#found .due")).to_have_text("证件已领取。")


def test_a_receipt_in_the_fragment_is_filled_in(counter, visitor):
    """As from a code on the receipt; the number is in no address that is sent but the question's,
    and that waits for the end of the citizen number."""
    counter.form()
    last4 = counter.page.locator("#f-citizen_id_number").input_value()[-4:]
    counter.tick(*PAPERS)
    receipt = counter.accept().replace(" ", "")
    asked = []
    someone = visitor(viewport=PHONE)
    page = someone.open("/progress")
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{page.url}#{receipt}")
    expect(page.locator("#last4")).to_be_focused()
    assert [url for url in asked if receipt in url] == []
    page.locator("#last4").fill(last4)
    page.locator("#ask .button").click()
    expect(page.locator("#found .steps")).to_be_visible()
    assert [url for url in asked if receipt in url and "/progress" not in url] == []
