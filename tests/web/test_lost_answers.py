"""Writes whose responses are lost: sent again, they take effect once."""

import json

import pytest
from playwright.sync_api import Page, Route, expect

from tests.api.service import Caller
from tests.web.browsers import DESK
from tests.web.people import Holder, IdCardCounter, Registrar

NOT_KNOWN = "not known whether this was recorded"
LOST = {"en": NOT_KNOWN, "zh": "尚不能确定是否已经登记"}


class Line:
    """The connection between a page and the service: requests arrive, responses are lost.

    ``keys``: the idempotency keys of the writes, in order.
    """

    def __init__(self, page: Page, path: str, *, losses: int = 1, status: int | None = None):
        self.keys: list[str] = []
        self._losses, self._status = losses, status
        page.route(f"**{path}", self._carry)

    def _carry(self, route: Route) -> None:
        if route.request.method != "POST":
            return route.continue_()
        self.keys.append(route.request.headers["idempotency-key"])
        if self._losses <= 0:
            return route.continue_()
        self._losses -= 1
        assert route.fetch().ok
        if self._status is None:
            return route.abort()
        return route.fulfill(status=self._status, body="<html>bad gateway</html>")


@pytest.fixture
def officer(visitor):
    return visitor(viewport=DESK, tolerates="Failed to load resource")


@pytest.fixture
def counter(officer):
    return Registrar(officer)


@pytest.fixture
def events(http):
    """``events("84G7ZWYRD6Z1")``: the types of all events of a permit."""
    investigator = Caller.with_token(http, "investigator", case="2026-I-1")

    def of(number: str) -> list[str]:
        answer = investigator.get(f"/v1/audit/permits/{number}/events").json()
        return [event["type"] for event in answer["events"]]

    return of


def permits_of(registrar, citizen: str) -> list[dict]:
    body = {"citizen_id_number": citizen}
    return registrar.post("/v1/permits/searches", body).json()["permits"]


@pytest.mark.parametrize("status", [None, 502, 503, 504])
def test_an_application_is_recorded_once(counter, registrar, events, status):
    """Although the first response was lost: the page does not report a failure."""
    line = Line(counter.page, "/v1/permits", status=status)
    counter.page.locator("#new").click()
    counter.page.locator("#made-up").click()
    citizen = counter.page.locator("#issue [name=citizen_id_number]").input_value()
    send = counter.page.locator("#issue .button:not(.button--quiet)")
    send.click()
    expect(counter.page.locator("#issue-problem")).to_contain_text(NOT_KNOWN)
    send.click()
    expect(counter.track("physical")).to_be_visible()

    [permit] = permits_of(registrar, citizen)
    assert ["permit.issued.v1"] == events(permit["permit_number"])
    assert 2 == len(line.keys)
    assert 1 == len(set(line.keys))


def test_an_application_survives_a_reload(counter, registrar):
    """The form is filled in again, says so, and sends the same content under the same key."""
    line = Line(counter.page, "/v1/permits")
    counter.page.locator("#new").click()
    counter.page.locator("#made-up").click()
    citizen = counter.page.locator("#issue [name=citizen_id_number]").input_value()
    counter.page.locator("#issue .button:not(.button--quiet)").click()
    expect(counter.page.locator("#issue-problem")).to_contain_text(NOT_KNOWN)
    counter.page.reload()
    filled_in = counter.page.locator("#issue [name=citizen_id_number]")
    expect(filled_in).to_have_value(citizen)
    expect(counter.page.locator("#issue-problem")).to_contain_text(NOT_KNOWN)
    counter.page.locator("#issue .button:not(.button--quiet)").click()
    expect(counter.track("physical")).to_be_visible()

    assert 1 == len(permits_of(registrar, citizen))
    assert 1 == len(set(line.keys))
    counter.page.reload()
    expect(counter.page.locator("#find")).to_be_visible()
    expect(counter.page.locator("#issue")).to_be_hidden()


