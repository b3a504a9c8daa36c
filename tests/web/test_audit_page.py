"""The investigator's page: one permit through time, proved in the browser."""

import io
import json
import re
import zipfile
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.web.people import Investigator

LOST_DAYS = 40
PATIENCE_MS = 15_000


@pytest.fixture
def late_loss(visitor, registrar, http, application):
    """A permit whose card went missing long before that was reported, and was reissued."""
    now = datetime.fromisoformat(http.get("/v1/dev/clock").json()["now"])
    issued_on = (now.date() - timedelta(days=200)).isoformat()
    permit = registrar.post("/v1/permits", application(issued_on=issued_on)).json()
    path = f"/v1/permits/{permit['permit_number']}"
    lost_on = (now.date() - timedelta(days=LOST_DAYS)).isoformat()
    assert registrar.post(f"{path}/loss-reports", {"lost_on": lost_on}).status_code == 200
    assert registrar.post(f"{path}/reissues").status_code == 200
    return permit["permit_number"]


def days_ago(http, days):
    now = datetime.fromisoformat(http.get("/v1/dev/clock").json()["now"])
    return f"{now.date() - timedelta(days=days):%Y-%m-%d}T12:00:00"


def test_true_then_and_known_then(visitor, late_loss, http):
    """The card was missing already, but that was not yet known."""
    page = Investigator(visitor(), late_loss)
    expect(page.status("physical")).to_have_text("Issued")

    page.turn("at", days_ago(http, LOST_DAYS - 10))
    expect(page.status("physical")).to_have_text("Reported lost")
    page.turn("at", days_ago(http, LOST_DAYS + 10))
    expect(page.status("physical")).to_have_text("Issued")

    page.turn("at", days_ago(http, LOST_DAYS - 10))
    page.turn("known", days_ago(http, 1))
    expect(page.page.locator("#state .notice")).to_be_visible()  # it was issued today, backdated


def test_the_slider_changes_the_instant_of_the_state(visitor, late_loss):
    """With the keyboard too; its value is announced."""
    page = Investigator(visitor(), late_loss)
    slider = page.page.locator("#at")
    slider.focus()
    slider.press("Home")
    expect(page.page.locator("#state")).to_contain_text(re.compile("As it was|no such permit"))
    slider.press("End")
    expect(page.status("physical")).to_have_text("Issued")
    assert "In force" in (slider.get_attribute("aria-valuetext") or "")


def test_history_and_bands(visitor, late_loss):
    page = Investigator(visitor(), late_loss)

    expect(page.page.locator(".event")).to_have_count(3)
    expect(page.page.locator(".band[data-band=physical]")).to_have_count(3)
    expect(page.page.locator(".mark--late")).to_have_count(2)
    page.page.locator(".event summary").nth(1).click()
    expect(page.page.locator(".event").nth(1)).to_contain_text("reported_lost")


def test_the_browser_verifies_an_inclusion_proof(visitor, late_loss):
    """Down to the signature, with its own cryptography."""
    page = Investigator(visitor(), late_loss)
    page.page.locator(".proof").first.click()

    expect(page.page.locator(".event").first).to_contain_text("In the log", timeout=PATIENCE_MS)
    expect(page.page.locator(".event").first).to_contain_text("verified in this browser")


@pytest.mark.parametrize(
    ("of", "true", "false"),
    [
        ("**/tlog/tile/entries/**", b'"commitment":"', b'"commitment":"0'),
        ("**/events?*", b'\\"version\\":1', b'\\"version\\":7'),
        ("**/events?*", b'"type":"permit.issued', b'"type":"permit.voided'),
    ],
    ids=["another entry", "other details", "another event"],
)
def test_a_false_proof_is_reported(visitor, late_loss, of, true, false):
    """The service shows something else than was signed."""
    someone = visitor()

    def forge(route):
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.body().replace(true, false))

    someone.context.route(of, forge)
    page = Investigator(someone, late_loss)
    page.page.locator(".proof").first.click()

    expect(page.page.locator(".event").first).to_contain_text("Not proved", timeout=PATIENCE_MS)