def test_changed_content_gets_a_new_key(counter, registrar):
    """And so does the same content, once the outcome is known."""
    line = Line(counter.page, "/v1/permits")
    counter.page.locator("#new").click()
    counter.page.locator("#made-up").click()
    citizen = counter.page.locator("#issue [name=citizen_id_number]").input_value()
    send = counter.page.locator("#issue .button:not(.button--quiet)")
    send.click()
    expect(counter.page.locator("#issue-problem")).to_contain_text(NOT_KNOWN)
    counter.page.locator("#f-address").fill("滨湖区示例新村9号102室")
    send.click()
    expect(counter.page.locator("#issue-problem")).to_contain_text("already holds a permit")
    send.click()
    expect(counter.page.locator("#issue-problem")).to_contain_text("already holds a permit")

    assert 3 == len(set(line.keys))
    assert 1 == len(permits_of(registrar, citizen))


def test_a_card_is_replaced_once_although_the_response_was_lost(counter, events):
    """Even if the page was reloaded in between: the form is there again, filled in."""
    counter.issue()
    number = counter.number()
    line = Line(counter.page, f"/v1/permits/{number}/replacements", losses=2)
    said = counter.page.locator("#dialog-problem")

    counter.ask("replace")
    counter.page.locator("#d-reason").select_option("office_error")
    counter.send()
    expect(said).to_contain_text(NOT_KNOWN)
    expect(counter.serial("physical")).to_have_text("2")
    counter.send()
    expect(said).to_contain_text(NOT_KNOWN)
    counter.page.reload()
    expect(said).to_contain_text(NOT_KNOWN)
    expect(counter.page.locator("#d-reason")).to_have_value("office_error")
    counter.send()
    expect(counter.page.locator("#happened")).to_contain_text("Card 2 replaces")
    expect(counter.page.locator("#dialog")).to_be_hidden()

    assert ["permit.issued.v1", "permit.card-replaced.v1"] == events(number)
    assert (3, 1) == (len(line.keys), len(set(line.keys)))
    counter.ask("replace")
    counter.send()
    expect(counter.serial("physical")).to_have_text("3")
    assert 2 == len(set(line.keys))


def test_a_loss_report_after_another_command_is_a_new_one(counter, events):
    """A later response shows the permit's state, which settles the earlier write."""
    counter.issue()
    number = counter.number()
    Line(counter.page, f"/v1/permits/{number}/loss-reports")
    counter.report_loss()
    expect(counter.page.locator("#dialog-problem")).to_contain_text(NOT_KNOWN)
    counter.page.locator("#dialog-close").click()
    expect(counter.page.locator("#problem")).to_contain_text(NOT_KNOWN)
    counter.act("lift_loss")
    expect(counter.page.locator("#happened")).to_contain_text("effective again")
    counter.report_loss()
    expect(counter.track("physical")).to_contain_text("Reported lost")
    expect(counter.page.locator("#happened")).to_contain_text("is reported lost")

    lost, found = "permit.card-reported-lost", "permit.loss-lifted"
    kinds = [event.rpartition(".")[0] for event in events(number)]
    assert ["permit.issued", lost, found, lost] == kinds


def test_an_end_whose_response_was_lost_is_shown_by_the_permit(counter, events):
    """After a reload there is nothing left to send, and nothing is kept of what was typed."""
    counter.issue()
    number = counter.number()
    Line(counter.page, f"/v1/permits/{number}/voidings")
    counter.ask("void")
    counter.page.locator("#d-finding").fill("冒用他人材料")
    counter.confirm()
    expect(counter.page.locator("#dialog-problem")).to_contain_text(NOT_KNOWN)
    counter.page.reload()
    expect(counter.track("physical")).to_contain_text("Ended")

    expect(counter.page.locator("#dialog")).to_be_hidden()
    assert "冒用" not in counter.page.evaluate("JSON.stringify(sessionStorage)")
    assert ["permit.issued.v1", "permit.voided.v1"] == events(number)