def test_an_event_of_another_permit_is_reported(visitor, late_loss, registrar, application):
    """It is in the log, but not of this permit."""
    other = registrar.post("/v1/permits", application()).json()["permit_number"]
    someone = visitor()

    def swap(route):
        answer = route.fetch(url=route.request.url.replace(late_loss, other))
        route.fulfill(response=answer)

    someone.context.route("**/events?*", swap)
    page = Investigator(someone, late_loss)
    page.page.locator(".proof").first.click()

    expect(page.page.locator(".event").first).to_contain_text("Not proved", timeout=PATIENCE_MS)


def test_evidence_can_be_downloaded(visitor, late_loss):
    """With the fields that are chosen, and no others."""
    page = Investigator(visitor(), late_loss)
    page.choose("sex", "residence.address")
    with page.page.expect_download() as download:
        page.page.locator("#evidence").click()

    assert re.fullmatch(rf"evidence-{late_loss}-\d+\.zip", download.value.suggested_filename)
    files = zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes()))
    assert "verify_evidence.py" in files.namelist()
    [disclosures] = (name for name in files.namelist() if name.startswith("disclosures/"))
    opened = [json.loads(line)[1] for line in files.read(disclosures).splitlines()]
    assert opened == ["identity.sex", "residence.address"]


def test_chosen_fields_are_proved_in_the_browser(visitor, late_loss):
    """Those of the event, each with a mark; of the rest it is said that it is only stated."""
    page = Investigator(visitor(), late_loss)
    page.choose("name", "guardian")
    events = page.page.locator(".event")
    events.nth(0).locator(".proof").click()

    name = events.nth(0).locator("[data-field='identity.name']")
    expect(name).to_contain_text("欧阳测试", timeout=PATIENCE_MS)
    expect(name.locator(".chip--good")).to_have_text("Proved")
    expect(events.nth(0).locator("[data-field]")).to_have_count(2)
    expect(events.nth(0)).to_contain_text("All else that is shown of it is the service's own")
    events.nth(1).locator(".proof").click()
    expect(events.nth(1)).to_contain_text("none of the chosen fields", timeout=PATIENCE_MS)


@pytest.mark.parametrize(
    ("true", "false", "said"),
    [
        ('欧阳测试\\"]', '欧阳他人\\"]', "Not proved: Name"),
        ('\\"digests\\":\\"', '\\"digests\\":\\"AAAA', "event that is shown here is not the one"),
    ],
    ids=["another name", "other stored bytes"],
)
def test_a_false_field_is_reported(visitor, late_loss, true, false, said):
    """The service shows another value than was sealed, or bytes that are not in the log."""
    someone = visitor()

    def forge(route):
        answer = route.fetch()
        body = answer.body()
        assert true.encode() in body
        route.fulfill(response=answer, body=body.replace(true.encode(), false.encode()))

    page = Investigator(someone, late_loss)
    page.choose("name")
    someone.context.route("**/events?*disclose=*", forge)
    page.page.locator(".proof").first.click()

    first = page.page.locator(".event").first
    expect(first).to_contain_text("Not proved", timeout=PATIENCE_MS)
    expect(first).to_contain_text(re.compile(said.replace(": ", ".*")))


def test_checks_are_listed_with_todays_answer(visitor, http, registrar, application):
    """For a permit voided after the check."""
    permit = registrar.post("/v1/permits", application()).json()
    officer = visitor()
    token = http.post("/v1/dev/tokens", json={"role": "verifier"}).json()["access_token"]
    body = {"scenario": "patrol_inspection", "track": "physical", "card_serial": 1}
    answer = http.post(
        "/v1/verifications",
        json={**body, "permit_number": permit["permit_number"]},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.json()["outcome"] == "effective"
    registrar.post(f"/v1/permits/{permit['permit_number']}/voidings", {"finding": "forged"})
    page = Investigator(officer, permit["permit_number"])

    expect(page.page.locator("#checks li")).to_have_count(1)
    expect(page.page.locator("#checks")).to_contain_text("relied on")


def test_audit_reads_are_listed_and_an_unknown_permit_is_reported(visitor, late_loss):
    someone = visitor(language="zh")
    page = Investigator(someone, late_loss)
    expect(page.page.locator("#reads li").first).to_be_visible()
    page.page.locator("#permit-number").fill("0" * 12)
    page.page.locator("#find button:not(.button--quiet)").click()

    expect(page.page.locator("#problem")).to_contain_text("居住证")
    expect(page.page.locator("#opened")).to_be_hidden()
    assert "404" in someone.complaints.pop()