def test_a_phone_is_claimed_and_removed_once(visitor, counter, events):
    """In the language of its owner."""
    citizen = counter.issue()
    number = counter.number()
    someone = visitor(language="zh", tolerates="Failed to load resource")
    phone = Holder(someone, citizen)
    claims = Line(phone.page, f"/v1/permits/{number}/electronic/claims", status=504)
    phone.claim()
    phone.code()  # by the stream
    revocations = Line(phone.page, f"/v1/permits/{number}/electronic/device-revocations")
    phone.page.locator("#revoke").click()
    phone.page.locator("#revoke-yes").click()
    expect(phone.page.locator("#devices-problem")).to_contain_text(LOST["zh"])
    expect(phone.page.locator("#claim")).to_be_visible()  # by the stream

    kinds = [event.rpartition(".")[0] for event in events(number)]
    assert ["permit.issued", "permit.electronic-claimed", "permit.device-revoked"] == kinds
    assert (1, 1) == (len(claims.keys), len(revocations.keys))


def test_an_id_card_application_and_its_steps_are_recorded_once(visitor, registrar):
    """The form is filled in again after a reload, its ticks included."""
    someone = visitor(viewport=DESK, tolerates="Failed to load resource")
    counter = IdCardCounter(someone)
    line = Line(counter.page, "/v1/id-card-applications", status=503)
    counter.form()
    counter.tick("household_register", "employment_proof", "without_photo", "commitment_signed")
    counter.page.locator("#panel-form .button--wide").click()
    expect(counter.page.locator("#form-problem")).to_contain_text(NOT_KNOWN)
    counter.page.reload()
    expect(counter.page.locator("#form-problem")).to_contain_text(NOT_KNOWN)
    expect(counter.page.locator("[name=employment_proof]")).to_be_checked()
    expect(counter.page.locator("[name=study_proof]")).not_to_be_checked()
    receipt = counter.accept()
    assert (2, 1) == (len(line.keys), len(set(line.keys)))

    counter.open(receipt)
    bare = receipt.replace(" ", "")
    line = Line(counter.page, f"/v1/id-card-applications/{bare}/dispatches")
    counter.step("dispatches")
    expect(counter.page.locator("#problem")).to_contain_text(NOT_KNOWN)
    counter.step("dispatches")
    expect(counter.page.locator("[data-step=approvals]")).to_be_visible()
    assert (2, 1) == (len(line.keys), len(set(line.keys)))
    assert 2 == registrar.get(f"/v1/id-card-applications/{bare}").json()["version"]


def test_a_truncated_response_has_an_unknown_outcome(counter, registrar):
    """A 201 with an incomplete body has nothing that could be shown."""
    cut = []

    def carry(route: Route) -> None:
        if route.request.method != "POST" or cut:
            return route.continue_()
        cut.append(json.loads(route.fetch().text()))
        return route.fulfill(status=201, content_type="application/json", body='{"permit_num')

    counter.page.route("**/v1/permits", carry)
    counter.page.locator("#new").click()
    counter.page.locator("#made-up").click()
    citizen = counter.page.locator("#issue [name=citizen_id_number]").input_value()
    send = counter.page.locator("#issue .button:not(.button--quiet)")
    send.click()
    expect(counter.page.locator("#issue-problem")).to_contain_text(NOT_KNOWN)
    send.click()
    expect(counter.page.locator(".summary__number")).to_have_text(cut[0]["permit_number"])
    assert 1 == len(permits_of(registrar, citizen))


def test_signing_out_deletes_pending_writes(counter):
    """Both their keys and the content of the forms."""
    Line(counter.page, "/v1/permits")
    counter.page.locator("#new").click()
    counter.page.locator("#made-up").click()
    counter.page.locator("#issue .button:not(.button--quiet)").click()
    expect(counter.page.locator("#issue-problem")).to_contain_text(NOT_KNOWN)
    counter.page.get_by_role("button", name="Sign out").click()
    expect(counter.page.locator(".signin")).to_be_visible()

    kept = counter.page.evaluate("Object.entries(sessionStorage)")
    assert [["permit-ledger.unknown-outcomes", "{}"]] == kept
